"""Public holidays of the calendars of a policy, from maintained libraries, for every year that they claim to know."""

from __future__ import annotations

import warnings
from datetime import date
from typing import Any

import chinese_calendar
import holidays as holiday_library

from complaints.domain.sla_policy import CalendarPolicy
from config.policy_files import PolicyFiles


def fill_holidays(calendar: dict[str, Any], files: PolicyFiles) -> None:
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
        files.problems.append(files.at("calendars", f"calendars.{key}", str(error)))
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
    """The library says by a warning which years it has no data of, be it of a single holiday: then the year is not
    known."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            made = holiday_library.country_holidays(
                country, subdiv=region or None, years=range(first, last + 1), language="en_US"
            )
        except NotImplementedError:
            raise LookupError(f"no holidays are known for country {country!r}, region {region!r}") from None
    found = dict(made.items())
    years = range(max(first, made.start_year), min(last, made.end_year) + 1)
    missing = [y for y in range(first, last + 1) if y not in years or not any(d.year == y for d in found)]
    said = {str(w.message).rstrip(".") for w in told if w.category is UserWarning}
    if missing:
        said.add(f"no holidays are known for {', '.join(map(str, missing))}")
    if said:
        raise LookupError(f"{country}: {'; '.join(sorted(said))}; narrow first_year and last_year")
    return found
