"""The page that shows every component of the design system, in each of its states."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.errors import FieldProblem
from complaints.domain.forms import InvestigationForm
from web.console import fields
from web.console.route import PageRoute
from web.console.seat import Staff
from web.console.when import Span

router = APIRouter(route_class=PageRoute)


@router.get("/components")
def gallery(screen: Staff) -> Response:
    """All components."""
    now = screen.product.store.now()
    span = Span(screen.speech, now)
    dues = [
        span.due(now + timedelta(days=3)),
        span.due(now + timedelta(hours=5)),
        span.due(now - timedelta(hours=2)),
        span.due(now + timedelta(days=1), paused=True),
        span.due(now, done=True),
    ]
    policy = screen.product.policies.active(now)
    wrong = fields.faults([FieldProblem("summary", "Fill this in.", "missing")], screen.speech)
    form = fields.build(
        InvestigationForm,
        screen.label,
        fields.Choices(policy, screen.speech),
        {"remedies": [{"kind": "refund", "description": "50.00", "amount": "50.00"}]},
        wrong,
    )
    return screen.page("components.html", dues=dues, form=form, faults=wrong)
