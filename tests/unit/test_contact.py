"""The one way on which a complainant is reached."""

from __future__ import annotations

import pytest

from complaints.domain.vocabulary import Need
from complaints.services.contact import Way, way_to_reach
from complaints.store.tables import Complainant


@pytest.mark.parametrize(
    ("said", "way"),
    [
        ("li@work.example", Way("email", "li@work.example")),
        ("ｌｉ＠work.example", Way("email", "li@work.example")),
        ("13800138000", Way("phone", "13800138000")),
        ("li@work.example, not at weekends", Way("phone", "li@work.example, not at weekends")),
        ("微信 @lihua", Way("phone", "微信 @lihua")),
        ("", Way("none")),
    ],
)
def test_safe_contact_is_what_they_said_and_a_letter_goes_only_to_an_address(said: str, way: Way) -> None:
    who = Complainant(
        name="Li", email="li@home.example", phone="5551234", needs=[Need.SAFE_CONTACT_ONLY.value], safe_contact=said
    )
    assert way_to_reach(who) == way
