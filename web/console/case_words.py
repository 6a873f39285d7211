"""What happened in a case, in the words of whoever reads it: one sentence for each kind of event."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from complaints.domain.explain_words import quantity
from complaints.domain.policy import PolicyBundle
from complaints.services.view import Relation
from complaints.store.tables import Event
from web.console.fields import Choices
from web.console.labels import Labels
from web.language import N_
from web.spoken_errors import spoken

_SAID: Mapping[str, str] = {
    "received": N_("The complaint was received."),
    "screened": N_("Earlier complaints were compared."),
    "classified": N_("Classified as %(category)s, %(severity)s."),
    "acknowledged": N_("The customer was told that we have the complaint."),
    "acknowledge": N_("The acknowledgment was given by a person: %(how)s."),
    "acknowledgment_bounced": N_("The acknowledgment could not be delivered."),
    "route": N_("Given to the team %(team)s."),
    "refer_to_triage": N_("Sent to triage: a person decides."),
    "confirm_triage": N_("Triage done; the investigation begins."),
    "fast_track": N_("Answered with a standard solution: %(solution)s."),
    "reject": N_("The complaint was rejected."),
    "merge": N_("Merged into %(into)s."),
    "merged": N_("%(merged)s was merged into this complaint."),
    "ask_customer": N_("The customer was asked a question."),
    "customer_replied": N_("The customer's answer came in; work goes on."),
    "customer_silent": N_("The customer did not answer in time; work goes on."),
    "ask_third_party": N_("%(party)s was asked."),
    "third_party_replied": N_("The third party's answer came in; work goes on."),
    "submit_findings": N_("Findings submitted: %(finding)s."),
    "decide": N_("Decided by policy; nobody had to approve."),
    "approve": N_("Findings and remedies were approved."),
    "send_back": N_("Sent back to the investigation."),
    "finish_remedies": N_("All remedies are carried out."),
    "send_response": N_("Our response was sent."),
    "confirm": N_("The customer accepts the outcome; the case is closed."),
    "confirmation_timeout": N_("No word from the customer; the case is closed."),
    "appeal": N_("The customer does not accept the outcome: somebody independent reviews it."),
    "uphold_outcome": N_("The review leaves the outcome as it is."),
    "change_outcome": N_("The review changes the outcome: %(finding)s."),
    "refer_externally": N_("Referred to %(body)s."),
    "external_accepts": N_("The external body has accepted the case."),
    "holding_response": N_("The customer was told that the final answer takes longer."),
    "informed": N_("The customer was told by telephone or letter: %(letter)s."),
    "external_changes": N_("The external body demands a change."),
    "external_closes": N_("The external body closed its case."),
    "withdraw": N_("The complaint was withdrawn."),
    "reopen": N_("The complaint was reopened."),
    "archive": N_("The dossier was archived."),
    "erase": N_("The dossier was erased."),
    "request_disposal": N_("The disposal of the dossier was requested."),
    "propose_remedy": N_("A remedy was proposed: %(kind)s."),
    "accept_remedy": N_("The customer accepts the remedy %(remedy)s."),
    "decline_remedy": N_("The customer does not want the remedy %(remedy)s."),
    "verify_remedy": N_("The remedy %(remedy)s was verified."),
    "update_remedy": N_("The remedy %(remedy)s: %(result)s."),
    "assign": N_("Assigned to %(to)s."),
    "reclassify": N_("Reclassified: %(changes)s."),
    "escalate": N_("Escalated; the lead was told."),
    "request_extension": N_("More time was asked for on %(clock)s: %(by)s."),
    "extend": N_("More time was granted on %(clock)s: %(by)s."),
    "refuse_extension": N_("More time was refused on %(clock)s."),
    "new_facts": N_("New facts were recorded."),
    "add_note": N_("A note was added."),
    "add_message": N_("A message was written."),
    "add_attachment": N_("A file was added: %(name)s."),
    "link": N_("Linked with %(to)s."),
    "review_management": N_("Reviewed by management."),
    "legal_hold": N_("Legal hold was changed."),
    "rung_fired": N_("The clock %(clock)s called for attention (%(percent)s of its time used)."),
    "step_claimed": N_("Took the task %(step)s."),
    "step_released": N_("Gave the task %(step)s back."),
    "links_reissued": N_("Tracking links were sent anew; the earlier ones open nothing any more."),
    "links_revoked": N_("Tracking links were revoked."),
    "window_ended": N_("The time for a review was ended early."),
}
_HOLE = re.compile(r"%\((\w+)\)s")
#: Which table has the words for a code in an event's data.
_TABLES = {
    "role": "role",
    "severity": "severity",
    "finding": "finding",
    "kind": "remedy",
    "remedy": "remedy",
    "result": "decision",
}
#: Why the machine asks a person, as the services note it, and what the reader is told.
_WHY: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"This step needs the role '(?P<role>\w+)'\."), N_("This task needs the role “%(role)s”.")),
    (re.compile(r"severity is (?P<severity>\w+)"), N_("The severity is: %(severity)s.")),
    (re.compile(r"category is (?P<category>\w+)"), N_("The category is: %(category)s.")),
    (re.compile(r"finding is (?P<finding>\w+)"), N_("The finding is: %(finding)s.")),
    (
        re.compile(r"a remedy is in (?P<one>\w+), authority is given in (?P<other>\w+)"),
        N_("A remedy is in %(one)s, but authority is given in %(other)s."),
    ),
    (
        re.compile(r"remedies of (?P<sum>.+) are above the investigator's authority of (?P<limit>.+)"),
        N_("Remedies of %(sum)s are above the investigator's authority of %(limit)s."),
    ),
)
#: Why a letter is given to a person, as its gate says it.
_LACKS = re.compile(r"The response cannot be sent, it lacks: (?P<names>.+)\. Add them to the letter\.")
#: What made the machine think of a duplicate.
_ALIKE: Mapping[str, str] = {
    "text": N_("similar words"),
    "same_complainant": N_("the same person"),
    "same_number": N_("the same number %(number)s"),
}
#: Steps, not decisions: what a reader may fold away.
MINOR = frozenset({"step_claimed", "step_released", "screened", "rung_fired", "add_note", "add_message"})


@dataclass(frozen=True)
class CaseWords:
    """Words of one case for one reader: names from its policy, sentences for its events."""

    label: Labels
    policy: PolicyBundle

    def name(self, table: str, key: str | None) -> str:
        """What the policy calls a category, team, root cause or solution; the key where it knows none."""
        return Choices(self.policy, self.label.speech).name(table, key)

    def clock(self, name: str) -> str:
        """A clock `profile.name`, as words."""
        return self.label("clock", name.rpartition(".")[2])

    def meaning(self, code: str) -> str:
        """What a word of the text spoke for: a category, a severity, a flag or a standard solution."""
        for table in ("severity", "flag"):
            if (said := self.label(table, code)) != code:
                return said
        known = Choices(self.policy, self.label.speech)
        return known.name("solution", known.name("category", code))

    def relation(self, relation: Relation) -> str:
        """How another complaint belongs with this one, seen from here."""
        if relation.kind == "merged_into" and not relation.outgoing:
            return self.label.speech.say(N_("Merged in here"))
        return self.label("link", relation.kind)

    def likeness(self, note: str) -> str:
        """Why another complaint is likely the same matter: the machine's marks, in words."""
        found = []
        for mark in filter(None, note.split(",")):
            kind, _, number = mark.partition(":")
            said = _ALIKE.get(kind)
            found.append(self.label.speech.say(said, number=number) if said else mark)
        return " · ".join(found)

    def alternatives(self, ranked: Sequence[tuple[str, float]]) -> str:
        """Other categories that the complaint may be of, with how sure the machine is of each."""
        return self.label.speech.series(f"{self.name('category', key)} {share:.0%}" for key, share in ranked)

    def profiles(self, keys: Sequence[str]) -> str:
        """The rules that profiles stand for."""
        return self.label.speech.series(map(self.profile, keys))

    def profile(self, key: str) -> str:
        """The rule a profile stands for."""
        found = self.policy.sla.profile(key)
        return key if found is None else found.title(self.label.speech.language)

    def more(self, clock: str, amount: int) -> str:
        """So much more time on `profile.name`, in the unit that it counts."""
        profile, _, name = clock.partition(".")
        rule = self.policy.sla.clock(profile, name)
        return quantity(amount, rule.budget.unit, self.label.speech.language) if rule else str(amount)

    def event(self, event: Event) -> str:
        """What happened, as a sentence without who and when."""
        text = _SAID.get(event.kind)
        if text is None:
            return event.kind
        told, holes = self._told(event), _HOLE.findall(text)
        return self.label.speech.say(text, **{name: told.get(name) or "–" for name in holes})

    def why(self, text: str) -> str:
        """Why a person is asked, in the reader's words."""
        if lacking := _LACKS.fullmatch(text):
            elements = [self.label("element", name) for name in lacking["names"].split(", ")]
            said = N_("The machine's letter lacks: %(elements)s.")
            return self.label.speech.say(said, elements=self.label.speech.series(elements))
        for pattern, said in _WHY:
            if found := pattern.fullmatch(text):
                return self.label.speech.say(said, **self._named(found.groupdict()))
        return spoken(self.label.speech.language, text)

    def _told(self, event: Event) -> dict[str, Any]:
        data = self._named(event.data)
        if "by" in data and "clock" in data:
            data["by"] = self.more(str(data["clock"]), int(data["by"]))
        if "clock" in data:
            data["clock"] = self.clock(str(data["clock"]))
        if "letter" in data:
            data["letter"] = self.label("message", str(data["letter"]))
        if "gate" in data:
            data["step"] = self.label("step", str(data["gate"]).rpartition("-")[0])
        data["percent"] = f"{float(data.get('share', 0)):.0%}"
        changed = (self._change(name, pair) for name, pair in event.data.items() if _is_pair(pair))
        data["changes"] = self.label.speech.series(changed)
        return data

    def _named(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Codes replaced by their names."""
        found = dict(data)
        for name, code in data.items():
            if isinstance(code, str) and name in ("category", "team", "solution"):
                found[name] = self.name(name, code)
            elif isinstance(code, str) and name in _TABLES:
                found[name] = self.label(_TABLES[name], code)
        return found

    def _change(self, name: str, pair: list[str]) -> str:
        before, after = (self.label("severity", v) if name == "severity" else self.name(name, v) for v in pair)
        return f"{self.label('field', name)} {before or '–'} → {after}"


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(v, str) for v in value)
