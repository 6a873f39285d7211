"""Ids: unique, ordered by time, and by the order in which they were made within a millisecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

from complaints.store.columns import new_id

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def test_ids_of_one_moment_are_in_the_order_in_which_they_were_made() -> None:
    made = [new_id(NOW) for _ in range(20_000)]  # more than the last group of its number holds
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}


def test_a_later_moment_is_later_whenever_it_was_made() -> None:
    later, earlier = new_id(NOW + timedelta(milliseconds=1)), new_id(NOW)
    assert earlier < later
