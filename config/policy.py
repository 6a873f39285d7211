"""Loading and checking a policy: a folder of TOML files becomes one frozen bundle, or a list of all that is wrong.

Each problem names file, key and line and says what to do. A folder may `extends` another (in `policy.toml`): its tables
are then merged key by key over that one's.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from complaints.domain.errors import FieldProblem, PolicyInvalid
from complaints.domain.policy import PolicyBundle
from complaints.domain.sla_policy import Profile
from complaints.domain.validation import problems_of
from config.policy_checks import cross_checks
from config.policy_files import SECTIONS, PolicyFiles, Problem, read_files
from config.policy_holidays import fill_holidays

_SHIPPED = Path(__file__).with_name("policies") / "default"
#: A calendar that ends within so many months is warned of: deadlines begin to reach beyond it.
_ENDS_SOON = 12
_BEYOND = "beyond it no holidays are known and the week goes on without; extend its years"


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
    """The bundle (None when there are problems) and the problems, of all kinds at once."""
    if not folder.is_dir():
        return None, [Problem(str(folder), 0, "", "no such folder; give one with taxonomy.toml, routing.toml, …")]
    files = read_files(folder)
    for section in SECTIONS:
        if section not in files.data and section not in {"notifications", *files.unread}:
            files.problems.append(Problem(f"{folder.name}/{section}.toml", 0, "", "is missing"))
            files.unread.add(section)
    calendars = files.data["sla"].get("calendars", [])
    for calendar in calendars if isinstance(calendars, list) else ():
        if isinstance(calendar, dict):  # else the model says what is wrong
            fill_holidays(calendar, files)
    bundle = _bundle(str(files.data.pop("policy").get("name", folder.name)), files)
    return (None, _in_order(files.problems)) if files.problems else (bundle, [])


def _bundle(name: str, files: PolicyFiles) -> PolicyBundle:
    """The bundle; what is wrong goes to the files' problems, and the bundle then stands without it."""
    content = json.dumps(files.data, sort_keys=True, ensure_ascii=False, default=str)
    data = {**files.data, "name": name, "hash": hashlib.sha256(content.encode()).hexdigest()}
    stood_in: set[str] = set()
    try:
        bundle = PolicyBundle(**data)
    except ValidationError as error:
        files.problems += [files.located(p.field, _advised(p)) for p in problems_of(error) if _told(p, files)]
        bundle, stood_in = _without_faults(data, error)
    files.problems += cross_checks(bundle, files, stood_in)
    return bundle


def _told(problem: FieldProblem, files: PolicyFiles) -> bool:
    """What is missing in a section that could not be read may stand there."""
    return problem.code != "missing" or problem.field.split(".")[0] not in files.unread


def _advised(problem: FieldProblem) -> str:
    """The message, with what to do where pydantic does not say it."""
    advice = {"extra_forbidden": "; remove it, or correct its spelling", "missing": "; add it"}.get(problem.code, "")
    if problem.code == "string_pattern_mismatch" and _IN_WINDOWS.search(problem.field):
        return "write opening hours as 09:00-17:30"
    return problem.message + advice


_IN_WINDOWS = re.compile(r"\.(week|windows)\.")


def _in_order(problems: list[Problem]) -> list[Problem]:
    """File by file, from top to bottom; no problem twice."""
    order = {name: n for n, name in enumerate(dict.fromkeys(p.file for p in problems))}
    return sorted(dict.fromkeys(problems), key=lambda p: (order[p.file], p.line))


# -- going on in spite of faults: the rest can be checked, too


def _without_faults(data: dict[str, Any], error: ValidationError) -> tuple[PolicyBundle, set[str]]:
    """A bundle of what is sound, and the fields `section.name` in which the shipped policy stands in."""
    rest, stood_in = deepcopy(data), set[str]()
    while True:
        doomed: set[tuple[int | str, ...]] = set()
        for item in error.errors(include_url=False, include_context=False, include_input=False):
            place = item["loc"]
            if item["type"] == "missing" and not any(isinstance(part, int) for part in place):
                _put(rest, place, deepcopy(_find(_shipped(), place)))
                stood_in.add(".".join(map(str, place[:2])))
            else:
                doomed.add(_existing(rest, place))
        for place in sorted(doomed, key=lambda p: (len(p), [f"{part:>9}" for part in p]), reverse=True):
            del _find(rest, place[:-1])[place[-1]]  # the deepest first, and the last of a list
        try:
            return PolicyBundle(**rest), stood_in
        except ValidationError as next_error:
            error = next_error


def _existing(data: Any, place: Sequence[int | str]) -> tuple[int | str, ...]:
    """The deepest element on the way to a place that there is: the wrong value, or the table that lacks something."""
    found: list[int | str] = []
    for part in place:
        there = part in data if isinstance(data, dict) else isinstance(data, list) and isinstance(part, int)
        if not there:
            break
        found.append(part)
        data = data[part]
    return tuple(found)


def _find(data: Any, place: Sequence[int | str]) -> Any:
    for part in place:
        data = data[part]
    return data


def _put(data: Any, place: Sequence[int | str], value: Any) -> None:
    _find(data, place[:-1])[place[-1]] = value


@cache
def _shipped() -> dict[str, Any]:
    return read_files(_SHIPPED).data


# -- what to know beside


def warnings(bundle: PolicyBundle, today: date) -> list[str]:
    """What is not wrong but should be known before relying on the policy."""
    told = [
        f"calendar '{c.key}': the official calendar of {', '.join(map(str, c.provisional))} is not out; "
        "statutory holidays are used, without make-up working days"
        for c in bundle.sla.calendars
        if c.provisional
    ]
    return told + ending(bundle, today) + [line for p in bundle.sla.profiles for line in _unverified(p)]


def _unverified(profile: Profile) -> Iterator[str]:
    """What a profile rests on that nobody has read in the rule itself, or anywhere."""
    if profile.verify_first:
        yield f"profile '{profile.key}': evidence {profile.evidence}, verify before you rely on it ({profile.citation})"
    told = "; ".join(f"{one.path} = {one.value}" for one in profile.unverified_of())
    if told:
        yield f"profile '{profile.key}': no source says this, verify before you rely on it: {told}"


def ending(bundle: PolicyBundle, today: date) -> list[str]:
    """Calendars whose known years are nearly over, or are: beyond them, holidays count as working days."""
    told = []
    for calendar in bundle.sla.calendars:
        months = 12 * (calendar.last_year + 1 - today.year) - today.month + 1
        if not calendar.always and months <= _ENDS_SOON:
            when = f"ends in {months} month{'s' * (months != 1)}" if months > 0 else "has ended"
            told.append(f"calendar '{calendar.key}' {when} (last_year = {calendar.last_year}): {_BEYOND}")
    return told


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
