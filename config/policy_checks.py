"""What the parts of a policy must agree on, and what no single field can tell: names, calendars, clocks, ladders."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from complaints.domain.businesstime import Unit
from complaints.domain.calendars import window
from complaints.domain.policy import PolicyBundle
from complaints.domain.sla_policy import CalendarPolicy, ClockPolicy, Duration, Profile, RungPolicy
from complaints.domain.validation import EMAIL, PATTERNS
from complaints.domain.vocabulary import QUEUES
from complaints.notify.render import kinds
from config.policy_files import PolicyFiles, Problem, keys_of

#: Events of the case log that clocks may start, stop, restart or continue on.
CLOCK_EVENTS = frozenset(
    {
        "received", "classified", "route", "confirm_triage", "acknowledged", "submit_findings", "fast_track", "decide",
        "approve", "send_back", "finish_remedies", "send_response", "appeal", "uphold_outcome", "change_outcome",
        "refer_externally", "external_accepts", "external_changes", "external_closes", "confirm",
        "confirmation_timeout", "holding_response", "withdraw", "reject", "merge", "reopen",
        "new_facts", "acknowledgment_bounced", "archive",
    }
)  # fmt: skip
_NEED_CALENDAR = frozenset({Unit.WORKING_MINUTES, Unit.WORKING_HOURS, Unit.BUSINESS_DAYS})
_QUEUE = f"is no queue; there are: {', '.join(QUEUES)}"


class _Anything(Container[str]):
    """The names of a section that could not be read: any may be among them."""

    def __contains__(self, name: object) -> bool:
        return True


@dataclass(frozen=True)
class _Names:
    """What may be named, as written: also of tables that have faults of their own."""

    teams: Container[str]
    categories: Container[str]
    profiles: Container[str]
    calendars: Container[str]
    ladders: Container[str]


def _names(files: PolicyFiles) -> _Names:
    def keyed(section: str, tables: Any, *more: str) -> Container[str]:
        keys = keys_of(tables)
        whole = isinstance(tables, list) and len(keys) == len(tables)  # one without a key may be the one that is named
        return frozenset({*keys, *more}) if whole and section not in files.unread else _Anything()

    data = files.data
    sla, routing, taxonomy = (data.get(name, {}) for name in ("sla", "routing", "taxonomy"))
    ladders = sla.get("ladders", {})
    return _Names(
        keyed("routing", routing.get("teams")),
        keyed("taxonomy", taxonomy.get("categories")),
        keyed("profiles", sla.get("profiles", [])),
        keyed("calendars", sla.get("calendars", []), "24x7"),
        frozenset(ladders) if isinstance(ladders, dict) and "sla" not in files.unread else _Anything(),
    )


def cross_checks(bundle: PolicyBundle, files: PolicyFiles, stood_in: Container[str] = ()) -> Iterator[Problem]:
    """Everything that does not fit together. `stood_in`: fields `section.name` that are not the policy's own."""
    checks = _Checks(bundle, files, stood_in, _names(files))
    yield from checks.sections()
    for calendar in bundle.sla.calendars:
        yield from checks.calendar(calendar)
    for name, ladder in bundle.sla.ladders.items():
        yield from checks.rungs("sla", f"ladder '{name}'", ladder)
    if bundle.sla.quiet is not None and not _is_zone(bundle.sla.quiet.zone):
        yield files.at("sla", "quiet.zone", f"no such time zone: {bundle.sla.quiet.zone}", bundle.sla.quiet.zone)
    for profile in bundle.sla.profiles:
        yield from checks.profile(profile)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _twice(keys: list[str]) -> list[str]:
    return sorted({key for key in keys if keys.count(key) > 1})


@dataclass(frozen=True)
class _Checks:
    """The checks of one policy."""

    bundle: PolicyBundle
    files: PolicyFiles
    stood_in: Container[str]
    names: _Names

    def own(self, field: str) -> bool:
        return field not in self.stood_in and field.partition(".")[0] not in self.stood_in

    # -- sections that name each other

    def sections(self) -> Iterator[Problem]:
        bundle, at, names = self.bundle, self.files.at, self.names
        for team in bundle.routing.teams if self.own("routing.teams") else ():
            if team.email and not re.match(EMAIL, team.email):
                yield at("routing", team.email, f"team '{team.key}': {PATTERNS[EMAIL]}", team.email)
        for category in bundle.taxonomy.categories if self.own("taxonomy.categories") else ():
            if category.team not in names.teams:
                yield at("taxonomy", category.team, f"category '{category.key}' names an unknown team")
            for key in category.profiles:
                if key not in names.profiles:
                    yield at("taxonomy", key, f"category '{category.key}' names an unknown profile")
        if self.own("taxonomy.fallback") and bundle.taxonomy.fallback not in names.categories:
            yield at("taxonomy", "fallback", "must be one of the categories")
        if self.own("routing.default_team") and bundle.routing.default_team not in names.teams:
            yield at("routing", "default_team", "must be one of the teams")
        for severity, queue in bundle.routing.queues.items() if self.own("routing.queues") else ():
            if queue not in QUEUES:
                yield at("routing", f"queues.{severity}", f"'{queue}' {_QUEUE}")
        for key in bundle.authority.approve_categories if self.own("authority.approve_categories") else ():
            if key not in names.categories:
                yield at("authority", key, "unknown category")
        for key in bundle.retention.by_category if self.own("retention.by_category") else ():
            if key not in names.categories:
                yield at("retention", key, "unknown category")
        for solution in bundle.lifecycle.solutions if self.own("lifecycle.solutions") else ():
            if solution.category not in names.categories:
                yield at("lifecycle", solution.category, f"solution '{solution.key}' names an unknown category")
        for kind in bundle.notifications.silent_kinds if self.own("notifications.silent_kinds") else ():
            if kind == "acknowledgment":
                yield at("notifications", kind, "an acknowledgment is owed to everybody; it cannot be silenced")
            elif kind not in kinds():
                yield at("notifications", kind, f"there are no letters of this kind; there are: {', '.join(kinds())}")
        for section, list_ in (
            ("taxonomy", "categories"),
            ("taxonomy", "root_causes"),
            ("routing", "teams"),
            ("lifecycle", "solutions"),
        ):
            for key in _twice(keys_of(self.files.data.get(section, {}).get(list_))):
                yield at(section, key, f"the key '{key}' is used twice in {list_}")

    # -- calendars

    def calendar(self, calendar: CalendarPolicy) -> Iterator[Problem]:
        """`always` needs nothing but its zone."""
        if not _is_zone(calendar.zone):
            yield self.files.at("calendars", calendar.zone, f"no such time zone: {calendar.zone}")
        if calendar.always:
            return
        if calendar.first_year > calendar.last_year:
            what = f"calendar '{calendar.key}': first_year lies after last_year"
            yield self.files.at("calendars", "first_year", what, after=calendar.key)
        if not self._opens(calendar.key):
            yield self._of(calendar, "is never open; give it windows")
        for texts in calendar.week.values():
            yield from self._windows(calendar, texts)
        for extra in calendar.extra_days:
            yield from self._windows(calendar, extra.windows)
        yield from self._dates(calendar)

    def _of(self, calendar: CalendarPolicy, what: str, word: str = "") -> Problem:
        return self.files.at("calendars", calendar.key, f"calendar '{calendar.key}' {what}", word, calendar.key)

    def _opens(self, key: str) -> bool:
        """Is a window written for any weekday, sound or not?"""
        weeks = [
            c.get("week") or {}
            for c in self.files.data["sla"]["calendars"]
            if isinstance(c, dict) and c.get("key") == key
        ]
        return any(not isinstance(week, Mapping) or any(week.values()) for week in weeks)

    def _windows(self, calendar: CalendarPolicy, texts: tuple[str, ...]) -> Iterator[Problem]:
        found = sorted(((window(text), text) for text in texts), key=lambda pair: pair[0].start)
        for one, text in found:
            if one.end <= one.start:
                start, _, end = text.partition("-")
                split = f"'{start}-24:00' and, on the day after, '00:00-{end}'"
                yield self._of(
                    calendar, f"has a window that ends before it starts: split it at midnight, {split}", text
                )
        for (a, first), (b, second) in pairwise(pair for pair in found if pair[0].end > pair[0].start):
            if b.start < a.end:
                yield self._of(calendar, f"has windows that overlap: {first} and {second}", second)

    def _dates(self, calendar: CalendarPolicy) -> Iterator[Problem]:
        """Days that are named lie in the years that are calculated with."""
        years = range(calendar.first_year, calendar.last_year + 1)
        told = f"{calendar.first_year} to {calendar.last_year}; widen first_year or last_year, or drop it"
        for closure in calendar.closures:
            last = closure.until or closure.day
            if last < closure.day:
                yield self._of(calendar, f"has a closure that ends on {last}, before it begins", str(closure.day))
            for day in {closure.day, last}:
                if years and day.year not in years:
                    yield self._of(calendar, f"has a closure on {day}, outside {told}", str(day))
        for extra in calendar.extra_days:
            if years and extra.day.year not in years:
                yield self._of(calendar, f"has an extra day on {extra.day}, outside {told}", str(extra.day))
        for twice in _twice([str(extra.day) for extra in calendar.extra_days]):
            yield self._of(calendar, f"has the extra day {twice} twice", twice)

    # -- profiles

    def profile(self, profile: Profile) -> Iterator[Problem]:
        """A profile and its clocks."""
        source, at = f"profile {profile.key}", self.files.at
        if profile.evidence != "ours" and not profile.citation.strip():
            what = f"is empty, but the evidence is {profile.evidence}: cite the rule, or say that it is ours"
            yield at(source, "citation", what)
        if profile.effective_from and profile.effective_until and profile.effective_from > profile.effective_until:
            yield at(source, "effective_from", "lies after effective_until")
        for key in profile.applies.categories:
            if key not in self.names.categories:
                yield at(source, key, "unknown category")
        for path in profile.unverified:
            if profile.said(path) in (None, ""):
                what = f"'{path}' is nothing that the profile says; give keys as in external_body.address"
                yield at(source, "unverified", what, path)
        for name in _twice([c.name for c in profile.clocks]):
            yield at(source, name, f"the clock '{name}' is declared twice")
        others = {c.name for c in profile.clocks}
        for clock in profile.clocks:
            yield from self._clock(source, clock)
            if clock.next and clock.next not in others - {clock.name}:
                yield at(
                    source, "next", f"clock '{clock.name}': hands on to '{clock.next}', no other clock of the profile"
                )

    def _clock(self, source: str, clock: ClockPolicy) -> Iterator[Problem]:
        of, at = f"clock '{clock.name}'", self.files.at
        if clock.calendar not in self.names.calendars:
            yield at(source, clock.calendar, f"{of}: unknown calendar '{clock.calendar}'")
        for event in (clock.starts, *clock.stops, *clock.restarts, *clock.continues):
            if event not in CLOCK_EVENTS:
                known = ", ".join(sorted(CLOCK_EVENTS))
                yield at(source, event, f"{of}: unknown event '{event}'; known are: {known}")
        if clock.ladder and clock.ladder not in self.names.ladders:
            yield at(source, clock.ladder, f"{of}: unknown ladder '{clock.ladder}'")
        yield from self.rungs(source, of, clock.rungs)
        rungs = self.bundle.sla.rungs(clock)
        shares = [r.share for r in rungs if r.share is not None]
        if shares != sorted(shares):
            yield at(source, clock.name, f"{of}: rungs are not in ascending order")
        for key in _twice([r.key for r in rungs]):
            yield at(source, clock.name, f"{of}: two rungs at {key}")
        yield from self._budgets(source, clock)

    def _budgets(self, source: str, clock: ClockPolicy) -> Iterator[Problem]:
        of, at = f"clock '{clock.name}'", self.files.at
        budgets: list[Duration] = [clock.budget, *clock.by_severity.values()]
        units = {budget.unit for budget in budgets}
        if len(units) > 1:
            yield at(source, clock.name, f"{of}: one clock counts in one unit, not in {len(units)}")
        always = {"24x7", *(c.key for c in self.bundle.sla.calendars if c.always)}
        for unit in sorted(units & _NEED_CALENDAR if clock.calendar in always else ()):
            what = f"{of}: {unit} need a calendar with opening hours; '{clock.calendar}' is always open"
            yield at(source, clock.name, what)
        if any(budget.first_day and not budget.amount for budget in budgets):
            what = f"{of}: with first_day = 1 the day of receipt is the first, so the amount is 1 at least"
            yield at(source, clock.name, what)

    def rungs(self, source: str, of: str, rungs: tuple[RungPolicy, ...]) -> Iterator[Problem]:
        """Where rungs lead to."""
        for rung in rungs:
            if rung.webhook is not None and not _is_address(rung.webhook):
                what = f"{of}: '{rung.webhook}' is no address; give one that begins with http:// or https://"
                yield self.files.at(source, "webhook", what, rung.webhook)
            if rung.queue is not None and rung.queue not in QUEUES:
                yield self.files.at(source, "queue", f"{of}: '{rung.queue}' {_QUEUE}", rung.queue)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
