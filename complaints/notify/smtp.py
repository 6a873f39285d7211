"""Mail over SMTP as an Apprise plugin: `complaintsmail://` and `complaintsmails://`.

Apprise's own mail plugin answers yes or no. We must know whether a server said "later" (4xx) or "never" (5xx), and our
mails carry their own Message-ID and headers; so this plugin takes the finished mail and keeps the server's answer.
The parameters are those of Apprise's `mailto://`: user, password, host, port, and `?from=`, `name=`, `to=`, `reply=`
(with `+{reference}` before the @ the answers of each case bear its reference), `smtp=` (another host),
`mode=insecure|starttls|ssl`, `verify=no`.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote, unquote

from apprise import NotifyBase, NotifyType
from apprise.manager_plugins import NotificationManager

from complaints.domain.errors import Permanent, Retryable
from complaints.notify.envelope import address

#: Refusals of our own account, not of the message: an operator can put them right, so the letter must not die of them.
_ACCOUNT = frozenset({530, 534, 535, 538})
#: In `reply=`: where the reference goes (subaddressing, RFC 5233).
_TAG = "+{reference}"
_UNTAGGED = re.compile(r"[^A-Za-z0-9.-]+")
_PORTS = {"insecure": 25, "starttls": 587, "ssl": 465}


@dataclass(frozen=True)
class Server:
    """Where and how to hand over mail. `mode`: insecure, starttls or ssl."""

    host: str
    port: int
    mode: str
    user: str
    password: str
    verify: bool


class Delivery:
    """One hand-over of one mail to one address."""

    def __init__(self, server: Server, mail: EmailMessage, sender: str, to: str, seconds: float) -> None:
        self._server, self._mail, self._sender, self._to, self._seconds = server, mail, sender, to, seconds
        self._smtp: smtplib.SMTP | None = None

    def run(self) -> str:
        """Hand over; returns the server's name as evidence. `Permanent` after a 5xx answer about this mail."""
        try:
            smtp = self._connect()
            try:
                smtp.send_message(self._mail, self._sender, [self._to])
                # The mail is theirs now. Whatever happens to the good-bye must not send it again.
                return f"accepted by {self._server.host}:{self._server.port}"
            finally:
                _leave(smtp)
        except smtplib.SMTPRecipientsRefused as error:
            code, words = error.recipients[self._to]
            raise _verdict(code, words) from error
        except smtplib.SMTPDataError as error:
            raise _verdict(error.smtp_code, error.smtp_error) from error
        except smtplib.SMTPResponseException as error:  # greeting, log-in, sender: about us, not about the mail
            raise Retryable(f"{self._server.host} said {error.smtp_code} {_words(error.smtp_error)}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise Retryable(f"{self._server.host}:{self._server.port} cannot be used: {error}") from error

    def abort(self) -> None:
        """Cut the line, from another thread. Closing would not wake a thread that reads; shutting down does."""
        line = self._smtp.sock if self._smtp is not None else None
        if line is not None:
            with suppress(OSError):  # gone already: what we want
                line.shutdown(socket.SHUT_RDWR)

    def _see(self, smtp: smtplib.SMTP) -> None:
        self._smtp = smtp

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        context = ssl.create_default_context()
        if not server.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        place: dict[str, Any] = {"host": server.host, "port": server.port, "timeout": self._seconds}
        smtp = _TlsLine(self._see, context=context, **place) if server.mode == "ssl" else _Line(self._see, **place)
        try:
            if server.mode == "starttls":
                smtp.starttls(context=context)
            if server.user:
                smtp.login(server.user, server.password)
        except BaseException:
            smtp.close()
            raise
        return smtp


class _Line(smtplib.SMTP):
    """SMTP that shows itself before it connects, so that it can be cut while it waits for the greeting."""

    def __init__(self, see: Callable[[smtplib.SMTP], None], **arguments: Any) -> None:
        see(self)
        super().__init__(**arguments)


class _TlsLine(smtplib.SMTP_SSL):
    """The same over TLS from the start."""

    def __init__(self, see: Callable[[smtplib.SMTP], None], **arguments: Any) -> None:
        see(self)
        super().__init__(**arguments)


def _leave(smtp: smtplib.SMTP) -> None:
    """Say QUIT without waiting for the answer: after the verdict nothing the server says matters any more."""
    try:
        smtp.putcmd("quit")
    except (smtplib.SMTPServerDisconnected, OSError):
        return  # it left first
    finally:
        smtp.close()


def _words(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply


def _verdict(code: int, reply: bytes | str) -> Permanent | Retryable:
    words = f"The mail server said {code} {_words(reply)}"
    return Permanent(words) if 500 <= code < 600 and code not in _ACCOUNT else Retryable(words)


class MailPlugin(NotifyBase):
    """The plugin. `deliver` is how our sender uses it; `send` serves any other use through Apprise."""

    # Apprise types these by the empty values of its base class.
    service_name = "Complaints mail"  # type: ignore[assignment]
    protocol = "complaintsmail"  # type: ignore[assignment]
    secure_protocol = "complaintsmails"  # type: ignore[assignment]
    request_rate_per_sec = 0  # our own limit paces it
    templates = ("{schema}://{host}",)  # type: ignore[assignment]

    def __init__(
        self,
        from_: str = "",
        from_name: str = "",
        to: str = "",
        reply: str = "",
        smtp: str = "",
        mode: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]  # Apprise is partly untyped
        mode = mode or ("starttls" if self.secure else "insecure")
        if mode not in _PORTS:
            raise TypeError(f"mode={mode} is unknown; use insecure, starttls or ssl")
        try:
            own = from_ or (self.user if self.user and "@" in self.user else f"{self.user or 'complaints'}@{self.host}")
            self.sender: Address = address(own, from_name)
            self._reply = reply
            self.reply_to("EX-1")
            self.default_to: str = address(to).addr_spec if to else ""
        except Permanent as error:
            raise TypeError(str(error)) from None
        self.server = Server(
            host=smtp or self.host,
            port=self.port or _PORTS[mode],
            mode=mode,
            user=self.user or "",
            password=self.password or "",
            verify=self.verify_certificate,
        )

    def reply_to(self, reference: str) -> Address | None:
        """Where answers to a letter about `reference` go; None: to the sender. `Permanent` when it is no address."""
        if not self._reply:
            return None
        tag = _UNTAGGED.sub("-", reference)
        return address(self._reply.replace(_TAG, f"+{tag}" if tag else ""))

    def delivery(self, mail: EmailMessage, to: str, seconds: float) -> Delivery:
        """The hand-over of `mail`; each network step may take `seconds`."""
        return Delivery(self.server, mail, self.sender.addr_spec, to, seconds)

    def send(self, body: str, title: str = "", notify_type: str = NotifyType.INFO, **_: Any) -> bool:
        """A plain mail to the `to` of the URL, as Apprise asks for it."""
        if not self.default_to:
            self.logger.warning("complaintsmail has no to= address")
            return False
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, self.default_to, title
        mail.set_content(body)
        try:
            self.delivery(mail, self.default_to, self.socket_connect_timeout).run()
        except (Permanent, Retryable) as error:
            self.logger.warning("Mail not sent: %s", error)
            return False
        return True

    def url(self, privacy: bool = False, *args: Any, **kwargs: Any) -> str:
        """The URL without its secrets."""
        schema = self.secure_protocol if self.secure else self.protocol
        return f"{schema}://{self.server.host}:{self.server.port}/?from={quote(self.sender.addr_spec)}"

    @staticmethod
    def parse_url(url: str, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """The arguments in a URL of ours."""
        results = NotifyBase.parse_url(url, *args, **kwargs)
        if not results:
            return None
        query = results["qsd"]
        for parameter, argument in _PARAMETERS.items():
            if query.get(parameter):
                results[argument] = unquote(query[parameter])
        return results


_PARAMETERS = {"from": "from_", "name": "from_name", "to": "to", "reply": "reply", "smtp": "smtp", "mode": "mode"}


def register() -> None:
    """Make the schemas known to Apprise; may be repeated."""
    manager = NotificationManager()  # type: ignore[no-untyped-call]  # Apprise is partly untyped
    if MailPlugin.protocol not in manager:
        manager.add(MailPlugin)  # type: ignore[no-untyped-call]
