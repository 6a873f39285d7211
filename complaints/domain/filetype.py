"""What a file is, by its first bytes, and a name for it that does no harm. The client's own claims decide nothing."""

from __future__ import annotations

import re
import unicodedata

from complaints.domain.errors import LimitExceeded, UnsupportedType

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF-", "application/pdf"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"BM", "image/bmp"),
    (4, b"ftyphei", "image/heic"),
    (4, b"ftypmif1", "image/heic"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xfa", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),  # at half the sampling rate: voice recorders
    (0, b"\xff\xf2", "audio/mpeg"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"OggS", "audio/ogg"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"MZ", "application/x-msdownload"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"#!", "text/x-script"),
)
#: Marks that a text may begin with, too: `BMW 320i, bought in May`.
_LETTERS = (b"BM", b"MZ", b"ID3")
_OFFICE = "application/vnd.openxmlformats-officedocument."
#: What an ending promises: the kinds of content that may stand behind it, and the type the file then is.
_ENDINGS: dict[str, tuple[frozenset[str], str]] = {
    "pdf": (frozenset({"application/pdf"}), "application/pdf"),
    "png": (frozenset({"image/png"}), "image/png"),
    "jpg": (frozenset({"image/jpeg"}), "image/jpeg"),
    "jpeg": (frozenset({"image/jpeg"}), "image/jpeg"),
    "gif": (frozenset({"image/gif"}), "image/gif"),
    "webp": (frozenset({"image/webp"}), "image/webp"),
    "tif": (frozenset({"image/tiff"}), "image/tiff"),
    "tiff": (frozenset({"image/tiff"}), "image/tiff"),
    "bmp": (frozenset({"image/bmp"}), "image/bmp"),
    "heic": (frozenset({"image/heic"}), "image/heic"),
    "mp4": (frozenset({"video/mp4"}), "video/mp4"),
    "mov": (frozenset({"video/quicktime"}), "video/quicktime"),
    "m4a": (frozenset({"audio/mp4", "video/mp4"}), "audio/mp4"),
    "mp3": (frozenset({"audio/mpeg"}), "audio/mpeg"),
    "wav": (frozenset({"audio/wav"}), "audio/wav"),
    "amr": (frozenset({"audio/amr"}), "audio/amr"),
    "ogg": (frozenset({"audio/ogg"}), "audio/ogg"),
    "rtf": (frozenset({"application/rtf"}), "application/rtf"),
    "zip": (frozenset({"application/zip"}), "application/zip"),
    "docx": (frozenset({"application/zip"}), f"{_OFFICE}wordprocessingml.document"),
    "xlsx": (frozenset({"application/zip"}), f"{_OFFICE}spreadsheetml.sheet"),
    "pptx": (frozenset({"application/zip"}), f"{_OFFICE}presentationml.presentation"),
    "odt": (frozenset({"application/zip"}), "application/vnd.oasis.opendocument.text"),
    "doc": (frozenset({"application/x-ole-storage", "application/rtf"}), "application/msword"),
    "xls": (frozenset({"application/x-ole-storage"}), "application/vnd.ms-excel"),
    "msg": (frozenset({"application/x-ole-storage"}), "application/vnd.ms-outlook"),
    "txt": (frozenset({"text/plain"}), "text/plain"),
    "csv": (frozenset({"text/plain"}), "text/csv"),
    "eml": (frozenset({"text/plain"}), "message/rfc822"),
    "html": (frozenset({"text/html"}), "text/html"),
    "svg": (frozenset({"image/svg+xml"}), "image/svg+xml"),
    "exe": (frozenset({"application/x-msdownload"}), "application/x-msdownload"),
}
_MARKUP = re.compile(
    rb"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<\s*(!doctype\s+html|html|head|body|script|svg)\b", re.I | re.S
)
#: Never taken, whatever is accepted: a browser may run what is in them.
_ACTIVE = frozenset(
    {"image/svg+xml", "text/html", "application/x-msdownload", "application/x-executable", "text/x-script"}
)
#: Longest name kept, in characters and in UTF-8 bytes (file systems allow 255).
_NAME_LIMIT, _NAME_BYTES = 120, 200


def sniff(head: bytes) -> str:
    """The media type of a file that begins with `head`; `application/octet-stream` when nothing fits."""
    for offset, mark, kind in _MAGIC:
        if head[offset : offset + len(mark)] == mark and not (mark in _LETTERS and _is_text(head[len(mark) :])):
            return kind
    markup = _MARKUP.match(head)
    if markup:
        return "image/svg+xml" if markup.group(1).lower() == b"svg" else "text/html"
    return "text/plain" if _is_text(head) else "application/octet-stream"


def _is_text(head: bytes) -> bool:
    """UTF-8, UTF-16 with its mark, or GB 18030; without control characters. The last character may be cut off.

    What is UTF-8 is so by design, and may hold characters that this Python does not know yet; in the other two nearly
    any bytes mean something, and only what is known counts.
    """
    encodings = ["utf-16"] if head[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8", "gb18030"]
    for encoding in encodings:
        strange = ("Cc",) if encoding == "utf-8" else ("Cc", "Cn", "Co")
        for cut in range(4):
            try:
                words = head[: len(head) - cut].decode(encoding)
            except UnicodeDecodeError:
                continue
            return bool(words) and not any(unicodedata.category(c) in strange and c not in "\t\n\r\f" for c in words)
    return False


def content_type(head: bytes, name: str, accepted: tuple[str, ...]) -> str:
    """The type to store the file under; `UnsupportedType` when its name promises something else, or it is not accepted.

    `accepted` are media types; `image/*` stands for all images.
    """
    found = sniff(head)
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    fitting, kind = _ENDINGS.get(ending, (frozenset(), found))
    if found in _ACTIVE or kind in _ACTIVE:
        raise UnsupportedType(
            "Programs, scripts and web pages are not taken, whatever their name. Send a document or a picture instead."
        )
    if fitting:
        if found not in fitting:
            raise UnsupportedType(
                f"The file is named .{ending}, but its content is {found}. Send it under its true name."
            )
        found = kind
    if not any(found == a or (a.endswith("/*") and found.startswith(a[:-1])) for a in accepted):
        raise UnsupportedType(f"Files of type {found} are not taken. Accepted are: {', '.join(accepted)}.")
    return found


def too_large(limit: int) -> LimitExceeded:
    """The refusal of a file of more than `limit` bytes."""
    return LimitExceeded(f"The file is larger than {limit:,} bytes. Compress it, or split it into several.")


def safe_name(claimed: str) -> str:
    """A file name without path, control and direction characters, of bounded length; its ending is kept."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", claimed))[-1]
    kept = "".join(c for c in last if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
    kept = re.sub(r'[<>:"|?*]', "_", kept)
    kept = re.sub(r"\s+", " ", kept).strip(" .")
    stem, dot, ending = kept.rpartition(".")
    if not dot or len(ending) > 10:
        stem, ending = kept, ""
    tail = f".{ending}" if ending else ""
    stem = stem[: _NAME_LIMIT - len(tail)]
    while len(f"{stem}{tail}".encode()) > _NAME_BYTES:
        stem = stem[:-1]
    return f"{stem.strip()}{tail}" if stem.strip() else f"attachment{tail}"
