"""Files of a case on disk: what was killed on its way is removed, what is on its way or kept is not."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from complaints.store.blobs import Blobs

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "attachments")
    with blobs.upload(100) as upload:
        upload.write(b"kept")
        kept = upload.keep()
    for name, age in (("killed", timedelta(days=2)), ("travelling", timedelta(minutes=5))):
        (blobs.incoming / name).write_bytes(b"half a photo")
        at = (NOW - age).timestamp()
        os.utime(blobs.incoming / name, (at, at))
    os.utime(blobs.path(kept.sha256), (0, 0))
    assert blobs.forget_unfinished(NOW - timedelta(days=1)) == 1
    assert [path.name for path in blobs.incoming.iterdir()] == ["travelling"]
    with blobs.open(kept.sha256) as file:
        assert file.read() == b"kept"
