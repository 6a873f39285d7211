"""One message as RFC 5322 mail. The same message always becomes the same mail, byte for byte, whoever sends it.

The headers keep machines from answering machines: RFC 3834 (`Auto-Submitted`), and Exchange's
`X-Auto-Response-Suppress`. The Message-ID is derived from the message's key, so that a repeated hand-over can be
recognised and replies find their thread.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from email.utils import format_datetime

from complaints.domain.errors import Permanent
from complaints.domain.ports import Message
from complaints.notify.render import SUBJECT_LIMIT, one_line

#: Seven bits only: a server need not take more unless it is asked whether it does (RFC 6152).
_POLICY = SMTP.clone(cte_type="7bit")


def key_hash(key: str) -> str:
    """SHA-256 of an outbox key, in hex."""
    return hashlib.sha256(key.encode()).hexdigest()


def address(text: str, name: str = "") -> Address:
    """One e-mail address; `Permanent` when `text` is not exactly one (a list, a phone number, a header in disguise).

    Domains in any script are written in ASCII (IDNA); names before the @ must be ASCII, as most servers demand.
    """
    try:
        if text != one_line(text):
            raise ValueError("it contains line breaks or control characters")
        local, _, domain = text.rpartition("@")
        found = Address(display_name=one_line(name), addr_spec=f"{local}@{domain.encode('idna').decode()}")
        if not found.domain:
            raise ValueError("it has no domain")
    except (ValueError, IndexError, MessageError) as error:
        raise Permanent(f"{text!r} is no e-mail address ({error}). Correct it and send again.") from None
    return found


def mail_of(message: Message, sender: Address, now: datetime, reply_to: Address | None = None) -> EmailMessage:
    """The mail for `message`; without an address in `message.to` it has no To header."""
    digest = key_hash(message.key)
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = sender
    if message.to:
        mail["To"] = address(message.to)
    if reply_to:
        mail["Reply-To"] = reply_to
    mail["Subject"] = one_line(message.letter.subject)[:SUBJECT_LIMIT]
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{digest[:32]}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if message.reference:
        mail["X-Complaint-Reference"] = one_line(message.reference)
    for name, value in message.headers.items():
        if name in mail:
            raise Permanent(f"The header {name} is ours to set. Leave it out of the message.")
        mail[name] = one_line(value)
    _fill(mail, message, digest)
    mail["Content-Language"] = message.language.value  # last: making alternatives moves Content-* into the first part
    return mail


def _fill(mail: EmailMessage, message: Message, digest: str) -> None:
    mail.set_content(_clean(message.letter.text))
    if message.letter.html is None:
        return
    mail.add_alternative(_clean(message.letter.html), subtype="html")
    mail.set_boundary(f"=_{digest[32:]}")
    for part in mail.iter_parts():
        assert isinstance(part, MIMEPart)
        del part["MIME-Version"]


def _clean(text: str) -> str:
    """Without control characters and lone surrogates, which no mail can carry."""
    kept = "".join(c for c in text.replace("\r\n", "\n") if c in "\n\t" or ord(c) >= 32)
    return kept.encode("utf-8", "replace").decode("utf-8")
