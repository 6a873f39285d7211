"""What a complaint is about and how severe it is, corrected after intake; its clocks follow."""

from __future__ import annotations

from typing import Any

from complaints.domain import commands
from complaints.domain.errors import InvalidInput
from complaints.domain.vocabulary import SEVERITIES, Severity
from complaints.services import notices, opening
from complaints.services.transition import perform, wake
from complaints.store.tables import Complaint
from complaints.store.unit import Work


def reclassify(
    work: Work,
    complaint: Complaint,
    category: str | None,
    severity: str | None,
    team: str | None,
    *,
    reason: str,
    jurisdiction: str | None = None,
) -> None:
    """Correct category, severity, team or jurisdiction; clocks keep what they counted and paused."""
    policy = work.policies.get(complaint.policy_hash)
    data: dict[str, Any] = {}
    if category and category != complaint.category:
        found = policy.taxonomy.category(category)
        if found is None:
            known = ", ".join(c.key for c in policy.taxonomy.categories)
            raise InvalidInput(f"unknown category; known are: {known}", "category")
        data["category"] = [complaint.category, category]
        complaint.category = category
        team = team or found.team
    if severity and severity != complaint.severity:
        data["severity"] = [complaint.severity, severity]
        complaint.severity = severity
        complaint.queue = policy.routing.queues[Severity(severity)]
    if team and team != complaint.team:
        if policy.routing.team(team) is None:
            known = ", ".join(t.key for t in policy.routing.teams)
            raise InvalidInput(f"unknown team; known are: {known}", "team")
        data["team"] = [complaint.team, team]
        complaint.team = team
        for step in opening.open_steps(work, complaint):
            step.team = team
            work.session.add(step)
    if jurisdiction and jurisdiction != complaint.jurisdiction:
        if jurisdiction not in policy.sla.jurisdictions:
            known = ", ".join(sorted(policy.sla.jurisdictions))
            raise InvalidInput(f"no profile is for it; known are: {known}", "jurisdiction")
        data["jurisdiction"] = [complaint.jurisdiction, jurisdiction]
        complaint.jurisdiction = jurisdiction
    if data:
        event = perform(work, complaint, "reclassify", reason=reason, data=data)
        wake(work, complaint, event.seq)  # so that its tags are true, also while it waits


def escalate(work: Work, complaint: Complaint, command: commands.Escalate) -> None:
    """One severity worse (at most critical), and the lead is told."""
    worse = SEVERITIES[max(0, SEVERITIES.index(Severity(complaint.severity)) - 1)]
    event = perform(work, complaint, "escalate", reason=command.reason)
    reclassify(work, complaint, None, worse, None, reason=command.reason)
    notices.tell_staff(
        work,
        complaint,
        "escalation",
        str(event.seq),
        tags=["lead", complaint.team],
        context={"reason": command.reason},
    )
