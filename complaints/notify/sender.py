"""Handing messages to providers. Who gets what:

- to a complainant or third party, and to staff whose address is known: the one provider tagged `complainant`;
- to staff by tag (team, lead …): every provider that has one of the tags, else by letter to the team's own address,
  else the folder;
- without a providers file: everything into the folder.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from complaints.domain.errors import InvalidInput, Permanent, Retryable
from complaints.domain.ports import Message, Receipt
from complaints.domain.vocabulary import Audience
from complaints.notify.envelope import address, mail_of
from complaints.notify.outbox_folder import OutboxFolder
from complaints.notify.pace import Attempt, Pace
from complaints.notify.providers import FOLDER_URL, LETTERS, ProviderEntry, read

if TYPE_CHECKING:
    from complaints.notify.smtp import MailPlugin

#: Seconds that one message may wait in all for the pace of its providers. With the longest time-out of a provider it
#: stays below the lease of an intent: beyond, another process would hand over the same message beside this one.
PATIENCE = 10.0
#: Hand-overs that are remembered, so that a retry spares the providers that already took the message.
_REMEMBERED = 10_000


#: The pace of a provider: (its name, most messages per minute) → what to ask before each.
PaceOf = Callable[[str, int], Pace]


class Carrier(Protocol):
    """One way out."""

    def start(self, message: Message, now: datetime) -> Attempt[str]:
        """Begin to hand over; the attempt returns evidence."""
        ...


@dataclass(frozen=True)
class FolderCarrier:
    """Into the folder of outgoing mail."""

    folder: OutboxFolder
    seconds: float

    def start(self, message: Message, now: datetime) -> Attempt[str]:
        """Write the file."""
        return Attempt(self.seconds, lambda: self.folder.send(message, now).detail)


@dataclass(frozen=True)
class MailCarrier:
    """Over SMTP."""

    plugin: MailPlugin
    seconds: float

    def start(self, message: Message, now: datetime) -> Attempt[str]:
        """Hand over to the mail server."""
        if not (message.to or self.plugin.default_to):
            raise Permanent("There is no address to write to. Add to= to the mail provider of these tags.")
        to = address(message.to or self.plugin.default_to).addr_spec
        mail = mail_of(message, self.plugin.sender, now, self.plugin.reply_to(message.reference))
        if not message.to:
            mail["To"] = to
        delivery = self.plugin.delivery(mail, to, self.seconds)
        return Attempt(self.seconds, lambda: f"{mail['Message-ID']} {delivery.run()}", delivery.abort)


@dataclass(frozen=True)
class ChatCarrier:
    """Any other Apprise service: subject and text, to wherever its URL points. It says only yes or no."""

    plugin: Any
    name: str
    seconds: float

    def start(self, message: Message, now: datetime) -> Attempt[str]:
        """Hand over to Apprise."""
        return Attempt(self.seconds, lambda: self._notify(message))

    def _notify(self, message: Message) -> str:
        try:
            accepted = self.plugin.notify(title=message.letter.subject, body=message.letter.text)
        except TypeError as error:  # Apprise's way to say that the message cannot be sent like this
            raise Permanent(f"{self.name} cannot carry this message: {error}") from error
        if not accepted:
            raise Retryable(f"{self.name} did not take the message.")
        return "accepted"


@dataclass
class Provider:
    """A carrier with its tags and its pace."""

    name: str
    tags: frozenset[str]
    carrier: Carrier
    seconds: float
    pace: Pace = field(repr=False)

    def start(self, message: Message, now: datetime, patience: float) -> Attempt[str]:
        """Begin once the pace allows; `Retryable` when that takes longer than the time-out or `patience` seconds."""
        deadline = time.monotonic() + min(self.seconds, patience)
        while wait := self.pace.take():
            if time.monotonic() + wait > deadline:
                raise Retryable(f"{self.name} has reached its limit of messages per minute.")
            time.sleep(wait)
        return self.carrier.start(message, now)


class AppriseSender:
    """`Sender` over the providers of a file, with a folder for what they do not carry."""

    def __init__(self, providers: Sequence[Provider], outgoing: Path) -> None:
        self._providers = tuple(providers)
        self._folder = OutboxFolder(outgoing)
        self._taken: dict[tuple[str, int], str] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_file(cls, path: Path | None, outgoing: Path, pace_of: PaceOf) -> AppriseSender:
        """From a providers file; without one everything goes to `outgoing`. `InvalidInput` when the file is wrong."""
        if path is None:
            return cls((), outgoing)
        return cls(
            [
                Provider(
                    e.schema_name, e.tags, _carrier(e, n, path, outgoing), e.timeout, pace_of(e.name, e.per_minute)
                )
                for n, e in enumerate(read(path))
            ],
            outgoing,
        )

    def send(self, message: Message, now: datetime) -> Receipt:
        """Hand over to everybody concerned. On `Retryable`, those who took it are not bothered again by a retry."""
        chosen = self._route(message)
        if not chosen and message.otherwise:
            message = replace(message, to=message.otherwise, otherwise="")
            chosen = self._route(message)
        if not chosen:
            return self._folder.send(message, now)
        attempts: list[tuple[int, Attempt[str]]] = []
        until = time.monotonic() + PATIENCE
        failures: list[Retryable | Permanent] = []
        for index in chosen:
            if (message.key, index) not in self._taken:
                try:
                    attempts.append((index, self._providers[index].start(message, now, until - time.monotonic())))
                except (Retryable, Permanent) as error:
                    failures.append(error)
        for index, attempt in attempts:
            try:
                self._remember(message.key, index, attempt.result())
            except (Retryable, Permanent) as error:
                failures.append(error)
        if failures:
            raise next((f for f in failures if isinstance(f, Retryable)), failures[0])
        names = ", ".join(self._providers[index].name for index in chosen)
        return Receipt(names, "; ".join(self._taken.get((message.key, i), "accepted") for i in chosen), now)

    def _route(self, message: Message) -> list[int]:
        by_address = message.audience is not Audience.INTERNAL or message.to
        if by_address and not message.to:
            raise Permanent("There is no address to write to.")
        wanted = {LETTERS} if by_address else set(message.tags) - {LETTERS}
        return [index for index, provider in enumerate(self._providers) if wanted & provider.tags]

    def _remember(self, key: str, index: int, evidence: str) -> None:
        with self._lock:
            self._taken[key, index] = evidence
            while len(self._taken) > _REMEMBERED:
                del self._taken[next(iter(self._taken))]


def _carrier(entry: ProviderEntry, number: int, path: Path, outgoing: Path) -> Carrier:
    if entry.url == FOLDER_URL:
        return FolderCarrier(OutboxFolder(outgoing), entry.timeout)
    # Apprise loads all its services on first use (a quarter of a second); the folder alone must not pay for that.
    from apprise import Apprise

    from complaints.notify.smtp import MailPlugin, register

    register()
    schema, _, rest = entry.url.partition("://")
    ours = {"mailto": MailPlugin.protocol, "mailtos": MailPlugin.secure_protocol}
    plugin = Apprise.instantiate(f"{ours.get(schema, schema)}://{rest}")
    if plugin is None:
        raise InvalidInput(f"providers.{number}: Apprise does not understand this {schema}:// URL", str(path))
    if isinstance(plugin, MailPlugin):
        return MailCarrier(plugin, entry.timeout)
    if LETTERS in entry.tags:
        raise InvalidInput(f"providers.{number}: '{LETTERS}' needs mailto(s):// or {FOLDER_URL}", str(path))
    plugin.socket_connect_timeout = plugin.socket_read_timeout = entry.timeout
    return ChatCarrier(plugin, schema, entry.timeout)
