"""What is taken as an e-mail address can be written to, at that address and no other."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from complaints.domain.commands import AskThirdParty
from complaints.domain.intake import NewComplainant
from complaints.notify.envelope import address


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("anna@customer.example", "anna@customer.example"),
        (" o'neil+bank_2@mail.customer.example ", "o'neil+bank_2@mail.customer.example"),
        ("anna@例子.cn", "anna@例子.cn"),
        ("ｗａｎｇ＠example。com", "wang@example.com"),  # typed with a Chinese keyboard
        ("\u200banna@customer.example\ufeff", "anna@customer.example"),  # copied from a page
    ],
)
def test_what_is_taken_can_be_written_to(typed: str, kept: str) -> None:
    assert NewComplainant(email=typed).email == kept
    assert AskThirdParty(party="Carrier", question="Where is it?", email=typed).email == kept
    local, _, domain = kept.partition("@")
    assert address(kept).addr_spec == f"{local}@{domain.encode('idna').decode()}"


@pytest.mark.parametrize(
    "typed",
    [
        "王芳@customer.example", "a..b@customer.example", ".a@customer.example", "a@customer..example",
        "anna(home)@customer.example", "mailto:anna@customer.example", "a\\b@customer.example", "a@[192.0.2.1]",
        f"a@{'x' * 64}.example", "anna@customer", "Anna <anna@customer.example>", "anna@b.example, bob@b.example",
    ],
)  # fmt: skip
def test_what_no_mail_can_be_addressed_to_is_refused_at_the_door(typed: str) -> None:
    with pytest.raises(ValidationError, match="email"):
        NewComplainant(email=typed)
    with pytest.raises(ValidationError, match="email"):
        AskThirdParty(party="Carrier", question="Where is it?", email=typed)
