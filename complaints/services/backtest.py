"""Back-testing a policy on the case logs of the past. Reads only; the running policy is not touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Engine, text

from complaints.domain.backtest import LogEntry, Tally, at_receipt, judge, replay
from complaints.domain.policy import PolicyBundle

#: Of most events clocks need to know only that they happened; their data would be half of the work.
_LOGS = """
select c.id, c.received_at, c.jurisdiction, c.team, c.policy_hash, e.kind, e.at, e.from_status, e.to_status,
       case when e.kind in ('classified', 'reclassify', 'merged', 'extend', 'ask_third_party', 'refer_externally')
            then e.data end as data
from complaint c join event e on e.complaint_id = c.id
where c.received_at >= :since and c.received_at < :until and mod(abs(hashtext(c.id::text)::bigint), :of) = :part
order by c.id, e.seq
"""

#: Progress is told after so many cases.
_CHUNK = 100


def count(engine: Engine, since: datetime, until: datetime) -> int:
    """How many complaints were received in the period whose log is there: it goes when a case is erased."""
    with engine.connect() as connection:
        query = "select count(*) from complaint where received_at >= :since and received_at < :until"
        query += " and status <> 'erased'"
        return int(connection.execute(text(query), {"since": since, "until": until}).scalar_one())


def run(
    engine: Engine,
    own: Callable[[str], PolicyBundle],
    other: PolicyBundle,
    since: datetime,
    until: datetime,
    now: datetime,
    *,
    part: int = 0,
    of: int = 1,
    progress: Callable[[int], None] = lambda _: None,
) -> Tally:
    """Replay every case received in the period under its own policy and under `other`; memory stays constant.

    `part` of `of`: this process's share, so that several processes can divide the work. `progress` is told how many
    cases were done since it was told last.
    """
    tally = Tally()
    parameters = {"since": since, "until": until, "part": part, "of": of}
    with engine.connect().execution_options(stream_results=True, max_row_buffer=5000) as connection:
        rows = connection.execute(text(_LOGS), parameters)
        for first, log in _cases(rows):
            for name, policy in (("own", own(first.policy_hash)), ("other", other)):
                begun = at_receipt(policy, first.received_at, first.jurisdiction, log)
                case, clocks = replay(policy, begun, log)
                judge(name, policy, case, clocks, first.team, now, tally)
            tally.cases += 1
            if tally.cases % _CHUNK == 0:
                progress(_CHUNK)
    progress(tally.cases % _CHUNK)
    return tally


def _cases(rows: Any) -> Iterator[tuple[Any, list[LogEntry]]]:
    for _, group in groupby(rows, key=itemgetter(0)):
        entries = list(group)
        yield entries[0], [LogEntry(kind, at, old, new, data or {}) for *_, kind, at, old, new, data in entries]
