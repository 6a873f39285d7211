"""What the dashboards show: each panel is a picture, its table and how it is counted; tiles compare two periods."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit
from markupsafe import Markup

from complaints.domain.vocabulary import SEVERITIES, Language
from complaints.services import figures
from complaints.services.figures import AGES, AHEAD, InTime, Slice
from complaints.store.unit import Work
from web.console import charts
from web.console.charts import Series
from web.console.labels import Labels, yes_or_no
from web.language import N_, Speech

#: So many bars has a Pareto picture; the rest is one bar.
_BARS = 10


class Share(float):
    """A part of a whole, 0 to 1; shown in percent."""


@dataclass(frozen=True)
class Panel:
    """One picture with its table."""

    key: str
    title: str
    how: str
    picture: Markup
    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    wide: bool = False  #: takes the whole width: its table has long texts

    @property
    def numeric(self) -> frozenset[int]:
        """Columns of numbers: their heads stand over them, at the end."""
        shown = range(len(self.head))
        return frozenset(n for n in shown if any(_is_number(row[n]) for row in self.rows))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True)
class Tile:
    """One figure, and what it was in the period before (None: it is a state of now)."""

    title: str
    value: str
    before: str | None = None
    picture: Markup = field(default_factory=Markup)


@dataclass
class Told:
    """Makes panels for one reader out of one slice."""

    work: Work
    part: Slice
    speech: Speech
    label: Labels
    categories: Mapping[str, str]
    causes: Mapping[str, str]
    upheld: bool = False

    def number(self, value: float) -> str:
        """As the reader's language writes it: one digit after the point, two that count where the value is small."""
        small = 0 < abs(value) < 1
        return str(format_decimal(value, format="@#" if small else "#,##0.#", locale=self.speech.locale))

    def length(self, days: float) -> str:
        """How long, in the largest unit of which it has at least one: `2.5 days`, `3 hours`."""
        unit, factor = _unit(days)
        # babel knows no long form of 天
        form: Literal["long", "short"] = "short" if self.speech.language is Language.ZH else "long"
        said = format_unit(days * factor, f"duration-{unit}", form, format="#,##0.#", locale=self.speech.locale)
        return str(said)

    def share(self, value: float) -> str:
        """A share in percent."""
        return str(format_percent(value, format="#,##0.#%", locale=self.speech.locale))

    def cell(self, value: object) -> str:
        """What a table shows."""
        if value is None:
            return "–"
        if isinstance(value, bool):
            return yes_or_no(self.speech, value)
        if isinstance(value, Share):
            return self.share(value)
        if isinstance(value, int | float):
            return self.number(value)
        if isinstance(value, datetime):
            return self.speech.moment(value)
        return self.day(value) if isinstance(value, date) else str(value)

    def day(self, value: date) -> str:
        """A short date; with its year where the period has a day twice."""
        pattern = "M月d日" if self.speech.language == "zh-CN" else "d MMM"
        if self.long:
            pattern = f"y年{pattern}" if self.speech.language == "zh-CN" else f"{pattern} y"
        return str(format_date(value, pattern, locale=self.speech.locale))

    @property
    def long(self) -> bool:
        """More than a year."""
        return self.part.until - self.part.since > timedelta(days=366)

    def month(self, value: date) -> str:
        """A month."""
        pattern = "y年M月" if self.speech.language == "zh-CN" else "MMM y"
        return str(format_date(value, pattern, locale=self.speech.locale))

    @cached_property
    def severities(self) -> list[tuple[str, str]]:
        """Codes with their words, worst first."""
        return [(s.value, self.label("severity", s)) for s in SEVERITIES]

    def tile(self, title: str, count: Callable[[Slice], float | None], say: Callable[[float], str]) -> Tile:
        """A figure of the period and of the one before."""
        now, before = count(self.part), count(self.part.before)
        return Tile(title, "–" if now is None else say(now), "–" if before is None else say(before))


def today(told: Told) -> tuple[list[Tile], list[Panel]]:
    """What came and went, and what lies here."""
    say, part = told.speech.say, told.part
    found = figures.today(told.work, part)
    days = _days(part)
    came = [found.arrivals.get(day, 0) for day in days]
    went = [found.closures.get(day, 0) for day in days]
    before = part.before
    tiles = [
        Tile(
            say(N_("Arrived")),
            told.number(sum(came)),
            told.number(figures.count(told.work, before, closed=False)),
            charts.spark(say(N_("Arrived")), came),
        ),
        Tile(
            say(N_("Closed")),
            told.number(sum(went)),
            told.number(figures.count(told.work, before, closed=True)),
            charts.spark(say(N_("Closed")), went),
        ),
        Tile(say(N_("Open now")), told.number(sum(found.ages.values()))),
        Tile(say(N_("Late now")), told.number(sum(n for (_, p), n in found.ahead.items() if p < 0))),
    ]
    flow = Panel(
        "flow",
        say(N_("Arrivals and closures by day")),
        say(N_("Complaints by day of receipt and by day of closing, in the time zone of the installation.")),
        charts.lines(
            told.speech,
            say(N_("Arrivals and closures by day")),
            [told.day(d) for d in days],
            [Series(say(N_("Arrived")), came), Series(say(N_("Closed")), went)],
            told.number,
        ),
        [say(N_("Day")), say(N_("Arrived")), say(N_("Closed"))],
        list(zip(days, came, went, strict=True)),
    )
    backlog = _by_severity(
        told,
        "backlog",
        say(N_("Open complaints by age")),
        say(N_("All complaints that are not closed, by days since receipt; the period does not narrow them.")),
        _ages(told),
        found.ages,
        range(len(AGES)),
    )
    ahead = _by_severity(
        told,
        "ahead",
        say(N_("Breaches ahead")),
        say(N_("Open complaints by their next deadline: already late, then by when it comes. Each is counted once.")),
        [say(N_("late")), *(_within(told, n) for n in range(len(AHEAD)))],
        found.ahead,
        range(-1, len(AHEAD)),
    )
    return tiles, [flow, backlog, ahead]


def _by_severity(
    told: Told,
    key: str,
    title: str,
    how: str,
    labels: Sequence[str],
    found: Mapping[tuple[str, int], int],
    places: Sequence[int],
) -> Panel:
    series = [Series(name, [found.get((code, p), 0) for p in places]) for code, name in told.severities]
    rows = [[label, *(s.values[n] or 0 for s in series)] for n, label in enumerate(labels)]
    head = [told.speech.say(N_("When")), *(s.name for s in series), told.speech.say(N_("Together"))]
    table = [[*row, sum(v for v in row[1:] if isinstance(v, int | float))] for row in rows]
    return Panel(key, title, how, charts.stacked(told.speech, title, labels, series, told.number), head, table)


def _ages(told: Told) -> list[str]:
    made = [
        told.speech.say(N_("%(first)s–%(last)s days"), first=first, last=after - 1)
        for first, after in itertools.pairwise(AGES)
    ]
    return [*made, told.speech.say(N_("over %(days)s days"), days=AGES[-1] - 1)]


def _within(told: Told, place: int) -> str:
    hours = AHEAD[place]
    if hours <= 24:
        return told.speech.say(N_("next %(hours)s hours"), hours=hours)
    return told.speech.say(N_("next %(days)s days"), days=hours // 24)


def _days(part: Slice) -> list[date]:
    zone = ZoneInfo(part.zone)
    first, last = part.since.astimezone(zone).date(), (part.until - timedelta(seconds=1)).astimezone(zone).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def timeliness(told: Told) -> tuple[list[Tile], list[Panel]]:
    """What was in time, and how long it took."""
    say, part = told.speech.say, told.part
    ended = figures.in_time(told.work, part)
    taken = {p: figures.took(told.work, p, answered=True) for p in (part, part.before)}
    known = {p: figures.took(told.work, p, answered=False) for p in (part, part.before)}
    clocks_before = figures.in_time(told.work, part.before)
    tiles = [
        Tile(say(N_("In time")), _rate(told, ended), _rate(told, clocks_before)),
        told.tile(say(N_("Answer: median")), lambda p: taken[p].median, told.length),
        told.tile(say(N_("Answer: nine of ten within")), lambda p: taken[p].p90, told.length),
        told.tile(say(N_("Acknowledgment: median")), lambda p: known[p].median, told.length),
    ]
    title = say(N_("Clocks met in time by month"))
    months = sorted({one.month for one in ended})
    names = list(dict.fromkeys((one.profile, one.clock) for one in ended))
    found = {(one.profile, one.clock, one.month): one for one in ended}
    series = [Series(_clock(told, *name), [_part(found.get((*name, m))) for m in months]) for name in names]
    panel = Panel(
        "clocks",
        title,
        say(
            N_(
                "Clocks that ended in the period, by month of their end: in time are those that stopped at or before "
                "their deadline, pauses and extensions counted as the profile says. Cancelled clocks count nowhere."
            )
        ),
        charts.lines(told.speech, title, [told.month(m) for m in months], series, told.share),
        [say(N_("Month")), say(N_("Clock")), say(N_("Ended")), say(N_("Met in time")), say(N_("Share"))],
        [
            [told.month(o.month), _clock(told, o.profile, o.clock), o.ended, o.met, Share(o.met / o.ended)]
            for o in ended
        ],
    )
    return tiles, [panel, _lengths(told, taken[part], known[part])]


def _lengths(told: Told, taken: figures.Took, known: figures.Took) -> Panel:
    say = told.speech.say
    marks = [known.median, taken.median, known.p90, taken.p90]
    unit, factor = _unit(max((m for m in marks if m is not None), default=1))
    title = say(_FROM_RECEIPT[unit])
    labels = [say(N_("Acknowledgment")), say(N_("Answer"))]
    series = [
        Series(say(N_("Median")), [_times(known.median, factor), _times(taken.median, factor)]),
        Series(say(N_("Nine of ten within")), [_times(known.p90, factor), _times(taken.p90, factor)]),
    ]
    how = say(N_("Calendar time from receipt to the acknowledgment and to the answer, of what was sent in the period."))
    rows = [
        [label, one.number, *(s.values[n] for s in series)]
        for n, (label, one) in enumerate(zip(labels, (known, taken), strict=True))
    ]
    head = [say(N_("What")), say(N_("Number")), say(N_("Median")), say(N_("Nine of ten within"))]
    flat = [told.speech.series((label, one.name)) for label in labels for one in series]
    values = [one.values[n] for n in range(2) for one in series]
    return Panel(
        "lengths", title, how, charts.stacked(told.speech, title, flat, [Series("", values)], told.number), head, rows
    )


#: Units of a length, the largest first: what babel calls it, how many make a day.
_UNITS = (("day", 1), ("hour", 24), ("minute", 24 * 60))
_FROM_RECEIPT = {
    "day": N_("Days from receipt"),
    "hour": N_("Hours from receipt"),
    "minute": N_("Minutes from receipt"),
}


def _unit(days: float) -> tuple[str, int]:
    return next(((unit, factor) for unit, factor in _UNITS if days * factor >= 1), _UNITS[-1])


def _times(value: float | None, factor: int) -> float | None:
    return None if value is None else float(value * factor)


def _clock(told: Told, profile: str, name: str) -> str:
    """The clock, and the rule it is of."""
    found = told.work.policy.sla.profile(profile)
    title = found.title(told.speech.language) if found else profile
    return told.speech.aside(told.label("clock", name), title)


def _part(one: InTime | None) -> float | None:
    return one.met / one.ended if one else None


def _rate(told: Told, ended: Sequence[InTime]) -> str:
    number = sum(one.ended for one in ended)
    return told.share(sum(one.met for one in ended) / number) if number else "–"


def causes(told: Told) -> tuple[list[Tile], list[Panel]]:
    """Why people complain: the few causes that make most of it."""
    say = told.speech.say
    how = told.speech.sentences(
        say(N_("Complaints closed in the period, most frequent first; the line adds their shares up.")),
        say(N_("Only those upheld or partly upheld.")) if told.upheld else say(N_("Whatever the finding was.")),
    )
    made = []
    for key, root, title, names in (
        ("categories", False, say(N_("Categories")), told.categories),
        ("roots", True, say(N_("Root causes")), told.causes),
    ):
        found = figures.causes(told.work, told.part, root=root, upheld=told.upheld)
        made.append(_pareto(told, key, title, how, [(names.get(c, c) or say(N_("not said")), n) for c, n in found]))
    tiles = [
        told.tile(say(N_("Closed")), lambda p: figures.count(told.work, p, closed=True), told.number),
        told.tile(say(N_("Upheld, wholly or partly")), lambda p: _upheld(told, p), told.number),
    ]
    return tiles, made


def _upheld(told: Told, part: Slice) -> int:
    return sum(n for _, n in figures.causes(told.work, part, root=False, upheld=True))


def _pareto(told: Told, key: str, title: str, how: str, found: list[tuple[str, int]]) -> Panel:
    total = sum(n for _, n in found)
    shown = found[:_BARS]
    if len(found) > _BARS:
        shown.append((told.speech.say(N_("the rest")), sum(n for _, n in found[_BARS:])))
    rows, so_far = [], 0
    for name, number in found:
        so_far += number
        rows.append([name, number, Share(number / total), Share(so_far / total)])
    say = told.speech.say
    head = [title, say(N_("Number")), say(N_("Share")), say(N_("Added up"))]
    return Panel(key, title, how, charts.pareto(told.speech, title, shown, total, told.number, told.share), head, rows)


def satisfaction(told: Told) -> tuple[list[Tile], list[Panel]]:
    """What customers say of how they were treated."""
    say = told.speech.say
    now, before = (figures.contentment(told.work, p) for p in (told.part, told.part.before))

    def tile(title: str, of: Callable[[figures.Contentment], float | None], tell: Callable[[float], str]) -> Tile:
        values = [of(now), of(before)]
        first, second = ("–" if v is None else tell(v) for v in values)
        return Tile(title, first, second)

    tiles = [
        tile(say(N_("Answers")), lambda c: c.answers, told.number),
        tile(say(N_("Response rate")), lambda c: _of(c.replied, c.asked), told.share),
        tile(say(N_("Mean rating")), lambda c: _mean(c.ratings), told.number),
        tile(say(N_("Matter resolved")), lambda c: _of(c.resolved, c.resolved_known), told.share),
        tile(say(N_("Mean effort")), lambda c: _mean(c.efforts), told.number),
    ]
    ratings = say(N_("How satisfied (1 to 5)")), say(N_("Survey answers given in the period; 5 is the best."))
    efforts = say(N_("How much effort (1 to 5)")), say(N_("What it cost the customer; 5 is the most."))
    panels = [
        _marks(told, "ratings", *ratings, now.ratings),
        _marks(told, "efforts", *efforts, now.efforts),
        _verbatim(told),
    ]
    return tiles, panels


def _mean(found: Mapping[int, int]) -> float | None:
    number = sum(found.values())
    return sum(mark * n for mark, n in found.items()) / number if number else None


def _of(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _marks(told: Told, key: str, title: str, how: str, found: Mapping[int, int]) -> Panel:
    total, values = sum(found.values()) or 1, [found.get(n, 0) for n in range(1, 6)]
    picture = charts.stacked(told.speech, title, [str(n) for n in range(1, 6)], [Series("", values)], told.number)
    head = [told.speech.say(N_("Mark")), told.speech.say(N_("Number")), told.speech.say(N_("Share"))]
    return Panel(key, title, how, picture, head, [[n, v, Share(v / total)] for n, v in enumerate(values, 1)])


def _verbatim(told: Told) -> Panel:
    say = told.speech.say
    rows = [
        [one.reference, one.at, one.rating, one.resolved, one.words] for one in figures.verbatim(told.work, told.part)
    ]
    head = [
        say(N_("Reference")),
        say(N_("When")),
        say(N_("Satisfaction")),
        say(N_("Resolved")),
        say(N_("In their words")),
    ]
    how = say(N_("The latest 50 answers of the period that have words."))
    return Panel("words", say(N_("In their words")), how, Markup(""), head, rows, wide=True)


TABS: Mapping[str, tuple[str, Callable[[Told], tuple[list[Tile], list[Panel]]]]] = {
    "": (N_("Today"), today),
    "timeliness": (N_("Timeliness"), timeliness),
    "causes": (N_("Causes"), causes),
    "satisfaction": (N_("Satisfaction"), satisfaction),
}
