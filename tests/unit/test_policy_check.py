"""`complaints policy check`: every mistake is found, all at once, with file, line and key, and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from complaints.domain.errors import PolicyInvalid
from complaints.domain.policy import PolicyBundle
from config import policy
from config.policy import Problem

DEFAULT = Path(__file__).resolve().parents[2] / "config" / "policies" / "default"
TAXONOMY = DEFAULT.joinpath("taxonomy.toml").read_text(encoding="utf-8")
WEEK = 'week = { mon = ["09:00-17:00"] }'

PROFILE = """\
key = "mine"
title_en = "Mine"
title_zh = "我的"
evidence = "ours"
citation = "Ours."
{more}
[[clocks]]
name = "answer"
kind = "internal"
stops = ["send_response"]
budget = {{ amount = 5, unit = "business_days" }}
{clock}
"""


def profile(more: str = "", clock: str = "") -> dict[str, str]:
    return {"profiles/mine.toml": PROFILE.format(more=more, clock=clock)}


def calendar(*lines: str) -> dict[str, str]:
    return {"calendars.toml": "\n".join(["[[calendars]]", 'key = "mine"', *lines])}


def folder(at: Path, files: dict[str, str | bytes]) -> Path:
    """A policy that extends the default one and adds these files."""
    made = at / "acme"
    for name, content in ({"policy.toml": f'extends = "{DEFAULT}"'} | files).items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return made


#: name → (files, where: file, line, key, what the message must say)
BAD: dict[str, tuple[dict[str, str | bytes], tuple[str, int, str], str]] = {
    "unknown key": (
        {"retention.toml": 'default = "P365D"\nkeep_for_ever = true'},
        ("acme/retention.toml", 2, "keep_for_ever"),
        "not permitted",
    ),
    "wrong type": (
        {"lifecycle.toml": '[timings]\nconfirm_within = "a fortnight"'},
        ("acme/lifecycle.toml", 2, "timings.confirm_within"),
        "timedelta",
    ),
    "wrong type inside a profile": (
        profile(clock='pauses = ["full_moon"]'),
        ("profiles/mine.toml", 12, "clocks.0.pauses.0"),
        "awaiting_customer",
    ),
    "not TOML": (
        {"routing.toml": 'default_team = "service"\n[teams\n'},
        ("acme/routing.toml", 2, ""),
        "is not TOML",
    ),
    "not UTF-8": (
        {"taxonomy.toml": 'fallback = "其他"'.encode("gb18030")},
        ("acme/taxonomy.toml", 0, ""),
        "save it as UTF-8",
    ),
    "no such base": ({"policy.toml": '\nextends = "../nowhere"'}, ("acme/policy.toml", 2, "extends"), "no such folder"),
    "extends itself": ({"policy.toml": 'extends = "."'}, ("acme/policy.toml", 1, "extends"), "acme → acme"),
    "unknown calendar": (
        profile(clock='calendar = "mars"'),
        ("profiles/mine.toml", 12, "mars"),
        "unknown calendar 'mars'",
    ),
    "unknown ladder": (profile(clock='ladder = "rope"'), ("profiles/mine.toml", 12, "rope"), "unknown ladder 'rope'"),
    "unknown event to stop on": (
        profile(clock='restarts = ["sneezed"]'),
        ("profiles/mine.toml", 12, "sneezed"),
        "known are: acknowledged, ",
    ),
    "hands on to no clock of its own": (
        profile(clock='next = "ombudsman"'),
        ("profiles/mine.toml", 12, "next"),
        "hands on to 'ombudsman'",
    ),
    "unknown category of a profile": (
        profile('applies = { categories = ["moonshine"] }'),
        ("profiles/mine.toml", 6, "moonshine"),
        "unknown category",
    ),
    "unknown category of a retention": (
        {"retention.toml": 'default = "P365D"\n[by_category]\nmoonshine = "P1D"'},
        ("acme/retention.toml", 3, "moonshine"),
        "unknown category",
    ),
    "unknown team": (
        {"routing.toml": 'default_team = "nobody"'},
        ("acme/routing.toml", 1, "default_team"),
        "must be one of the teams",
    ),
    "unknown team of a category": (
        {"taxonomy.toml": TAXONOMY.replace('team = "orders"', 'team = "nobody"', 1)},
        ("acme/taxonomy.toml", 7, "nobody"),
        "names an unknown team",
    ),
    "fallback that is no category": (
        {"taxonomy.toml": 'fallback = "misc"'},
        ("acme/taxonomy.toml", 1, "fallback"),
        "must be one of the categories",
    ),
    "category twice": (
        {
            "taxonomy.toml": TAXONOMY
            + '\n[[categories]]\nkey = "other"\nlabel = { en = "O", zh = "其他" }\nteam = "service"\nseverity = "minor"'
        },
        ("acme/taxonomy.toml", 2, "other"),
        "used twice",
    ),
    "rungs out of order": (
        profile(
            clock='rungs = [{ share = 1.0, actions = ["notify_lead"] }, { share = 0.5, actions = ["notify_lead"] }]'
        ),
        ("profiles/mine.toml", 8, "answer"),
        "ascending order",
    ),
    "a rung twice": (
        profile(clock='rungs = [{ share = 0.5, actions = ["notify_lead"] }, { share = 0.5, actions = ["reassign"] }]'),
        ("profiles/mine.toml", 8, "answer"),
        "two rungs at 50%",
    ),
    "a rung without a time": (
        profile(clock='rungs = [{ actions = ["notify_lead"] }]'),
        ("profiles/mine.toml", 12, "clocks.0.rungs.0"),
        "share",
    ),
    "a webhook without an address": (
        profile(clock='rungs = [{ share = 0.5, actions = ["webhook"] }]'),
        ("profiles/mine.toml", 12, "clocks.0.rungs.0"),
        "webhook",
    ),
    "mixed units": (
        profile(clock='by_severity = { minor = { amount = 2, unit = "weeks" } }'),
        ("profiles/mine.toml", 8, "answer"),
        "counts in one unit, not in 2",
    ),
    "a clock twice": (
        profile(
            clock='[[clocks]]\nname = "answer"\nkind = "internal"\nstops = ["decide"]\n'
            'budget = { amount = 1, unit = "weeks" }'
        ),
        ("profiles/mine.toml", 8, "answer"),
        "declared twice",
    ),
    "effective dates reversed": (
        profile("effective_from = 2026-05-01\neffective_until = 2026-04-01"),
        ("profiles/mine.toml", 6, "effective_from"),
        "lies after effective_until",
    ),
    "overlapping windows": (
        calendar('week = { mon = ["09:00-12:00", "11:00-18:00"] }'),
        ("acme/calendars.toml", 2, "mine"),
        "windows overlap",
    ),
    "a window that ends before it starts": (
        calendar('week = { mon = ["18:00-09:00"] }'),
        ("acme/calendars.toml", 2, "mine"),
        "ends before it starts",
    ),
    "never open": (calendar('zone = "UTC"'), ("acme/calendars.toml", 2, "mine"), "never open"),
    "no such zone": (
        calendar('zone = "Asia/Peking"', WEEK),
        ("acme/calendars.toml", 3, "Asia/Peking"),
        "no such time zone",
    ),
    "years reversed": (
        calendar("first_year = 2027", "last_year = 2026", WEEK),
        ("acme/calendars.toml", 3, "first_year"),
        "lies after last_year",
    ),
    "years that are no numbers": (
        calendar('country = "CN"', 'first_year = "soon"', WEEK),
        ("acme/calendars.toml", 4, "first_year"),
        "integer",
    ),
    "a year of China beyond the library": (
        calendar('country = "CN"', "last_year = 2040", WEEK),
        ("acme/calendars.toml", 2, "calendars.mine"),
        "list them as provisional",
    ),
    "a country that nobody knows": (
        calendar('country = "XX"', WEEK),
        ("acme/calendars.toml", 2, "calendars.mine"),
        "no holidays are known",
    ),
    "calendars that are no tables": (
        {"calendars.toml": 'calendars = ["office"]'},
        ("acme/calendars.toml", 1, ""),
        "CalendarPolicy",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_each_mistake_is_told_with_its_place(name: str, tmp_path: Path) -> None:
    files, (file, line, key), message = BAD[name]
    made = folder(tmp_path, files)
    problems = policy.check(made)
    assert len(problems) == 1, [str(p) for p in problems]
    (found,) = problems
    assert (found.file, found.line, found.key) == (file, line, key), str(found)
    assert message in found.message, str(found)
    with pytest.raises(PolicyInvalid, match="1 problem"):
        policy.load(made)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    made = folder(
        tmp_path, profile(clock='calendar = "mars"\nladder = "rope"') | {"routing.toml": 'default_team = "x"'}
    )
    assert {p.key for p in policy.check(made)} == {"mars", "rope", "default_team"}


def test_missing_files_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "sla.toml").write_text("")
    told = [p.file.rsplit("/", 1)[-1] for p in policy.check(tmp_path)]
    assert told == ["taxonomy.toml", "routing.toml", "authority.toml", "lifecycle.toml", "retention.toml"]
    assert policy.check(tmp_path / "nowhere")[0].message.startswith("no such folder")


def test_policies_that_extend_each_other_in_a_circle(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "c"), ("c", "b")):
        (tmp_path / one).mkdir()
        (tmp_path / one / "policy.toml").write_text(f'extends = "../{other}"')
    found = next(p for p in policy.check(tmp_path / "a") if p.key == "extends")
    assert found.file == "c/policy.toml"
    assert "b → c → b" in found.message


def test_a_problem_reads_like_one_of_a_compiler() -> None:
    assert str(Problem("a/sla.toml", 3, "quiet", "is wrong")) == "a/sla.toml:3: quiet: is wrong"
    assert str(Problem("a/sla.toml", 0, "", "is missing")) == "a/sla.toml: is missing"


def test_the_shipped_policies_are_sound_and_say_what_to_verify() -> None:
    for name in ("default", "demo"):
        assert policy.check(DEFAULT.parent / name) == []
    told = policy.warnings(policy.load(DEFAULT))
    assert any("2027" in t and "cn_office" in t for t in told)
    assert any("'asic'" in t and "verify" in t for t in told)
    assert not any("'fca'" in t for t in told)


def test_a_diff_names_every_difference_once_and_is_empty_for_the_same(tmp_path: Path) -> None:
    old = policy.load(DEFAULT)
    changed = DEFAULT.joinpath("profiles/fca.toml").read_text(encoding="utf-8").replace("amount = 8,", "amount = 6,")
    new = policy.load(folder(tmp_path, {"profiles/fca.toml": changed, "retention.toml": 'default = "P100D"'}))
    assert policy.diff(old, old) == []
    rows = {path: (a, b) for path, a, b in policy.diff(old, new)}
    assert rows.pop("name") == ("default", "acme")
    assert rows.pop("retention.default")[1] == "P100D"
    assert list(rows) == ["sla.profiles[fca].clocks[final].budget.amount"]
    assert rows["sla.profiles[fca].clocks[final].budget.amount"] == (8, 6)


def test_the_hash_tells_content_apart_and_not_spelling(tmp_path: Path) -> None:
    one = policy.load(folder(tmp_path / "1", {"retention.toml": 'default = "P100D"'}))
    same = policy.load(folder(tmp_path / "2", {"retention.toml": '# a remark\ndefault   =   "P100D"'}))
    other = policy.load(folder(tmp_path / "3", {"retention.toml": 'default = "P101D"'}))
    assert one.hash == same.hash != other.hash


def test_holidays_are_filled_in_and_closures_are_closed(tmp_path: Path) -> None:
    made = policy.load(
        folder(
            tmp_path,
            calendar(
                'zone = "Europe/London"', 'country = "GB"', 'region = "SCT"', WEEK,
                'closures = [{ day = 2026-03-02, until = 2026-03-09, name = "Stocktaking" }]',
            ),
        )
    )  # fmt: skip
    from complaints.domain.calendars import calendar as built

    days = built(made.hash, made.sla, "mine")
    assert not days.is_business_day(datetime(2026, 3, 9, tzinfo=UTC).date())
    assert days.is_business_day(datetime(2026, 3, 16, tzinfo=UTC).date())
    assert "Andrew" in days.holidays[datetime(2026, 11, 30, tzinfo=UTC).date()]


def test_every_profile_says_since_when_and_on_what_it_rests() -> None:
    for rule in policy.load(DEFAULT).sla.profiles:
        assert rule.effective_from is not None, rule.key
        assert rule.citation
        if "external_body" in rule.letter.elements:
            assert rule.external_body is not None, rule.key


def test_a_version_stored_before_clocks_handed_on_is_still_understood() -> None:
    stored = policy.load(DEFAULT).model_dump(mode="json")
    fca = next(p for p in stored["sla"]["profiles"] if p["key"] == "fca")
    for clock, said in (("summary", "fca.final"), ("final", "ombudsman; six months to refer"), ("ack", "")):
        next(c for c in fca["clocks"] if c["name"] == clock)["next"] = said
    del fca["external_body"]
    sla = PolicyBundle.model_validate(stored).sla
    found = {c.name: sla.successor("fca", c) for p in sla.profiles if p.key == "fca" for c in p.clocks}
    assert {name: after and after.name for name, after in found.items()} == {
        "ack": None, "summary": "final", "final": None,
    }  # fmt: skip
