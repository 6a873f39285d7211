"""Time as people say it: how long until something is due, how long ago it was; and how worried to be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_timedelta

from complaints.domain.errors import InvalidInput
from web.language import N_, Speech

#: A deadline this near is worth a warning, where the clock itself does not say.
NEAR = timedelta(hours=24)


#: Days of other years are slips of the hand; some of them neither Python nor PostgreSQL can reckon with.
_YEARS = range(1900, 9999)
NO_DATE = N_("Write a date, such as 2026-11-30.")


def day_of(text: str, zone: ZoneInfo, field: str, *, later: int = 0) -> datetime | None:
    """The beginning of the day that somebody entered, or of one so many days `later`; None where nothing was.

    `InvalidInput` names the `field` of what is no date, or none of our time.
    """
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(NO_DATE, field) from None
    if day.year not in _YEARS:
        raise InvalidInput(NO_DATE, field)
    return datetime.combine(day + timedelta(days=later), time(), zone)


@dataclass(frozen=True)
class Due:
    """A deadline for the eye: words, the exact moment, and a tone that is shown in colour and in shape."""

    words: str
    exact: str
    iso: str
    tone: str  #: late, near, calm, paused, done
    shape: str  #: ▲ late, ◆ near, ● calm, ‖ paused, ✓ done


_SHAPES = {"late": "▲", "near": "◆", "calm": "●", "paused": "‖", "done": "✓"}


class Span:
    """Speaks about time as seen from one instant."""

    def __init__(self, speech: Speech, now: datetime) -> None:
        self.speech, self.now = speech, now

    def length(self, delta: timedelta) -> str:
        """How long: `3 hours`, `2 天`."""
        return format_timedelta(abs(delta), threshold=1.2, locale=self.speech.locale)

    def ago(self, at: datetime) -> str:
        """`3 hours ago`, `in 2 days`."""
        return format_timedelta(at - self.now, add_direction=True, threshold=1.2, locale=self.speech.locale)

    def due(
        self, at: datetime | None, *, paused: bool = False, done: bool = False, near: bool | None = None
    ) -> Due | None:
        """A deadline; None stays None. `near` overrides the rule of the last 24 hours."""
        if at is None:
            return None
        left = at - self.now
        if done:
            tone, words = "done", self.speech.say(N_("met"))
        elif paused:
            tone, words = "paused", self.speech.say(N_("paused"))
        elif left < timedelta(0):
            tone, words = "late", self.speech.say(N_("%(time)s late"), time=self.length(left))
        else:
            close = left < NEAR if near is None else near
            tone, words = "near" if close else "calm", self.speech.say(N_("%(time)s left"), time=self.length(left))
        return Due(words, self.speech.moment(at), at.isoformat(timespec="seconds"), tone, _SHAPES[tone])
