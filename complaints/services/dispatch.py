"""Acting on intents after commit: messages, flow runs, webhooks. Lease, act, mark done; each step its own transaction.

A process that dies in between leaves a lease that runs out; the next one acts again. That is why every action can be
repeated: runs are keyed, files overwrite themselves, and a mail bears the same Message-ID.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, func, select

from complaints.crashpoints import reach
from complaints.domain.errors import ComplaintsError, Conflict, NotFound, Permanent, Retryable
from complaints.domain.ports import (
    SYSTEM,
    Files,
    Hook,
    Letter,
    Message,
    Receipt,
    Renderer,
    Runs,
    Sender,
)
from complaints.domain.vocabulary import (
    OVER,
    Audience,
    IntentKind,
    IntentState,
    Language,
)
from complaints.services import administration, outbox, walk
from complaints.services.acknowledgment import acknowledged
from complaints.services.context import letter_context
from complaints.services.transition import lock
from complaints.store import tables
from complaints.store.columns import new_id
from complaints.store.tables import Attachment, Complaint, Outbox, Party
from complaints.store.unit import Store, Work

_log = logging.getLogger(__name__)
#: How long one attempt may take before another process tries.
LEASE = timedelta(seconds=45)
#: A run that is about to suspend cannot be woken yet; try again this much later.
SOON = timedelta(milliseconds=300)

#: A run that is busy is asked this often; after that `reconcile` looks at it.
_PATIENCE = 30
#: What follows it in an address of the portal opens the complaint.
_KEY = re.compile(r"(?<=/track/)\S+")

#: Address of the tracking page of one party: (complaint, complainant, link version) → URL.
TrackingUrl = Callable[[UUID, UUID, int], str]


@dataclass(frozen=True)
class Result:
    """How acting on one intent went: `again_at` when it must be tried again."""

    state: str
    again_at: datetime | None = None


class Dispatcher:
    """Acts on outbox rows. One instance per process; may run in several processes and threads at once."""

    def __init__(
        self,
        store: Store,
        renderer: Renderer,
        sender: Sender,
        runs: Runs,
        hook: Hook,
        tracking_url: TrackingUrl,
        files: Files,
        language: Language,
    ) -> None:
        """`language` is for messages to whom it may concern."""
        self.store, self.renderer, self.sender, self.runs, self.hook = (
            store,
            renderer,
            sender,
            runs,
            hook,
        )
        self.tracking_url, self.files, self.language = tracking_url, files, language

    def act(self, intent_id: UUID, *, leased: bool = False) -> Result:
        """Act on one intent if it is due and nobody else is at it.

        `leased`: it was recorded by this process a moment ago, which took the lease in the same transaction.
        """
        intent = self._recorded(intent_id) if leased else self._take(intent_id)
        if intent is None:
            return Result("elsewhere")
        try:
            return self._do[IntentKind(intent.kind)](self, intent)
        except Retryable as error:
            return self._failed(intent, error, final=False)
        except (Permanent, ComplaintsError) as error:
            return self._failed(intent, error, final=True)
        except SQLAlchemyError:
            raise  # the lease runs out, and another attempt follows
        except Exception as error:  # a bug, here or in a provider's plugin: it must not stop the intents beside it
            _log.exception("intent %s (%s) failed unexpectedly", intent.id, intent.key)
            return self._failed(intent, error, final=False)

    def _recorded(self, intent_id: UUID) -> Outbox | None:
        with self.store.reading(SYSTEM) as work:
            intent = work.session.get(Outbox, intent_id)
        return intent if intent is not None and intent.state == IntentState.PENDING else None

    def _take(self, intent_id: UUID) -> Outbox | None:
        with self.store.work(SYSTEM) as work:
            intent = work.session.exec(
                select(Outbox)
                .where(
                    Outbox.id == intent_id,
                    Outbox.state == IntentState.PENDING,
                    col(Outbox.next_at) <= work.now,
                )
                .with_for_update(skip_locked=True)
            ).first()
            if intent is not None:
                intent.attempts += 1
                intent.next_at = work.now + LEASE
                work.session.add(intent)
        return intent

    def sweep(self, limit: int = 200) -> list[UUID]:
        """Ids of intents that are due, oldest first."""
        with self.store.reading(SYSTEM) as work:
            return list(
                work.session.exec(
                    select(Outbox.id)
                    .where(
                        Outbox.state == IntentState.PENDING,
                        col(Outbox.next_at) <= work.now,
                    )
                    .order_by(col(Outbox.next_at))
                    .limit(limit)
                ).all()
            )

    def _failed(self, intent: Outbox, error: Exception, *, final: bool) -> Result:
        with self.store.work(SYSTEM) as work:
            row = work.session.get_one(Outbox, intent.id, with_for_update=True)
            limits = work.policy.notifications
            told = str(error) if isinstance(error, ComplaintsError) else repr(error)
            row.last_error = told.replace("\0", "")[:2000]
            if final or (row.attempts >= limits.attempts and row.kind in (IntentKind.NOTIFY, IntentKind.WEBHOOK)):
                row.state = IntentState.DEAD
                work.session.add(row)
                return Result("dead")
            delay = min(
                limits.first_retry * 2 ** min(row.attempts - 1, 20),
                limits.longest_retry,
            )
            row.next_at = work.now + delay
            work.session.add(row)
            return Result("retry", row.next_at)

    def _done(self, work: Work, intent: Outbox, receipt: Mapping[str, Any]) -> Result:
        done = {"state": IntentState.DONE, "done_at": work.now, "last_error": "", "receipt": dict(receipt)}
        work.session.execute(update(Outbox).where(col(Outbox.id) == intent.id).values(**done))
        return Result("done")

    # -- messages

    def _notify(self, intent: Outbox) -> Result:
        brake = self._brake(intent)
        if brake is not None:
            return brake
        message = self._message(intent)
        receipt = self.sender.send(message, self.store.now())
        reach("after_send")
        with self.store.work(SYSTEM) as work:
            if intent.complaint_id is not None:
                self._keep(work, intent, message, receipt)
            return self._done(work, intent, {"provider": receipt.provider, "detail": receipt.detail})

    def _brake(self, intent: Outbox) -> Result | None:
        """Loop brake: too many letters to one address within the hour are postponed, not lost."""
        address = intent.payload.get("to")
        if not address or intent.payload["audience"] == Audience.INTERNAL:
            return None
        with self.store.work(SYSTEM) as work:
            sent = work.session.exec(
                select(func.count()).where(
                    Outbox.kind == IntentKind.NOTIFY,
                    Outbox.payload["to"].as_string() == address,
                    col(Outbox.done_at) > work.now - timedelta(hours=1),
                )
            ).one()
            if sent < work.policy.notifications.per_recipient_per_hour:
                return None
            row = work.session.get_one(Outbox, intent.id)
            row.next_at, row.attempts = (
                work.now + timedelta(minutes=15),
                row.attempts - 1,
            )
            row.last_error = f"{sent} messages went to this address within an hour; waiting"
            work.session.add(row)
            return Result("retry", row.next_at)

    def _message(self, intent: Outbox) -> Message:
        payload = intent.payload
        language = Language(payload["language"] or self.language)
        reference = ""
        if "letter" in payload:
            letter = Letter(**payload["letter"])
        context: dict[str, Any] = {
            "name": payload.get("name", ""),
            "kind": payload["template"],
        }
        if intent.complaint_id is not None:
            with self.store.reading(SYSTEM) as work:
                complaint = work.session.get_one(Complaint, intent.complaint_id)
                reference = complaint.reference
                if "letter" not in payload:
                    context |= letter_context(work, complaint, language) | {"tracking_url": self._url(work, intent)}
        if "letter" not in payload:
            context |= _revive(payload.get("context", {}))
            letter = self.renderer.render(payload["template"], language, context)
        return Message(
            key=intent.key,
            kind=payload["template"],
            to=payload["to"],
            audience=Audience(payload["audience"]),
            language=language,
            letter=letter,
            reference=reference,
            tags=tuple(payload.get("tags", ())),
            otherwise=payload.get("otherwise", ""),
        )

    def _url(self, work: Work, intent: Outbox) -> str:
        complainant = intent.payload.get("complainant_id")
        if complainant is None or intent.complaint_id is None:
            return ""
        party = work.session.get(Party, (intent.complaint_id, UUID(complainant)))
        return self.tracking_url(intent.complaint_id, UUID(complainant), party.link_version) if party else ""

    def _keep(self, work: Work, intent: Outbox, message: Message, receipt: Receipt) -> None:
        """Put what was sent into the thread, with the evidence; an acknowledgment stops its clock.

        Where the letter only carries what stands there already, that gets the evidence.
        """
        assert intent.complaint_id is not None
        evidence = {"provider": receipt.provider, "detail": receipt.detail}
        if message.audience is Audience.INTERNAL:
            return
        complaint = lock(work, intent.complaint_id)
        said = intent.payload.get("said")
        row = work.session.exec(
            select(tables.Message).where(
                tables.Message.id == UUID(said) if said else tables.Message.outbox_key == intent.key
            )
        ).first()
        if row is None:
            row = tables.Message(
                id=new_id(work.now),
                complaint_id=complaint.id,
                at=work.now,
                direction="out",
                audience=message.audience,
                channel="email",
                kind=message.kind,
                author=SYSTEM.name,
                subject=message.letter.subject,
                body=_without_keys(message.letter.text, intent),
                outbox_key=intent.key,
            )
        before = row.delivery.get("detail", "")  # one message, a letter to each party
        detail = f"{before}; {receipt.detail}" if before and receipt.detail not in before else receipt.detail
        row.delivered_at, row.delivery = receipt.at, {**evidence, "detail": detail}
        work.session.add(row)
        if message.kind == "acknowledgment":
            acknowledged(work, complaint, UUID(intent.payload["complainant_id"]), evidence)

    # -- flow runs

    def _start(self, intent: Outbox) -> Result:
        assert intent.complaint_id is not None
        with self.store.reading(SYSTEM) as work:
            complaint = work.session.get_one(Complaint, intent.complaint_id)
        number = int(intent.key.rsplit(":", 1)[1])
        if complaint.status in OVER or number <= complaint.run_round:
            with self.store.work(SYSTEM) as work:
                return self._done(work, intent, {"skipped": "the complaint needs no run"})
        name = walk.run_name(complaint.reference, number)
        run_id = self.runs.ensure(complaint.id, name, walk.tags(complaint), complaint.queue)
        reach("after_start_run")
        with self.store.work(SYSTEM) as work:
            row = lock(work, complaint.id)
            row.run_id, row.run_round, row.launched_at = run_id, number, work.now
            work.session.add(row)
            return self._done(work, intent, {"run": str(run_id)})

    def _wake(self, intent: Outbox) -> Result:
        assert intent.complaint_id is not None
        with self.store.reading(SYSTEM) as work:
            complaint = work.session.get_one(Complaint, intent.complaint_id)
        over = complaint.status in OVER
        outcome = "over"
        if not over:
            # without an id the run is being started; it may have read the row before this change
            outcome = self.runs.wake(complaint.run_id, "") if complaint.run_id is not None else "running"
        with self.store.work(SYSTEM) as work:
            if outcome == "running" and intent.attempts < _PATIENCE:
                row = work.session.get_one(Outbox, intent.id)
                row.next_at = work.now + SOON * min(intent.attempts, 10)
                work.session.add(row)
                return Result("retry", row.next_at)
            if outcome == "gone":
                restart(work, complaint)
            return self._done(work, intent, {"outcome": outcome})

    def _webhook(self, intent: Outbox) -> Result:
        self.hook.call(intent.payload["url"], intent.key, intent.payload["body"])
        with self.store.work(SYSTEM) as work:
            return self._done(work, intent, {})

    # -- what an erased case leaves outside the database

    def _dispose(self, intent: Outbox) -> Result:
        """Look at the bag and note how it was, once; then remove it, and the files that no other case has."""
        found = intent.receipt or self._looked_at(intent)
        self.files.remove_bag(intent.payload["bag"])
        for sha256 in intent.payload["files"]:
            with self.store.reading(SYSTEM) as work:
                shared = work.session.exec(select(Attachment.id).where(Attachment.sha256 == sha256)).first()
            if shared is None:
                self.files.remove_attachment(sha256)
        with self.store.work(SYSTEM) as work:
            return self._done(work, intent, found)

    def _looked_at(self, intent: Outbox) -> dict[str, Any]:
        found = {"bag": self.files.condition(intent.payload["bag"], intent.payload["sha256"])}
        with self.store.work(SYSTEM) as work:
            row = work.session.get_one(Outbox, intent.id)
            row.receipt = found
            work.session.add(row)
            administration.note(work, "files_erased", intent.payload["reference"], found)
        return found

    _do: ClassVar[dict[IntentKind, Callable[[Dispatcher, Outbox], Result]]] = {
        IntentKind.NOTIFY: _notify,
        IntentKind.START_RUN: _start,
        IntentKind.WAKE_RUN: _wake,
        IntentKind.WEBHOOK: _webhook,
        IntentKind.DISPOSE: _dispose,
    }


def restart(work: Work, complaint: Complaint) -> bool:
    """Record that the complaint needs a new flow run (its old one is gone); once per lost run."""
    number = complaint.run_round + 1
    return outbox.add(
        work,
        IntentKind.START_RUN,
        f"start:{complaint.id}:{number}",
        complaint_id=complaint.id,
    )


def replay(work: Work, intent_id: UUID) -> Outbox:
    """Give a dead letter another life, from the first attempt. `Conflict` when it is not dead."""
    row = work.session.get(Outbox, intent_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("intent", intent_id)
    if row.state != IntentState.DEAD:
        raise Conflict(f"The intent is {row.state}, not dead: there is nothing to replay.")
    outbox.again(work, row)
    return row


def _without_keys(text: str, intent: Outbox) -> str:
    """A letter as the thread keeps it: whoever reads it there must not be able to act in the complainant's name."""
    code = str(intent.payload.get("context", {}).get("code", ""))
    kept = _KEY.sub("…", text)
    return kept.replace(code, "…") if code else kept


def _revive(context: Mapping[str, Any]) -> dict[str, Any]:
    """Instants travel through JSON as text; templates get them back as instants."""
    return {
        key: datetime.fromisoformat(value) if isinstance(value, str) and key.endswith(("_at", "_until")) else value
        for key, value in context.items()
    }
