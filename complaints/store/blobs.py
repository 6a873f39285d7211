"""Files of a case, stored once by their SHA-256: `root/ab/cdef…`. What a client calls a file never becomes a path.

A file is written to `root/incoming/`, flushed to disk, then renamed: under its final name it is always whole.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from complaints.domain.errors import NotFound, Retryable
from complaints.domain.filetype import too_large

#: Bytes from the beginning of a file that are kept to find out what it is.
HEAD = 4096
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Blob:
    """A stored file: its digest, its size in bytes, and its first bytes."""

    sha256: str
    size: int
    head: bytes


class Upload:
    """A file being written. `keep` makes it permanent; leaving the block without it removes what was written."""

    def __init__(self, blobs: Blobs, limit: int) -> None:
        self._blobs, self._limit = blobs, limit
        self._path = blobs.incoming / secrets.token_hex(16)
        with _room():
            self._file = self._path.open("xb")
        self._digest = hashlib.sha256()
        self.size, self.head = 0, b""

    def write(self, chunk: bytes) -> None:
        """Append; `LimitExceeded` as soon as the file is larger than allowed."""
        self.size += len(chunk)
        if self.size > self._limit:
            raise too_large(self._limit)
        if len(self.head) < HEAD:
            self.head += chunk[: HEAD - len(self.head)]
        self._digest.update(chunk)
        with _room():
            self._file.write(chunk)

    def keep(self) -> Blob:
        """Make it permanent, durable before this returns."""
        digest = self._digest.hexdigest()
        target = self._blobs.path(digest)
        with _room():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            target.parent.mkdir(exist_ok=True)
            os.replace(self._path, target)
            _sync(target.parent)
        return Blob(digest, self.size, self.head)

    def discard(self) -> None:
        """Close and remove what was not kept."""
        with suppress(OSError):  # what could not be written is tried again in closing
            self._file.close()
        self._path.unlink(missing_ok=True)


class Blobs:
    """The store of files under `root`, which is made readable by this user only."""

    def __init__(self, root: Path) -> None:
        self.root, self.incoming = root, root / "incoming"
        self.incoming.mkdir(parents=True, exist_ok=True)
        root.chmod(0o700)

    def path(self, sha256: str) -> Path:
        """Where the file with this digest lies."""
        if not _DIGEST.fullmatch(sha256):
            raise ValueError(f"not a SHA-256 digest: {sha256!r}")
        return self.root / sha256[:2] / sha256[2:]

    @contextmanager
    def upload(self, limit: int) -> Iterator[Upload]:
        """Write a file of at most `limit` bytes; whatever is not kept at the end of the block is removed."""
        upload = Upload(self, limit)
        try:
            yield upload
        finally:
            upload.discard()

    def forget_unfinished(self, before: datetime) -> int:
        """Remove what was begun before then and never kept, because the process was killed; how many files."""
        count = 0
        for path in self.incoming.iterdir():
            with suppress(FileNotFoundError):  # kept or removed meanwhile
                if path.stat().st_mtime < before.timestamp():
                    path.unlink()
                    count += 1
        return count

    def open(self, sha256: str) -> BinaryIO:
        """The file, for reading; `NotFound` when it is not here."""
        try:
            return self.path(sha256).open("rb")
        except FileNotFoundError:
            raise NotFound("stored file", sha256) from None

    def remove(self, sha256: str) -> None:
        """Remove the file, if it is here; it is gone for good before this returns."""
        path = self.path(sha256)
        if path.exists():
            path.unlink(missing_ok=True)
            _sync(path.parent)


@contextmanager
def _room() -> Iterator[None]:
    """A full disk is nobody's bug, and passes: `Retryable`."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Retryable("There is no room to keep the file. Send it again later.") from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
