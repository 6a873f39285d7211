"""Loading and checking a policy: a folder of TOML files becomes one frozen bundle, or a list of all that is wrong.

Each problem names file, key and line and says what to do. A folder may `extends` another (in `policy.toml`): its tables
are then merged key by key over that one's.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import chinese_calendar
import holidays as holiday_library
from pydantic import ValidationError

from complaints.domain.calendars import build
from complaints.domain.errors import PolicyInvalid
from complaints.domain.policy import PolicyBundle
from complaints.domain.sla_policy import CalendarPolicy, ClockPolicy, SlaPolicy
from complaints.domain.validation import problems_of

_SECTIONS = ("taxonomy", "routing", "authority", "lifecycle", "notifications", "retention")
#: Events of the case log that clocks may start, stop, restart or continue on.
CLOCK_EVENTS = frozenset(
    {
        "received", "classified", "route", "confirm_triage", "acknowledged", "submit_findings", "fast_track", "decide",
        "approve", "send_back", "finish_remedies", "send_response", "appeal", "uphold_outcome", "change_outcome",
        "refer_externally", "external_accepts", "external_changes", "external_closes", "confirm",
        "confirmation_timeout", "holding_response", "withdraw", "reject", "merge",
        "reopen", "new_facts", "acknowledgment_bounced", "archive",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a policy. `line` is 0 where it cannot be told."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


@dataclass
class _Source:
    """Where a section's values were read from."""

    path: Path
    text: str


def load(folder: Path) -> PolicyBundle:
    """The bundle, or `PolicyInvalid` listing every problem."""
    bundle, problems = read(folder)
    if bundle is None:
        raise PolicyInvalid(
            f"The policy in {folder} has {len(problems)} problem(s):\n" + "\n".join(f"  {p}" for p in problems)
        )
    return bundle


def check(folder: Path) -> list[Problem]:
    """Everything wrong with the policy; empty when it can be activated."""
    return read(folder)[1]


def read(folder: Path) -> tuple[PolicyBundle | None, list[Problem]]:
    """The bundle (None when there are problems) and the problems."""
    problems: list[Problem] = []
    sources: dict[str, _Source] = {}
    if not folder.is_dir():
        return None, [Problem(str(folder), 0, "", "no such folder; give one with taxonomy.toml, routing.toml, …")]
    data = _files(folder, sources, problems)
    if any(p.key == "extends" for p in problems):
        return None, problems  # what is missing would have come from there
    for section in _SECTIONS:
        if section not in data and section != "notifications":
            problems.append(Problem(f"{folder.name}/{section}.toml", 0, "", "is missing"))
    sla = data.setdefault("sla", {})
    for calendar in sla.get("calendars", []):
        if isinstance(calendar, dict):  # else the model says what is wrong
            _fill_holidays(calendar, sources, problems)
    if problems:
        return None, problems
    name = str(data.pop("policy", {}).get("name", folder.name))
    content = json.dumps(data, sort_keys=True, ensure_ascii=False, default=str)
    try:
        bundle = PolicyBundle(name=name, hash=hashlib.sha256(content.encode()).hexdigest(), **data)
    except ValidationError as error:
        return None, [_located(p.field, p.message, data, sources) for p in problems_of(error)]
    problems = list(_cross_checks(bundle, data, sources))
    return (None, problems) if problems else (bundle, [])


def warnings(bundle: PolicyBundle) -> list[str]:
    """What is not wrong but should be known before relying on the policy."""
    told = [
        f"calendar '{c.key}': the official calendar of {', '.join(map(str, c.provisional))} is not out; "
        "statutory holidays are used, without make-up working days"
        for c in bundle.sla.calendars
        if c.provisional
    ]
    return told + [
        f"profile '{p.key}': evidence {p.evidence}, verify before relying on it ({p.citation})"
        for p in bundle.sla.profiles
        if p.verify_first
    ]


# -- files


def _files(
    folder: Path, sources: dict[str, _Source], problems: list[Problem], below: tuple[Path, ...] = ()
) -> dict[str, Any]:
    """The tables of a folder over those of what it extends. `below`: the folders that extend this one."""
    below = (*below, folder.resolve())
    manifest = _toml(folder / "policy.toml", "policy", sources, problems) if (folder / "policy.toml").exists() else {}
    data: dict[str, Any] = {}
    if "extends" in manifest:
        base = (folder / str(manifest["extends"])).resolve()
        where = _at("policy", "extends", "", sources)
        if not base.is_dir():
            problems.append(replace(where, message=f"no such folder: {manifest['extends']}"))
        elif base in below:
            circle = " → ".join(p.name for p in (*below[below.index(base) :], base))
            problems.append(replace(where, message=f"policies extend each other in a circle: {circle}; break it"))
        else:
            data = _files(base, sources, problems, below)
    data["policy"] = {"name": manifest.get("name", folder.name)}
    for section in _SECTIONS:
        path = folder / f"{section}.toml"
        if path.exists():
            data[section] = _merged(data.get(section, {}), _toml(path, section, sources, problems))
    sla = data.setdefault("sla", {})
    if (folder / "calendars.toml").exists():
        read_ = _toml(folder / "calendars.toml", "calendars", sources, problems)
        sla["calendars"] = _by_key(sla.get("calendars", []), read_.get("calendars", []))
    if (folder / "sla.toml").exists():
        data["sla"] = sla = _merged(sla, _toml(folder / "sla.toml", "sla", sources, problems))
    for path in sorted((folder / "profiles").glob("*.toml")):
        profile = _toml(path, f"profile {path.stem}", sources, problems)
        sources[f"profile {profile.get('key', path.stem)}"] = sources[f"profile {path.stem}"]
        sla["profiles"] = _by_key(sla.get("profiles", []), [profile])
    return data


def _toml(path: Path, name: str, sources: dict[str, _Source], problems: list[Problem]) -> dict[str, Any]:
    short = f"{path.parent.name}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
        sources[name] = _Source(path, text)
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        problems.append(Problem(short, 0, "", f"is not UTF-8 (byte {error.start}); save it as UTF-8"))
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        problems.append(Problem(short, int(found.group(1)) if found else 0, "", f"is not TOML: {error}"))
    return {}


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(base)
    for key, value in over.items():
        old = made.get(key)
        made[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return made


def _by_key(base: list[dict[str, Any]], over: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not all(isinstance(o, dict) for o in over):
        return over  # the model says what is wrong
    keyed = {b.get("key"): b for b in base}
    return list((keyed | {o.get("key"): o for o in over}).values())


# -- holidays


def _fill_holidays(calendar: dict[str, Any], sources: dict[str, _Source], problems: list[Problem]) -> None:
    """Put public holidays and make-up working days into a calendar, for every year it claims to know."""
    country = str(calendar.get("country", ""))
    if not country:
        return
    fields = CalendarPolicy.model_fields
    key = str(calendar.get("key", "?"))
    years = [calendar.get(name, fields[name].default) for name in ("first_year", "last_year")]
    early = calendar.get("provisional", [])
    if not isinstance(early, list) or not all(type(y) is int for y in [*years, *early]):
        return  # the model says so
    first, last = years
    try:
        if country == "CN":
            found, working = _china(first, last, set(early))
        else:
            found, working = _elsewhere(country, str(calendar.get("region", "")), first, last), []
    except LookupError as error:
        problems.append(_at("calendars", f"calendars.{key}", str(error), sources))
        return
    calendar["holidays"] = {str(day): name for day, name in sorted(found.items())}
    calendar["working_days"] = [str(day) for day in working]


def _china(first: int, last: int, provisional: set[int]) -> tuple[dict[date, str], list[date]]:
    known = {d.year for d in chinese_calendar.constants.holidays}
    missing = [y for y in range(first, last + 1) if y not in known | provisional]
    if missing:
        raise LookupError(
            f"China's holidays are announced year by year and not known for {', '.join(map(str, missing))}; "
            f"keep the years within {min(known)} to {max(known)}, update the library, or list them as provisional"
        )
    inside = {d: n for d, n in chinese_calendar.constants.holidays.items() if first <= d.year <= last}
    names = {"New Year's Day": "元旦", "Spring Festival": "春节", "Tomb-sweeping Day": "清明节", "Labour Day": "劳动节"}
    names |= {"Dragon Boat Festival": "端午节", "Mid-autumn Festival": "中秋节", "National Day": "国庆节"}
    working = sorted(d for d in chinese_calendar.constants.workdays if first <= d.year <= last)
    found = {d: names.get(n, n) for d, n in inside.items()}
    early = [y for y in sorted(provisional - known) if first <= y <= last]
    if early:
        found |= dict(holiday_library.country_holidays("CN", years=early, language="zh_CN").items())
    return found, working


def _elsewhere(country: str, region: str, first: int, last: int) -> dict[date, str]:
    try:
        made = holiday_library.country_holidays(
            country, subdiv=region or None, years=range(first, last + 1), language="en_US"
        )
    except NotImplementedError:
        raise LookupError(f"no holidays are known for country {country!r}, region {region!r}") from None
    found = dict(made.items())
    missing = [y for y in range(first, last + 1) if not any(d.year == y for d in found)]
    if missing:
        raise LookupError(f"no holidays of {country} are known for {', '.join(map(str, missing))}; narrow the years")
    return found


# -- checks across sections


def _cross_checks(bundle: PolicyBundle, data: dict[str, Any], sources: dict[str, _Source]) -> Iterator[Problem]:
    teams = {t.key for t in bundle.routing.teams}
    categories = {c.key for c in bundle.taxonomy.categories}
    for category in bundle.taxonomy.categories:
        if category.team not in teams:
            yield _at("taxonomy", category.team, f"category '{category.key}' names an unknown team", sources)
        for key in category.profiles:
            if bundle.sla.profile(key) is None:
                yield _at("taxonomy", key, f"category '{category.key}' names an unknown profile", sources)
    if bundle.taxonomy.fallback not in categories:
        yield _at("taxonomy", "fallback", "must be one of the categories", sources)
    if bundle.routing.default_team not in teams:
        yield _at("routing", "default_team", "must be one of the teams", sources)
    for key in bundle.authority.approve_categories:
        if key not in categories:
            yield _at("authority", key, "unknown category", sources)
    for key in bundle.retention.by_category:
        if key not in categories:
            yield _at("retention", key, "unknown category", sources)
    for solution in bundle.lifecycle.solutions:
        if solution.category not in categories:
            yield _at("lifecycle", solution.category, f"solution '{solution.key}' names an unknown category", sources)
    yield from _duplicates(bundle, sources)
    yield from _sla_checks(bundle.sla, categories, sources)


def _duplicates(bundle: PolicyBundle, sources: dict[str, _Source]) -> Iterator[Problem]:
    for section, keys in (
        ("taxonomy", [c.key for c in bundle.taxonomy.categories]),
        ("routing", [t.key for t in bundle.routing.teams]),
        ("lifecycle", [s.key for s in bundle.lifecycle.solutions]),
    ):
        for key in sorted({k for k in keys if keys.count(k) > 1}):
            yield _at(section, key, f"the key '{key}' is used twice", sources)


def _sla_checks(sla: SlaPolicy, categories: set[str], sources: dict[str, _Source]) -> Iterator[Problem]:
    calendars = {c.key for c in sla.calendars} | {"24x7"}
    for calendar in sla.calendars:
        yield from _calendar_checks(calendar, sources)
    for profile in sla.profiles:
        source = f"profile {profile.key}"
        if profile.effective_from and profile.effective_until and profile.effective_from > profile.effective_until:
            yield _at(source, "effective_from", "lies after effective_until", sources)
        for key in profile.applies.categories:
            if key not in categories:
                yield _at(source, key, "unknown category", sources)
        names = [c.name for c in profile.clocks]
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield _at(source, name, f"the clock '{name}' is declared twice", sources)
        for clock in profile.clocks:
            if clock.calendar not in calendars:
                yield _at(source, clock.calendar, f"clock '{clock.name}': unknown calendar '{clock.calendar}'", sources)
            yield from _clock_checks(sla, source, clock, sources)


def _clock_checks(sla: SlaPolicy, source: str, clock: ClockPolicy, sources: dict[str, _Source]) -> Iterator[Problem]:
    for event in (clock.starts, *clock.stops, *clock.restarts, *clock.continues):
        if event not in CLOCK_EVENTS:
            known = ", ".join(sorted(CLOCK_EVENTS))
            yield _at(source, event, f"clock '{clock.name}': unknown event '{event}'; known are: {known}", sources)
    profile = sla.profile(source.removeprefix("profile "))
    if clock.next and (clock.next == clock.name or profile is None or sla.clock(profile.key, clock.next) is None):
        yield _at(
            source, "next", f"clock '{clock.name}': hands on to '{clock.next}', no other clock of the profile", sources
        )
    if clock.ladder and clock.ladder not in sla.ladders:
        yield _at(source, clock.ladder, f"clock '{clock.name}': unknown ladder '{clock.ladder}'", sources)
    shares = [r.share for r in sla.rungs(clock) if r.share is not None]
    if shares != sorted(shares):
        yield _at(source, clock.name, f"clock '{clock.name}': rungs are not in ascending order", sources)
    keys = [r.key for r in sla.rungs(clock)]
    for key in sorted({k for k in keys if keys.count(k) > 1}):
        yield _at(source, clock.name, f"clock '{clock.name}': two rungs at {key}", sources)
    units = {clock.budget.unit, *(d.unit for d in clock.by_severity.values())}
    if len(units) > 1:
        yield _at(
            source, clock.name, f"clock '{clock.name}': one clock counts in one unit, not in {len(units)}", sources
        )


def _calendar_checks(calendar: CalendarPolicy, sources: dict[str, _Source]) -> Iterator[Problem]:
    try:
        ZoneInfo(calendar.zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield _at("calendars", calendar.zone, f"no such time zone: {calendar.zone}", sources)
        return
    if calendar.always:
        return
    if calendar.first_year > calendar.last_year:
        yield _at("calendars", "first_year", f"calendar '{calendar.key}': first_year lies after last_year", sources)
        return
    made = build(calendar)
    if not any(made.week):
        yield _at("calendars", calendar.key, f"calendar '{calendar.key}' is never open; give it windows", sources)
    for windows in made.week:
        for a, b in pairwise(windows):
            if b.start < a.end:
                yield _at("calendars", calendar.key, f"calendar '{calendar.key}': windows overlap", sources)
        for w in windows:
            if w.end <= w.start:
                yield _at(
                    "calendars", calendar.key, f"calendar '{calendar.key}': a window ends before it starts", sources
                )


# -- telling where


def _at(source: str, key: str, message: str, sources: dict[str, _Source]) -> Problem:
    found = sources.get(source)
    if found is None:
        return Problem(source, 0, key, message)
    word = re.escape(key.rsplit(".", 1)[-1])
    line = next((n for n, text in enumerate(found.text.splitlines(), 1) if re.search(rf"\b{word}\b", text)), 0)
    return Problem(f"{found.path.parent.name}/{found.path.name}", line, key, message)


def _located(path: str, message: str, data: dict[str, Any], sources: dict[str, _Source]) -> Problem:
    """A pydantic problem, brought to the file and line that it comes from."""
    parts = path.split(".")
    source, inner = parts[0], parts[1:]
    if parts[0] == "sla" and len(parts) > 2 and parts[1] in ("profiles", "calendars") and parts[2].isdigit():
        item = data["sla"][parts[1]][int(parts[2])]
        source = f"profile {item.get('key')}" if parts[1] == "profiles" else "calendars"
        inner = parts[3:]
    found = sources.get(source)
    if found is None:
        return Problem(f"{source}.toml", 0, ".".join(inner), message)
    return Problem(f"{found.path.parent.name}/{found.path.name}", _line(found.text, inner), ".".join(inner), message)


def _line(text: str, path: list[str]) -> int:
    """The line on which a key stands: array indexes are counted by their `[[table]]` headers."""
    lines, at = text.splitlines(), 0
    for n, part in enumerate(path):
        if part.isdigit():
            header = path[n - 1] if n else ""
            heads = [i for i, line in enumerate(lines) if re.match(rf"\s*\[\[(.*\.)?{re.escape(header)}\]\]", line)]
            if int(part) < len(heads):
                at = heads[int(part)]
        else:
            pattern = rf"\s*(\[+(.*\.)?)?[\"']?{re.escape(part)}[\"']?\s*(=|\]|\.)"
            at = next((i for i in range(at, len(lines)) if re.match(pattern, lines[i])), at)
    return at + 1


# -- comparing


def diff(old: PolicyBundle, new: PolicyBundle) -> list[tuple[str, Any, Any]]:
    """What differs: (path, old value, new value); None where there is none."""
    before = dict(_flat(old.model_dump(mode="json", exclude={"hash"})))
    after = dict(_flat(new.model_dump(mode="json", exclude={"hash"})))
    paths = sorted(before.keys() | after.keys())
    return [(p, before.get(p), after.get(p)) for p in paths if before.get(p) != after.get(p)]


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and (named := _named(value)):
        for inner in value:
            yield from _flat({k: v for k, v in inner.items() if k != named}, f"{path}[{inner[named]}]")
    else:
        yield path, value


def _named(values: list[Any]) -> str | None:
    """The field that tells the tables of a list apart."""
    for field in ("key", "name"):
        names = [v[field] for v in values if isinstance(v, dict) and field in v]
        if values and len(set(names)) == len(values):
            return field
    return None
