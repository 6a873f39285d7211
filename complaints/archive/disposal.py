"""What lies outside the database of a case that is erased: its bag in the archive, its files in the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import fsspec

from complaints.archive.bag import digest_of, place
from complaints.domain.errors import Retryable
from complaints.store.blobs import Blobs


class CaseFiles:
    """Bags wherever fsspec reaches them, attachments in `blobs`.

    A bag is looked for in `archive`, today's, before where it was written: that may be another installation's by now,
    from which this one was restored.
    """

    def __init__(self, blobs: Blobs, archive: str) -> None:
        self._blobs, self._archive = blobs, archive

    def condition(self, url: str, sha256: str) -> Literal["as_written", "altered", "gone"]:
        """How the bag at `url` is, of which `sha256` was recorded. Raises `Retryable` when the archive is away."""
        with _within_reach(url):
            found = self._found(url)
            if found is None:
                return "gone"
            fs, path = found
            with fs.open(path, "rb") as stream:
                return "as_written" if digest_of(stream) == sha256 else "altered"

    def remove_bag(self, url: str) -> None:
        """Remove the bag, if it is there. Raises `Retryable` when the archive is away."""
        with _within_reach(url):
            if found := self._found(url):
                fs, path = found
                fs.rm_file(path)

    def _found(self, url: str) -> tuple[fsspec.AbstractFileSystem, str] | None:
        for each in (f"{self._archive.rstrip('/')}/{place(url)}", url):
            fs, path = fsspec.core.url_to_fs(each)
            if fs.exists(path):
                return fs, path
        return None

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
