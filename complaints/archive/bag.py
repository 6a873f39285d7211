"""Writing a dossier as a BagIt bag (RFC 8493).

One complaint is one .zip: a bag as a folder would be some fifteen files (inodes, object requests) per complaint, and no
file system behind fsspec can put a whole folder in its place at once, while all of them can do so with one file.
The same dossier gives the same bytes at the same place: writing it again, after a crash or twice at once, does no harm.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import IO, BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from complaints.archive.dossier import Dossier
from complaints.archive.page import page
from complaints.domain.errors import Permanent

DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_CHUNK = 1 << 20
#: A bag larger than this is put together on disk instead of in memory.
_IN_MEMORY = 8 << 20


@dataclass(frozen=True)
class BagReceipt:
    """Where a bag lies, the SHA-256 and size of its zip file, and how many payload files it holds."""

    url: str
    sha256: str
    bytes: int
    files: int


def write_bag(
    dossier: Dossier, attachments: Iterable[tuple[str, str, BinaryIO]], fs_url: str, *, organization: str = "Complaints"
) -> BagReceipt:
    """Store `dossier` and its files at `<fs_url>/<year of closing>/<reference>.zip`.

    Each of `attachments` is a name, a SHA-256 and the content, closed here. The bag appears whole or not at all.
    Raises `InvalidInput` while the complaint is open, and `Permanent` when a file is not what was uploaded.
    """
    fs, root = fsspec.core.url_to_fs(fs_url)
    path = f"{root.rstrip('/')}/{dossier.closed_at.year}/{dossier.reference}.zip"
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as whole:
        files = _pack(dossier, attachments, whole, organization)
        size = whole.tell()
        whole.seek(0)
        sha256 = digest_of(whole)
        whole.seek(0)
        _store(fs, path, whole)
    return BagReceipt(fs.unstrip_protocol(path), sha256, size, files)


def place(url: str) -> str:
    """Where the bag at `url` lies in its archive, `<year of closing>/<reference>.zip`, wherever that is moved."""
    return "/".join(url.rsplit("/", 2)[1:])


def safe_name(name: str) -> str:
    """A client's file name as a path segment: letters, digits, dot, dash and underscore, at most 100 bytes."""
    plain = re.sub(r"[^\w.\-]+", "_", unicodedata.normalize("NFC", name)).strip("._") or "file"
    stem, dot, ending = plain.rpartition(".")
    if not dot or len(ending.encode()) > 16:
        return _cut(plain, 100)
    return f"{_cut(stem, 99 - len(ending.encode()))}.{ending}"


def _cut(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore")


@dataclass
class _Packer:
    """Writes the files of one bag into a zip, and remembers what the manifests need."""

    zip: zipfile.ZipFile
    base: str
    stamp: tuple[int, int, int, int, int, int]
    manifest: dict[str, str] = field(default_factory=dict)
    octets: int = 0

    def entry(self, path: str, *, packed: bool = True) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(f"{self.base}/{path}", self.stamp)
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        info.create_system, info.external_attr = 3, 0o100644 << 16
        return info

    def add(self, path: str, content: bytes) -> None:
        self.zip.writestr(self.entry(path), content, compresslevel=6)
        self.manifest[path] = hashlib.sha256(content).hexdigest()
        self.octets += len(content)

    def copy(self, path: str, source: BinaryIO) -> str:
        """A large file, chunk by chunk, as it is: pictures and PDFs are compressed already."""
        digest = hashlib.sha256()
        with self.zip.open(self.entry(path, packed=False), "w", force_zip64=True) as target:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                target.write(chunk)
                self.octets += len(chunk)
        self.manifest[path] = digest.hexdigest()
        return self.manifest[path]


def _pack(
    dossier: Dossier, attachments: Iterable[tuple[str, str, BinaryIO]], target: IO[bytes], organization: str
) -> int:
    closed = dossier.closed_at
    stamp = (closed.year, closed.month, closed.day, closed.hour, closed.minute, closed.second)
    with zipfile.ZipFile(target, "w") as archive:
        payload = _Packer(archive, dossier.reference, stamp)
        for name, content in dossier.parts():
            payload.add(f"data/{name}.json", content)
        payload.add("data/complaint.html", page(dossier, attachment_path).encode())
        for name, sha256, source in attachments:
            with source:
                path = f"data/{attachment_path(name, sha256)}"
                if path not in payload.manifest and payload.copy(path, source) != sha256:
                    raise Permanent(
                        f"The stored file {name!r} is not what was uploaded. Restore {sha256} from a backup."
                    )
        tags = _Packer(archive, dossier.reference, stamp)
        tags.add("bagit.txt", DECLARATION)
        tags.add("bag-info.txt", _info(dossier, organization, payload))
        tags.add("manifest-sha256.txt", _manifest(payload.manifest))
        archive.writestr(tags.entry("tagmanifest-sha256.txt"), _manifest(tags.manifest))
    return len(payload.manifest)


def attachment_path(name: str, sha256: str) -> str:
    """Where a file lies in the payload."""
    return f"attachments/{sha256[:16]}-{safe_name(name)}"


def _info(dossier: Dossier, organization: str, payload: _Packer) -> bytes:
    values = {
        "Source-Organization": " ".join(organization.split()),
        "External-Identifier": dossier.reference,
        "Bagging-Date": dossier.closed_at.date().isoformat(),
        "Payload-Oxum": f"{payload.octets}.{len(payload.manifest)}",
    }
    return "".join(f"{key}: {value}\n" for key, value in values.items()).encode()


def _manifest(digests: dict[str, str]) -> bytes:
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items())).encode()


def digest_of(stream: IO[bytes]) -> str:
    """SHA-256, hex, of what is left in `stream`."""
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _store(fs: fsspec.AbstractFileSystem, path: str, content: IO[bytes]) -> None:
    """Write beside `path`, then move; on a local disk it is durable before this returns."""
    folder = path.rpartition("/")[0]
    fs.makedirs(folder, exist_ok=True)
    part = f"{path}.{secrets.token_hex(6)}.part"
    local = isinstance(fs, LocalFileSystem)
    try:
        with fs.open(part, "wb") as target:
            shutil.copyfileobj(content, target, _CHUNK)
            if local:
                target.flush()
                os.fsync(target.fileno())
        if local:
            os.replace(part, path)
            _sync(folder)
        else:
            fs.mv(part, path)
    except BaseException:
        if fs.exists(part):
            fs.rm_file(part)
        raise


def _sync(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
