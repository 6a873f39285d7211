"""`complaints policy check`: every mistake is found, all at once, with file, line and key, and what to do about it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from complaints.domain.errors import PolicyInvalid
from complaints.domain.policy import PolicyBundle
from config import policy
from config.policy import Problem

DEFAULT = Path(__file__).resolve().parents[2] / "config" / "policies" / "default"
ROUTING = DEFAULT.joinpath("routing.toml").read_text(encoding="utf-8")
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
budget = {{ amount = 5, unit = "calendar_days" }}
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
    "a kind of letters that there is not": (
        {"notifications.toml": 'silent_kinds = [\n  "closures",\n]'},
        ("acme/notifications.toml", 2, "closures"),
        "there are: acknowledgment",
    ),
    "an acknowledgment that is not sent": (
        {"notifications.toml": 'silent_kinds = ["acknowledgment"]'},
        ("acme/notifications.toml", 1, "acknowledgment"),
        "owed to everybody",
    ),
    "an address that no mail can be sent to": (
        {"routing.toml": ROUTING.replace('key = "orders"\n', 'key = "orders"\nemail = "orders at acme"\n')},
        ("acme/routing.toml", 17, "orders at acme"),
        "team 'orders': is no e-mail address",
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
        ("acme/calendars.toml", 3, "mine"),
        "windows that overlap: 09:00-12:00 and 11:00-18:00",
    ),
    "a window that ends before it starts": (
        calendar('week = { mon = ["22:00-06:00"] }'),
        ("acme/calendars.toml", 3, "mine"),
        "split it at midnight, '22:00-24:00' and, on the day after, '00:00-06:00'",
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
        "whole number",
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
    "a year of India beyond the library": (
        calendar('country = "IN"', "last_year = 2040", WEEK),
        ("acme/calendars.toml", 2, "calendars.mine"),
        "available only from 2001 to 2035; narrow first_year and last_year",
    ),
    "years before a country's first": (
        calendar('country = "DE"', "first_year = 1990", WEEK),
        ("acme/calendars.toml", 2, "calendars.mine"),
        "no holidays are known for 1990",
    ),
    "overlapping windows of an extra day": (
        calendar(WEEK, 'extra_days = [{ day = 2026-03-07, windows = ["09:00-12:00", "11:00-13:00"] }]'),
        ("acme/calendars.toml", 4, "mine"),
        "windows that overlap",
    ),
    "a closure reversed": (
        calendar(WEEK, 'closures = [{ day = 2026-03-09, until = 2026-03-02, name = "Stocktaking" }]'),
        ("acme/calendars.toml", 4, "mine"),
        "a closure that ends on 2026-03-02, before it begins",
    ),
    "a closure outside the years": (
        calendar(WEEK, 'closures = [{ day = 2036-03-09, name = "Stocktaking" }]'),
        ("acme/calendars.toml", 4, "mine"),
        "a closure on 2036-03-09, outside 2019 to 2027",
    ),
    "an extra day outside the years": (
        calendar(WEEK, "extra_days = [{ day = 2018-03-10 }]"),
        ("acme/calendars.toml", 4, "mine"),
        "an extra day on 2018-03-10, outside 2019 to 2027",
    ),
    "an extra day twice": (
        calendar(WEEK, "extra_days = [{ day = 2026-03-07 }, { day = 2026-03-07 }]"),
        ("acme/calendars.toml", 4, "mine"),
        "has the extra day 2026-03-07 twice",
    ),
    "a calendar twice": (
        {"calendars.toml": f'[[calendars]]\nkey = "mine"\n{WEEK}\n[[calendars]]\nkey = "mine"\nalways = true'},
        ("acme/calendars.toml", 2, "mine"),
        "declared twice in one folder",
    ),
    "a profile twice": (
        profile() | {"profiles/too.toml": PROFILE.format(more="", clock="")},
        ("profiles/too.toml", 1, "key"),
        "'mine' (also in mine.toml) is declared twice in one folder",
    ),
    "quiet hours on Mars": (
        {"sla.toml": '[quiet]\nstart = "20:00"\nend = "08:00"\nzone = "Mars/X"'},
        ("acme/sla.toml", 4, "quiet.zone"),
        "no such time zone: Mars/X",
    ),
    "a rule of others without a citation": (
        {"profiles/mine.toml": PROFILE.format(more="", clock="").replace('"ours"', '"S"').replace('"Ours."', '" "')},
        ("profiles/mine.toml", 5, "citation"),
        "cite the rule",
    ),
    "a webhook that is no address": (
        profile(clock='rungs = [{ share = 0.5, actions = ["webhook"], webhook = "ftp://x.example" }]'),
        ("profiles/mine.toml", 12, "webhook"),
        "begins with http:// or https://",
    ),
    "a webhook without a host, in a ladder": (
        {"sla.toml": '[[ladders.tall]]\nshare = 0.5\nactions = ["webhook"]\nwebhook = "https:///hook"'},
        ("acme/sla.toml", 4, "webhook"),
        "ladder 'tall': 'https:///hook' is no address",
    ),
    "a queue that nobody works on": (
        profile(clock='rungs = [{ share = 0.5, actions = ["change_queue"], queue = "express" }]'),
        ("profiles/mine.toml", 12, "queue"),
        "there are: urgent, normal, bulk",
    ),
    "a queue of routing that nobody works on": (
        {"routing.toml": '[queues]\nserious = "express"'},
        ("acme/routing.toml", 2, "queues.serious"),
        "there are: urgent, normal, bulk",
    ),
    "working time without a calendar": (
        {"profiles/mine.toml": PROFILE.format(more="", clock="").replace("calendar_days", "working_hours")},
        ("profiles/mine.toml", 8, "answer"),
        "working_hours need a calendar with opening hours; '24x7' is always open",
    ),
    "business days on a calendar that is always open": (
        {
            "profiles/mine.toml": PROFILE.format(more="", clock='calendar = "in_days"').replace(
                "calendar_days", "business_days"
            )
        },
        ("profiles/mine.toml", 8, "answer"),
        "'in_days' is always open",
    ),
    "nothing at all, and the day of receipt is the first": (
        {
            "profiles/mine.toml": PROFILE.format(more="", clock="").replace(
                'amount = 5, unit = "calendar_days"', 'amount = 0, unit = "calendar_days", first_day = 1'
            )
        },
        ("profiles/mine.toml", 8, "answer"),
        "the amount is 1 at least",
    ),
    "a root cause twice": (
        {
            "taxonomy.toml": "[[root_causes]]\nkey = 'x'\nlabel = { en = 'X', zh = 'X' }\n"
            "[[root_causes]]\nkey = 'x'\nlabel = { en = 'X', zh = 'X' }"
        },
        ("acme/taxonomy.toml", 2, "x"),
        "used twice in root_causes",
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


#: One folder with every kind of mistake in every file, and what is told of each.
CARELESS: dict[str, str | bytes] = {
    "taxonomy.toml": TAXONOMY.replace('team = "orders"', 'team = "nobody"', 1)
    .replace('team = "payments"', 'team = "payments"\nprofile = "fca"', 1)
    .replace('fallback = "other"', 'fallback = "misc"'),
    "routing.toml": 'default_team = "nobody"\nmin_confidence = "low"\n[queues]\nserious = "express"',
    "lifecycle.toml": '[timings]\nconfirm_within = "a fortnight"\n[[solutions]]\nkey = "s"\ncategory = "moonshine"\n'
    "title = { en = 'S', zh = 'S' }\nbody = { en = 'S', zh = 'S' }",
    "retention.toml": 'keep_for_ever = true\n[by_category]\nmoonshine = "P1D"',
    "authority.toml": 'approve_categories = ["moonshine"]\nlimits = { agent = "much" }',
    "notifications.toml": "attempts = = 3",
    "calendars.toml": f"""\
[[calendars]]
key = "india"
country = "IN"
last_year = 2040
{WEEK}
[[calendars]]
key = "china"
country = "CN"
last_year = 2040
{WEEK}
[[calendars]]
key = "night"
zone = "Mars/Olympus"
first_year = "soon"
closures = [{{ day = 2026-03-09, until = 2026-03-02, name = "Stocktaking" }}]
extra_days = [{{ day = 2026-03-07, windows = ["09:00-12:00", "11:00-13:00"] }}, {{ day = 2036-03-07 }}]
week = {{ mon = ["22:00-06:00", "nine to five"] }}
[[calendars]]
key = "shut"
weak = {{ mon = ["09:00-17:00"] }}
""",
    "sla.toml": """\
[quiet]
start = "20:00"
end = "08:00"
zone = "Mars/X"
[[ladders.tall]]
share = 0.5
actions = ["webhook", "change_queue"]
webhook = "mailto:x@x.example"
queue = "express"
[[ladders.tall]]
actions = ["dance"]
""",
    "profiles/mine.toml": PROFILE.format(
        more='effective_from = 2026-05-01\neffective_until = 2026-04-01\napplies = { categories = ["moonshine"] }',
        clock='calender = "mars"\ncalendar = "mars"\nladder = "rope"\nrestarts = ["sneezed"]\npauses = ["full_moon"]\n'
        'rungs = [{ share = 0.5, actions = ["webhook"] }]\n'
        '[[clocks]]\nname = "first"\nkind = "internal"\nstops = ["decide"]\n'
        'budget = { amount = 0, unit = "business_days", first_day = 1 }',
    )
    .replace('"ours"', '"S"')
    .replace('"Ours."', '""'),
    "profiles/mine_too.toml": 'key = "mine"',
    "profiles/latin.toml": "title_zh = '我的'".encode("gb18030"),
}
TOLD = {
    "acme/taxonomy.toml": ["fallback", "nobody", "categories.3.profile"],
    "acme/routing.toml": ["default_team", "min_confidence", "queues.serious"],
    "acme/lifecycle.toml": ["timings.confirm_within", "moonshine"],
    "acme/retention.toml": ["keep_for_ever", "moonshine"],
    "acme/authority.toml": ["moonshine", "limits.agent"],
    "acme/notifications.toml": [""],
    "acme/calendars.toml": [
        "calendars.china", "calendars.india", "Mars/Olympus", "first_year", "night", "night", "night", "night",
        "week.mon.1", "shut", "weak",
    ],
    "acme/sla.toml": ["quiet.zone", "webhook", "queue", "ladders.tall.1.actions", "ladders.tall.1.actions.0"],
    "profiles/mine.toml": [
        "citation", "effective_from", "moonshine", "mars", "rope", "sneezed", "clocks.0.calender", "clocks.0.pauses.0",
        "clocks.0.rungs.0", "first", "first",
    ],
    "profiles/mine_too.toml": ["key", "title_en", "title_zh", "evidence", "citation", "clocks"],
    "profiles/latin.toml": [""],
}  # fmt: skip


def test_every_mistake_in_every_file_is_told_in_one_run(tmp_path: Path) -> None:
    """Misspelt keys, wrong types, files that cannot be read, unknown names, bad years: none hides another."""
    problems = policy.check(folder(tmp_path, CARELESS))
    told: dict[str, list[str]] = {}
    for problem in problems:
        told.setdefault(problem.file, []).append(problem.key)
    assert {file: sorted(keys) for file, keys in told.items()} == {file: sorted(keys) for file, keys in TOLD.items()}
    assert all(p.line or not p.key for p in problems), [str(p) for p in problems if p.key and not p.line]
    for file in told:
        lines = [p.line for p in problems if p.file == file]
        assert lines == sorted(lines), "from top to bottom"


def test_what_could_not_be_read_is_not_called_unknown(tmp_path: Path) -> None:
    """A file that is no TOML may name the team, the calendar, the ladder: only the file is told."""
    broken: dict[str, str | bytes] = {f"{name}.toml": "= 1" for name in ("taxonomy", "routing", "calendars", "sla")}
    mine = profile('applies = { categories = ["moonshine"] }', 'calendar = "mars"\nladder = "rope"')
    problems = policy.check(folder(tmp_path, broken | mine | {"retention.toml": '[by_category]\nmoonshine = "P1D"'}))
    assert sorted(p.file for p in problems) == sorted(f"acme/{name}" for name in broken)


@pytest.mark.parametrize("gone", ["taxonomy", "routing", "authority", "lifecycle", "retention"])
def test_a_missing_file_hides_nothing_and_invents_nothing(gone: str, tmp_path: Path) -> None:
    """What the shipped policy says in its place is not found fault with."""
    for path in DEFAULT.rglob("*.toml"):
        copy = tmp_path / "own" / path.relative_to(DEFAULT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (tmp_path / "own" / f"{gone}.toml").unlink()
    with (tmp_path / "own" / "sla.toml").open("a") as sla:
        sla.write('\n[[ladders.tall]]\nshare = 0.5\nactions = ["change_queue"]\nqueue = "express"')
    assert [(p.file, p.key) for p in policy.check(tmp_path / "own")] == [
        (f"own/{gone}.toml", ""), ("own/sla.toml", "queue"),
    ]  # fmt: skip


def test_a_calendar_that_ends_soon_is_warned_of(tmp_path: Path) -> None:
    mine = policy.load(folder(tmp_path, calendar(WEEK, "last_year = 2027")))

    def told(*day: int) -> list[str]:
        return [w for w in policy.ending(mine, date(*day)) if "'mine'" in w]

    assert told(2026, 12, 31) == []
    assert told(2027, 1, 1)[0].startswith("calendar 'mine' ends in 12 months (last_year = 2027)")
    assert "ends in 1 month " in told(2027, 12, 31)[0]
    assert "has ended" in told(2028, 1, 1)[0]
    assert set(told(2027, 6, 1)) <= set(policy.warnings(mine, date(2027, 6, 1)))


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
    told = policy.warnings(policy.load(DEFAULT), date(2026, 11, 27))
    assert any("2027" in t and "cn_office" in t for t in told)
    assert any("'asic': evidence S" in t and "verify" in t for t in told)
    assert not any("'fca': evidence" in t for t in told), "its own text was read"


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
