"""How fast all processes together may do something: one row of the database is the turnstile."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine, text

#: The name of a turnstile's row among the system's marks.
PREFIX = "pace:"
#: Seconds' worth that may come at once.
_BURST = 10.0
#: The generic cell rate algorithm (ITU-T I.371), one statement: `at` is when the next one would be due at an even pace;
#: it may lie ahead of now by what a burst allows. Who comes too early changes nothing and is told how long to wait.
_TAKE = text("""
    with taken as (
        insert into systemmark (name, at, detail) values (:name, clock_timestamp() + :step, '{}')
        on conflict (name) do update set at = greatest(systemmark.at, clock_timestamp()) + :step
            where systemmark.at <= clock_timestamp() + :ahead
        returning 0.0 as wait
    )
    select wait from taken
    union all
    select greatest(0.01, extract(epoch from at - :ahead - clock_timestamp())) from systemmark
        where name = :name and not exists (select from taken)
""")


class SharedPace:
    """At most `per_minute` in any minute on average, in bursts of up to ten seconds' worth, whoever takes them: it
    holds for all processes, threads and machines of one database, by the database's own clock."""

    def __init__(self, engine: Engine, name: str, per_minute: int) -> None:
        step, most = 60 / per_minute, max(1.0, per_minute / 60 * _BURST)
        self._engine = engine
        self._values = {
            "name": PREFIX + name,
            "step": timedelta(seconds=step),
            "ahead": timedelta(seconds=step * (most - 1)),
        }

    def take(self) -> float:
        """Take one. Returns 0 when it was free, else how many seconds until it may be (nothing is taken then)."""
        with self._engine.begin() as connection:
            wait = connection.execute(_TAKE, self._values).scalar()
        return 0.01 if wait is None else float(wait)  # none: others made the row since our statement began to look
