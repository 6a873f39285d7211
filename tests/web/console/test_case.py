"""The complaint page: what it shows to whom, and the one form beside it."""

from __future__ import annotations

from complaints.domain.vocabulary import Role
from tests.web.console.conftest import Office, text_of


def test_the_page_shows_the_complaint_and_the_form_that_is_due(office: Office) -> None:
    reference = office.complain()
    agent = office.browser("li", Role.AGENT, teams=("service", "orders", "payments", "credit"))
    page = agent.get(f"/console/complaints/{reference}")
    assert page.status_code == 200
    said = text_of(page.text)
    assert "Broken heater" in said
    assert "The heater you delivered last week leaks" in said
    assert "The complaint was received." in said
