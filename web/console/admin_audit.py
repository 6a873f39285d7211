"""The audit trail: who did what and when, in cases and in administration; and the check that nobody touched it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from complaints.domain.errors import InvalidInput
from complaints.services import trail
from complaints.services.trail import Sought, Verdict
from complaints.store.tables import AdminEvent, Event
from complaints.store.unit import Work
from web.console import fields
from web.console.admin_keys import SCOPES
from web.console.admin_outbox import KINDS
from web.console.case_words import CaseWords
from web.console.labels import TABLES, yes_or_no
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import Auditor
from web.console.sheet import paged, sheet
from web.console.when import day_of
from web.language import N_

router = APIRouter(route_class=PageRoute)
_HOME = "/console/admin/audit"
#: Without a reference, so far back at first.
_LATELY = timedelta(days=7)
#: Entries of a file that are read at once.
_PAGE = 500
#: For programs; the page does not show them.
_TECHNICAL = frozenset({"id", "hash", "person_id", "chain_head", "bag_hash"})
#: Particulars whose values are codes, and the table with their words.
_CODES: Mapping[str, str] = {"bag": "bag", "retention": "retention", "roles": "role", "language": "language"}
#: Those whose values the policy names, and where.
_NAMED: Mapping[str, str] = {"teams": "team", "category": "category", "solution": "solution"}
_MOMENTS = frozenset({"absent_from", "absent_until", "expires_at", "effective_from"})
_KINDS: Mapping[str, str] = {
    "person_added": N_("Person added"),
    "person_changed": N_("Person changed"),
    "person_activated": N_("Person active again"),
    "person_deactivated": N_("Person deactivated"),
    "absence_changed": N_("Absence changed"),
    "temporary_password_given": N_("Temporary password given"),
    "password_changed": N_("Password changed"),
    "second_factor_on": N_("Second factor turned on"),
    "second_factor_off": N_("Second factor turned off"),
    "sessions_ended": N_("Sessions ended"),
    "sign_on_bound": N_("Bound to the sign-on of the company"),
    "key_created": N_("API key made"),
    "key_revoked": N_("API key revoked"),
    "policy_activated": N_("Policy activated"),
    "intent_replayed": N_("Dead letter replayed"),
    "intents_replayed": N_("Dead letters replayed"),
    "article_added": N_("Article added"),
    "article_changed": N_("Article changed"),
    "text_created": N_("Canned text added"),
    "text_changed": N_("Canned text changed"),
    "case_erased": N_("Complaint erased"),
    "files_erased": N_("Files of an erased complaint removed"),
}

#: What happens in cases by itself or by a task; what people choose has its word among the actions.
_CASE_KINDS: Mapping[str, str] = {
    "received": N_("Complaint received"),
    "screened": N_("Duplicates looked for"),
    "classified": N_("Classified"),
    "acknowledged": N_("Acknowledged"),
    "acknowledge": N_("Acknowledged"),
    "acknowledgment_bounced": N_("Acknowledgment came back"),
    "route": N_("Routed"),
    "refer_to_triage": N_("Sent to triage"),
    "confirm_triage": N_("Triage done"),
    "fast_track": N_("Answered with a standard solution"),
    "merged": N_("Took in another complaint"),
    "customer_silent": N_("Customer did not answer"),
    "submit_findings": N_("Findings submitted"),
    "decide": N_("Decided by policy"),
    "approve": N_("Approved"),
    "send_back": N_("Sent back"),
    "finish_remedies": N_("Remedies carried out"),
    "send_response": N_("Response sent"),
    "confirm": N_("Outcome accepted"),
    "confirmation_timeout": N_("Closed without word from the customer"),
    "uphold_outcome": N_("Review leaves the outcome"),
    "change_outcome": N_("Review changes the outcome"),
    "external_changes": N_("External body demands a change"),
    "external_closes": N_("External body closed its case"),
    "archive": N_("Archived"),
    "update_remedy": N_("Remedy updated"),
    "extend": N_("More time granted"),
    "refuse_extension": N_("More time refused"),
    "add_attachment": N_("File added"),
    "rate": N_("Survey answered"),
    "review_management": N_("Reviewed by management"),
    "rung_fired": N_("Clock called for attention"),
    "step_claimed": N_("Task taken"),
    "step_released": N_("Task given back"),
    "window_ended": N_("Time for a review ended"),
    "links_reissued": N_("Tracking links sent anew"),
    "links_revoked": N_("Tracking links revoked"),
}

#: Particulars whose words the pages have where they are entered.
_OWN_WORDS: Mapping[str, Mapping[str, str]] = {
    "scopes": SCOPES,
    "kind": KINDS,
    "purpose": {**TABLES["action"], **TABLES["step"]},
}


@router.get("/admin/audit")
def audit(screen: Auditor, request: Request, log: str = "cases", before: int | None = None) -> Response:
    """The log of the cases, or of administration."""
    asked, sought, wrong = _sought(screen, request, log)
    with screen.reading() as work:
        if log == "admin":
            found, after = trail.of_administration(work, sought, before)
            rows: list[Any] = [(event, event.object) for event in found]
        else:
            rows, after = trail.of_cases(work, sought, before)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    return screen.page("admin_audit.html", status, **_about(screen, log, rows, asked, wrong), after=after)


def _about(screen: Screen, log: str, rows: list[Any], asked: dict[str, str], wrong: dict[str, str]) -> dict[str, Any]:
    return {
        "log": log,
        "rows": rows,
        "asked": asked,
        "address": urlencode({"log": log, **asked}),  # an empty first day is an answer, too: all of it
        "faults": wrong,
        "kinds": _kinds(screen, log),
        "told": _words(screen, log),
    }


def _kinds(screen: Screen, log: str) -> dict[str, str]:
    table = _KINDS if log == "admin" else {**TABLES["action"], **_CASE_KINDS}
    return {code: screen.speech.say(text) for code, text in table.items()}


def _words(screen: Screen, log: str) -> Callable[[Any], str]:
    """Tells what an entry says beside its kind."""
    if log == "admin":
        return partial(_of_administration, screen)
    return partial(_of_case, CaseWords(screen.label, screen.product.policies.active(screen.product.store.now())))


def _of_case(words: CaseWords, event: Event) -> str:
    """The sentence of the complaint's own history; the change of status; the reason."""
    parts = [words.event(event)]
    if event.to_status and event.from_status != event.to_status:
        before = words.label("status", event.from_status) if event.from_status else "–"
        parts.append(f"{before} → {words.label('status', event.to_status)}")
    if event.reason:
        parts.append(words.why(event.reason))
    return " · ".join(parts)


def _of_administration(screen: Screen, event: AdminEvent) -> str:
    """What was changed, each by its name: the values before and after, or those given."""
    speech, label = screen.speech, screen.label

    def told(name: str, value: Any) -> str:
        if isinstance(value, list):
            return speech.series(told(name, v) for v in value) or "–"
        if value in (None, ""):
            return "–"
        if isinstance(value, bool):
            return yes_or_no(speech, value)
        if name in _MOMENTS:
            return speech.moment(datetime.fromisoformat(value))
        if name in _NAMED:
            return screen.choices.name(_NAMED[name], value)
        words = _OWN_WORDS.get(name, {}).get(value)
        return speech.say(words) if words else label(_CODES[name], value) if name in _CODES else str(value)

    parts = []
    for name, value in sorted(event.data.items()):
        if name not in _TECHNICAL:
            changed = isinstance(value, list) and len(value) == 2 and event.kind.endswith(("_changed", "activated"))
            said = " → ".join(told(name, v) for v in value) if changed else told(name, value)
            parts.append(speech.pair(label("particular", name), said))
    return " · ".join(parts)


@router.get("/admin/audit.csv")
def audit_csv(screen: Auditor, request: Request, log: str = "cases") -> Response:
    """The same as a file: all that is found, however much."""
    _, sought, _ = _sought(screen, request, log)
    kinds, told, label = _kinds(screen, log), _words(screen, log), screen.label

    def page(before: int | None) -> tuple[list[Any], int | None]:
        with screen.reading() as work:
            if log == "admin":
                noted, after = trail.of_administration(work, sought, before, _PAGE)
                return [(e, e.object, told(e)) for e in noted], after
            found, after = trail.of_cases(work, sought, before, _PAGE)
            return [(e, reference, told(e)) for e, reference in found], after

    rows = (
        (e.at, label("who", e.actor_name), kinds.get(e.kind, e.kind), about, details, e.hash)
        for e, about, details in paged(page)
    )
    columns = [N_("When"), N_("Who"), N_("What"), N_("Object"), N_("Details"), N_("Hash")]
    return sheet(screen, f"audit-{'admin' if log == 'admin' else 'cases'}", columns, rows)


def _sought(screen: Screen, request: Request, log: str) -> tuple[dict[str, str], Sought, dict[str, str]]:
    """The filters as entered, as understood, and what is wrong with them."""
    query = request.query_params
    asked = {name: query.get(name, "").strip() for name in ("person", "kind", "object", "start", "end")}
    if log != "admin" and "start" not in query and not asked["object"]:
        lately = screen.product.store.now() - _LATELY
        asked["start"] = lately.astimezone(screen.console.zone).date().isoformat()
    days: dict[str, datetime | None] = {}
    wrong: dict[str, str] = {}
    for name, later in (("start", 0), ("end", 1)):
        try:
            days[name] = day_of(asked[name], screen.console.zone, name, later=later)
        except InvalidInput as error:
            wrong |= fields.faults(error.problems, screen.speech)
    plain = {name: asked[name].replace("\x00", "") for name in ("person", "kind", "object")}
    return asked, Sought(**plain, start=days.get("start"), end=days.get("end")), wrong


@router.get("/admin/audit/check")
def check(
    screen: Auditor,
    what: str = "",
    reference: str = "",
    after: UUID | None = None,
    checked: int = 0,
    broken: int = 0,
) -> Response:
    """Check hash chains. All case logs are checked step by step; the page goes on by itself."""
    with screen.reading() as work:
        verdict = _verdict(work, what, reference, after)
    verdict = verdict or Verdict()
    sums = {"checked": checked + verdict.checked, "broken": broken + len(verdict.broken)}
    onward = f"{_HOME}/check?what=all&after={verdict.last}&checked={sums['checked']}&broken={sums['broken']}"
    goes_on = verdict.last is not None and not verdict.broken
    response = screen.page(
        "admin_check.html", what=what, reference=reference, verdict=verdict, onward=onward, goes_on=goes_on, **sums
    )
    if goes_on:
        response.headers["Refresh"] = f"0; url={onward}"
    return response


def _verdict(work: Work, what: str, reference: str, after: UUID | None) -> Verdict | None:
    if what == "case" and reference.strip():
        return trail.check_case(work, reference.strip())
    if what == "sample":
        return trail.check_sample(work)
    if what == "all":
        return trail.check_onward(work, after)
    return trail.check_administration(work) if what == "admin" else None
