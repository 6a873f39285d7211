"""The outbox: letters, flow runs and webhooks that wait or failed, and their replay."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.vocabulary import IntentKind, IntentState
from complaints.services import postroom
from complaints.services.postroom import Entry
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import Administrator, Auditor, Entries
from web.console.sheet import paged, sheet
from web.language import N_

router = APIRouter(route_class=PageRoute)
_HOME = "/console/admin/outbox"
_STATES = {
    IntentState.DEAD: N_("Dead"),
    IntentState.PENDING: N_("Waiting to be sent"),
    IntentState.DONE: N_("Sent"),
}
KINDS: Mapping[str, str] = {
    IntentKind.NOTIFY.value: N_("Letter"),
    IntentKind.START_RUN.value: N_("Start of a flow run"),
    IntentKind.WAKE_RUN.value: N_("Waking of a flow run"),
    IntentKind.WEBHOOK.value: N_("Webhook"),
    IntentKind.DISPOSE.value: N_("Removal of erased files"),
}


@router.get("/admin/outbox")
def outbox(
    screen: Auditor,
    state: str = IntentState.DEAD.value,
    kind: str = "",
    reference: str = "",
    before: UUID | None = None,
) -> Response:
    """What is dead; or what waits, or went."""
    with screen.reading() as work:
        found, after = postroom.entries(work, state=state, kind=kind, reference=reference, before=before)
        counts = postroom.waiting(work)
    chosen = {"state": state, "kind": kind, "reference": reference}
    return screen.page("admin_outbox.html", found=found, after=after, counts=counts, chosen=chosen, **_words(screen))


@router.get("/admin/outbox.csv")
def outbox_csv(screen: Auditor, state: str = IntentState.DEAD.value, kind: str = "", reference: str = "") -> Response:
    """The same as a file, all of it."""

    def page(before: UUID | None) -> tuple[list[Entry], UUID | None]:
        with screen.reading() as work:
            return postroom.entries(work, state=state, kind=kind, reference=reference, before=before)

    columns = (
        N_("Recorded"),
        N_("Kind"),
        N_("Letter"),
        N_("Reference"),
        N_("State"),
        N_("Attempts"),
        N_("Next attempt"),
        N_("Last error"),
    )
    words = _words(screen)
    return sheet(screen, "outbox", columns, (_row(screen, one, words) for one in paged(page)))


def _row(screen: Screen, one: Entry, words: dict[str, Any]) -> tuple[object, ...]:
    intent, waits = one.intent, one.intent.state == IntentState.PENDING
    return (
        intent.created_at,
        words["kinds"].get(intent.kind, intent.kind),
        screen.label("message", intent.payload.get("template", "")),
        one.reference,
        words["states"].get(intent.state, intent.state),
        intent.attempts,
        intent.next_at if waits else None,
        intent.last_error,
    )


def _words(screen: Screen) -> dict[str, Any]:
    return {
        "states": {code.value: screen.speech.say(text) for code, text in _STATES.items()},
        "kinds": {code: screen.speech.say(text) for code, text in KINDS.items()},
    }


@router.get("/admin/outbox/{intent_id}")
def intent(screen: Auditor, intent_id: UUID) -> Response:
    """One intent: what it says, what went wrong."""
    with screen.reading() as work:
        found = postroom.entry(work, intent_id)
    payload = json.dumps(postroom.without_secrets(found.intent.payload), ensure_ascii=False, indent=2)
    receipt = json.dumps(postroom.without_secrets(found.intent.receipt), ensure_ascii=False, indent=2)
    return screen.page("admin_intent.html", one=found, payload=payload, receipt=receipt, **_words(screen))


@router.post("/admin/outbox/{intent_id}/replay")
def replay(screen: Administrator, intent_id: UUID) -> Response:
    """Another life for one dead letter."""
    with screen.work() as work:
        postroom.replay(work, intent_id)
    return screen.go(f"{_HOME}/{intent_id}", screen.speech.say(N_("It is tried again now.")))


@router.post("/admin/outbox/replay")
def replay_all(screen: Administrator, entries: Entries) -> Response:
    """Another life for all of them, after asking back."""
    with screen.reading() as work:
        dead = postroom.waiting(work)[IntentState.DEAD.value]
    if entries.get("sure") != "yes":
        why = screen.speech.say(
            N_("%(count)s dead entries are tried again. Mend what made them fail first."), count=dead
        )
        about = {"path": f"{_HOME}/replay", "back": _HOME, "kept": {}, "object": ""}
        return screen.page("confirm.html", title=screen.speech.say(N_("Replay all")), why=why, to=about)
    with screen.work() as work:
        count = postroom.replay_all(work)
    return screen.go(_HOME, screen.speech.say(N_("%(count)s are tried again now."), count=count))
