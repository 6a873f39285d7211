"""Policy versions at the console."""

from __future__ import annotations

from datetime import timedelta

from complaints.domain.vocabulary import Role
from tests.web.console.conftest import Office, text_of


def second_version(office: Office) -> tuple[str, str]:
    """A version that comes into force tomorrow; (hash of the present one, its own)."""
    book, now = office.product.policies, office.product.store.now()
    old = book.active(now)
    content = old.model_dump(mode="json") | {"name": "stricter"}
    content["lifecycle"]["timings"]["confirm_within"] = "P3D"
    content["hash"] = "f" * 64
    new = type(old).model_validate(content)
    book.activate(new, "Ruth Adler", now + timedelta(days=1))
    return old.hash, new.hash


def test_versions_say_who_when_and_which_is_in_force(office: Office) -> None:
    auditor = office.browser("kim", Role.AUDITOR)
    second_version(office)
    page = text_of(auditor.get("/console/admin/policy").text)
    assert "stricter To come" in page
    assert "In force" in page
    assert "Ruth Adler" in page


def test_a_version_is_shown_whole_and_two_are_compared(office: Office) -> None:
    auditor = office.browser("kim", Role.AUDITOR)
    old, new = second_version(office)
    assert "Verify before relying on it." in text_of(auditor.get(f"/console/admin/policy/{new}").text)
    told = text_of(auditor.get(f"/console/admin/policy/{new}").text)
    assert "No source that was read says this; verify it:" in told
    assert "external_body.refer_within 24 months" in told
    assert "P3D" in auditor.get(f"/console/admin/policy/{new}").text
    differs = auditor.get(f"/console/admin/policy/diff?old={old}&new={new}").text
    assert "lifecycle.<wbr>timings.<wbr>confirm_within" in differs, "a path breaks at its points only"
    assert "<ins>P3D</ins>" in differs
    said = text_of(differs)
    assert "stricter" in said, "versions have names and dates"
    assert "Ruth Adler" in said
    assert old[:12] not in said
    assert new[:12] not in said
    assert (
        "lifecycle.timings.confirm_within,P" in auditor.get(f"/console/admin/policy/diff.csv?old={old}&new={new}").text
    )
    assert auditor.get("/console/admin/policy/diff?old=x&new=y").status_code == 404
    assert auditor.get("/console/admin/policy/abc").status_code == 404
