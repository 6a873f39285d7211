"""The local folder of outgoing mail: one .eml file per message, for demonstrations and for sites without a provider."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

from complaints.domain.errors import Retryable
from complaints.domain.ports import Message, Receipt
from complaints.notify.envelope import address, key_hash, mail_of

_FROM = address("complaints@localhost.invalid", "Complaints")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


class OutboxFolder:
    """`Sender` into a folder. A message that is sent again overwrites its own file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, message: Message, now: datetime) -> Receipt:
        """Write the mail, whole or not at all. `Retryable` when the folder cannot be written."""
        name = "-".join(
            _UNSAFE.sub("_", part) for part in (message.kind, message.reference or "none", key_hash(message.key)[:12])
        )
        target = self.folder / f"{name}.eml"
        mail = mail_of(message, _FROM, now)
        if message.tags:
            mail["X-Complaint-Tags"] = ", ".join(_UNSAFE.sub("_", tag) for tag in message.tags)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_whole(target, mail.as_bytes())
        except OSError as error:
            raise Retryable(f"The folder of outgoing mail cannot be written: {error}") from error
        return Receipt("folder", target.name, now)


def _write_whole(target: Path, data: bytes) -> None:
    with NamedTemporaryFile(dir=target.parent, prefix=".", suffix=".part", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, target)
        except BaseException:
            os.unlink(file.name)
            raise
