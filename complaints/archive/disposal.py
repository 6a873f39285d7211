"""What lies outside the database of a case that is erased: its bag in the archive, its files in the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import fsspec

from complaints.archive.bag import digest_of
from complaints.domain.errors import Retryable
from complaints.store.blobs import Blobs


class CaseFiles:
    """Bags wherever fsspec reaches them, attachments in `blobs`."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def condition(self, url: str, sha256: str) -> Literal["as_written", "altered", "gone"]:
        """How the bag at `url` is, of which `sha256` was recorded. Raises `Retryable` when the archive is away."""
        with _within_reach(url):
            fs, path = fsspec.core.url_to_fs(url)
            if not fs.exists(path):
                return "gone"
            with fs.open(path, "rb") as stream:
                return "as_written" if digest_of(stream) == sha256 else "altered"

    def remove_bag(self, url: str) -> None:
        """Remove the bag, if it is there. Raises `Retryable` when the archive is away."""
        with _within_reach(url):
            fs, path = fsspec.core.url_to_fs(url)
            if fs.exists(path):
                fs.rm_file(path)

    def remove_attachment(self, sha256: str) -> None:
        """Remove the stored file, if it is there."""
        with _within_reach(sha256):
            self._blobs.remove(sha256)


@contextmanager
def _within_reach(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Retryable(f"{what} cannot be reached: {error}") from error
