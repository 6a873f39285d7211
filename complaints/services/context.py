"""What templates may say about a complaint: plain values only, in the reader's language where words are chosen."""

from __future__ import annotations

from typing import Any

from complaints.domain.sla_policy import ExternalBody
from complaints.domain.vocabulary import Language, RemedyState
from complaints.services import clocks, decision
from complaints.store.tables import Complaint
from complaints.store.unit import Work


def letter_context(work: Work, complaint: Complaint, language: Language) -> dict[str, Any]:
    """Values for every template. Instants are aware datetimes; the renderer formats them."""
    policy = work.policies.get(complaint.policy_hash)
    latest = decision.findings(work, complaint)
    category = policy.taxonomy.category(complaint.category)
    team = policy.routing.team(complaint.team)
    bodies = [_body(b, language) for b in policy.recourse(tuple(complaint.profiles))]
    promises = clocks.promises(work, complaint)
    return {
        "reference": complaint.reference,
        "subject": complaint.subject,
        "received_at": complaint.received_at,
        "category": category.label.in_(language) if category else "",
        "team": team.label.in_(language) if team else "",
        "severity": complaint.severity,
        "due_at": complaint.due_at,
        "answer_due_on": promises[0].day if promises else None,
        "limits": [{"rule": p.profile.title(language), "on": p.day} for p in promises if p.clock.kind == "regulatory"],
        "finding": complaint.finding,
        "summary": latest.summary if latest else "",
        "remedies": [
            {
                "kind": r.kind,
                "description": r.description,
                "amount": r.amount,
                "currency": r.currency,
                "state": r.state,
            }
            for r in decision.remedies(work, complaint)
            if r.state not in (RemedyState.DECLINED, RemedyState.FAILED)
        ],
        "external_body": (" / " if language is Language.EN else "、").join(
            f"{b['name']} ({b['address']})" if b["address"] else b["name"] for b in bodies
        ),
        "bodies": bodies,
        "signatory": policy.lifecycle.response.signatory.in_(language),
        "confirm_within": policy.lifecycle.timings.confirm_within,
        "appeal_window": policy.lifecycle.timings.appeal_window,
        "closing_category": complaint.closing_category,
    }


def _body(body: ExternalBody, language: Language) -> dict[str, Any]:
    limit = body.refer_within
    within = {"amount": limit.amount, "unit": limit.unit} if limit else None
    return {"name": body.name(language), "address": body.address, "within": within}
