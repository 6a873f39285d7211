"""Fills a database with a company's ten years: by default 1,000,000 complaints, 100,000 of them open.

    python -m bench.console_data --home /some/folder [--complaints 1000000 --open 100000]

A dozen cases are made by the real services and walked to where they shall stand; the database then multiplies them,
each copy with its own complainant, words, dates, people and clocks. So every page shows a row that the product made.
Everything is derived from the row's number: the same call makes the same data.
"""

from __future__ import annotations

import argparse
import io
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from rich.progress import Progress

from complaints.domain.intake import NewComplainant
from complaints.domain.ports import SYSTEM
from complaints.domain.reference import make
from complaints.domain.vocabulary import Role, StepKind
from complaints.services import people, signin
from complaints.store.tables import Person
from deployments.stack import embedded_postgres
from deployments.stack.migrate import upgrade
from tests.integration.desk import ALARMING, FINDINGS, VAGUE, Desk

PASSWORD = "a password for the bench"
AGENTS = 50
_CHUNK = 20_000

_ZH = [
    "快递迟迟未送达，客服电话一直无人接听",
    "洗衣机送到时外壳破损，厨房地面全是水",
    "退款已经申请三周，仍未到账",
    "银行卡被重复扣款两次，要求退回多扣金额",
    "合同到期后仍继续自动续费，从未通知",
    "业务员承诺的优惠没有兑现",
    "手机号码被泄露，频繁接到推销电话",
    "空调维修三次仍不制冷，孩子晚上无法入睡",
    "保险理赔材料反复补交，没有人给出明确答复",
    "宽带连续一周断网，影响在家办公",
]
_EN = [
    "The parcel never came and nobody answers the telephone",
    "The washing machine arrived broken and leaks water over the floor",
    "The refund was promised three weeks ago and is still missing",
    "My card was charged twice for the same order",
    "The contract was renewed although I had cancelled in writing",
    "The discount that the salesman promised was not granted",
    "My telephone number was given to strangers who call every day",
    "The heater was repaired three times and still does not work",
    "The insurance claim is asked for the same papers again and again",
    "The line was down for a week and I could not work from home",
]
_NAMES = [
    "王芳",
    "李伟",
    "张敏",
    "刘洋",
    "陈静",
    "杨磊",
    "赵丽",
    "黄强",
    "Anna Berg",
    "John Miller",
    "Mary Stone",
    "Tom Hill",
]


@dataclass(frozen=True)
class Mould:
    """A case that is copied: how many of a thousand open (or finished) cases look like it."""

    case: UUID
    share: int
    finished: bool


@contextmanager
def company(home: Path) -> Iterator[Desk]:
    """A desk on a durable PostgreSQL with the product's own tuning, in `home/database`."""
    server = embedded_postgres.start(home / "database")
    try:
        url = server.dsn("complaints", driver="psycopg")
        upgrade(url)
        yield Desk(url, home / "bags")
    finally:
        server.stop()


def staff(desk: Desk) -> None:
    """Agents, two leads and an approver per team, a manager, an auditor, an administrator; all with `PASSWORD`."""
    teams = [t.key for t in desk.policy.routing.teams]
    with desk.store.work(SYSTEM) as work:
        made: list[Person] = []
        for n in range(AGENTS):
            made.append(
                people.add_person(work, f"agent{n}", f"Agent {n}", roles=[Role.AGENT], teams=[teams[n % len(teams)]])
            )
        for team in teams:
            made.append(people.add_person(work, f"lead-{team}", f"Lead {team}", roles=[Role.LEAD], teams=[team]))
        made.append(people.add_person(work, "manager", "Manager", roles=[Role.MANAGER], teams=teams))
        signin.set_password(work, made[0], PASSWORD)
        for person in made:
            person.password_hash, person.language = made[0].password_hash, "en"


def moulds(desk: Desk) -> list[Mould]:
    """One real case per place where cases stand."""
    numbers = itertools.count()

    def new(**more: Any) -> dict[str, Any]:
        who = f"mould{next(numbers)}"  # somebody else each time, or they are taken for duplicates
        return {"complainant": NewComplainant(name=who, email=f"{who}@example.com"), **more}

    archived = desk.closed(**new())
    desk.end_window(archived)  # a month goes by: those who wait come after it
    closed = desk.closed(**new())
    triage = desk.submit(VAGUE, **new())
    alarming = desk.submit(ALARMING, **new())
    investigating = desk.submit(**new())
    waiting = desk.submit(**new())
    desk.act(waiting, desk.agent, "ask_customer", question="Which order is it?")
    third = desk.submit(**new())
    desk.act(third, desk.agent, "ask_third_party", party="The carrier", question="Where is it?")
    money = {"kind": "refund", "description": "The price", "amount": "90000.00"}
    deciding = desk.submit(**new())
    desk.complete(deciding, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=[money])
    remedying = desk.submit(**new())
    small = {"kind": "repair", "description": "A new pump"}
    desk.complete(remedying, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=[small])
    confirming = desk.investigated(**new())
    reviewing = desk.closed(**new())
    desk.act(reviewing, desk.lead, "appeal", reason="The pump broke again.")
    opened = [(triage, 80), (alarming, 40), (investigating, 430), (waiting, 120), (third, 40), (deciding, 70)]
    opened += [(remedying, 80), (confirming, 110), (reviewing, 30)]
    finished = [Mould(closed, 30, True), Mould(archived, 970, True)]
    return [Mould(case, share, False) for case, share in opened] + finished


#: `pick(salt, n, m)`: a number from 0 to m - 1 that follows from salt and n.
_PICK = """
create or replace function pick(salt text, n int, m int) returns int language sql immutable parallel safe as
$$ select (abs(hashtextextended(salt, n)) % m)::int $$;
create or replace function copied(kind text, original uuid, n int) returns uuid language sql immutable parallel safe as
$$ select md5(kind || original::text || n)::uuid $$;
create table if not exists bench_reference (n int primary key, reference text not null);
create table if not exists bench_agent (n int primary key, id uuid not null, team text not null);
create table if not exists bench_words (n int primary key, zh text not null, en text not null, name text not null);
"""


def fill(desk: Desk, total: int, opened: int) -> None:
    """Multiply the moulds to `total` cases, `opened` of them open, with a progress bar."""
    url = desk.url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as connection, Progress() as progress:
        connection.execute(_PICK)
        connection.execute("set statement_timeout = 0; set synchronous_commit = off")
        _aids(connection, total)
        connection.execute("drop index if exists complaint_text")
        task = progress.add_task("complaints", total=total)
        done = 0
        for mould in moulds(desk):
            share = mould.share * (total - opened if mould.finished else opened) // 1000
            for first in range(done, done + share, _CHUNK):
                last = min(first + _CHUNK, done + share) - 1
                _copy(connection, mould, first, last)
                progress.advance(task, last - first + 1)
            done += share
        progress.update(task, description="index of words")
        connection.execute("create index complaint_text on complaint using gin (search gin_trgm_ops)")
        progress.update(task, description="statistics")
        connection.execute("vacuum analyze")


def _aids(connection: psycopg.Connection[tuple[object, ...]], total: int) -> None:
    """References with their check digits, agents by number, words by number."""
    lines = io.StringIO("".join(f"{n}\t{make(15 + n % 12, 100_000 + n // 12)}\n" for n in range(total)))
    with connection.cursor() as cursor:
        cursor.execute("truncate bench_reference, bench_agent, bench_words")
        with cursor.copy("copy bench_reference from stdin") as copy:
            copy.write(lines.read())
        cursor.execute(
            "insert into bench_agent select row_number() over (order by login) - 1, id, teams ->> 0 from person "
            "where login like 'agent%'"
        )
        rows = [(n, _ZH[n % 10], _EN[n % 10], _NAMES[n % len(_NAMES)]) for n in range(60)]
        cursor.executemany("insert into bench_words values (%s, %s, %s, %s)", rows)


_CASES = """
with copies as (
    select g.n, r.reference, a.id as agent, a.team,
           now() - case when %(finished)s then interval '40 days' + pick('age', g.n, 3600) * interval '1 day'
                        else interval '0' end
                 - pick('time', g.n, 40 * 24 * 60) * interval '1 minute' as at,
           case when pick('language', g.n, 10) < 6 then 'zh-CN' else 'en' end as language,
           case when pick('language', g.n, 10) < 6 then w.zh else w.en end as subject,
           case when pick('language', g.n, 10) < 6 then w.zh || '。' || v.zh || '。' || u.zh || '。订单号 ' || g.n
                else w.en || '. ' || v.en || '. ' || u.en || '. Order ' || g.n end as narrative,
           w.name || ' ' || g.n as name,
           (array['delivery', 'product_quality', 'refund_return', 'billing', 'card', 'service_staff', 'outage',
                  'fraud_scam', 'other'])[1 + pick('category', g.n, 9)] as category,
           (array['critical', 'serious', 'serious', 'moderate', 'moderate', 'moderate', 'moderate', 'minor', 'minor',
                  'minor'])[1 + pick('severity', g.n, 10)] as severity,
           (array['process', 'system_fault', 'supplier', 'communication', 'unknown'])[1 + pick('cause', g.n, 5)]
               as cause,
           (array['explanation', 'monetary_relief', 'non_monetary_relief', 'not_upheld'])[1 + pick('end', g.n, 4)]
               as ending
    from generate_series(%(first)s::int, %(last)s::int) as g(n)
    join bench_reference r on r.n = g.n
    join bench_agent a on a.n = pick('agent', g.n, 50)
    join bench_words w on w.n = pick('first', g.n, 60)
    join bench_words v on v.n = pick('second', g.n, 60)
    join bench_words u on u.n = pick('third', g.n, 60)
),
who as (
    insert into complainant
    select r.* from complaint o join complainant c on c.id = o.complainant_id, copies p,
        lateral jsonb_populate_record(c, jsonb_build_object(
        'id', copied('complainant', %(case)s::uuid, n), 'name', p.name,
        'email', 'customer' || n / 2 || '@example.com', 'language', p.language, 'created_at', p.at)) r
    where o.id = %(case)s
),
cases as (
    insert into complaint
    select r.* from complaint o, copies p, lateral jsonb_populate_record(o, jsonb_build_object(
        'id', copied('complaint', %(case)s::uuid, n), 'reference', p.reference,
        'complainant_id', copied('complainant', %(case)s::uuid, n),
        'subject', p.subject, 'narrative', p.narrative,
        'search', lower(p.subject || e'\\n' || p.name || e'\\n' || p.narrative),
        'language', p.language, 'category', p.category, 'severity', p.severity, 'team', p.team, 'run_id', null,
        'assignee_id', case when %(finished)s or pick('given', n, 10) < 8 then p.agent end,
        'received_at', p.at, 'created_at', p.at, 'screened_at', p.at, 'classified_at', p.at,
        'acknowledged_at', p.at + interval '1 hour', 'acknowledgment_recorded_at', p.at,
        'responded_at', case when %(finished)s then p.at + pick('days', n, 30) * interval '1 day' end,
        'closed_at', case when %(finished)s then p.at + pick('days', n, 34) * interval '1 day' end,
        'archived_at', case when o.archived_at is not null then p.at + interval '40 days' end,
        'due_at', p.at + interval '15 days', 'root_cause', case when o.finding is not null then p.cause end,
        'closing_category', case when %(finished)s then p.ending end)) r
    where o.id = %(case)s
)
insert into party
select copied('complaint', %(case)s::uuid, n), copied('complainant', %(case)s::uuid, n), null, p.at, 1 from copies p
"""

#: Rows that hang on a case, with what each copy changes beside its id and complaint.
_HANGING = {
    "event": "'id', nextval('event_id_seq'), 'at', c.received_at + (t.seq * interval '20 minutes')",
    "message": "'id', copied('message', t.id, n), 'at', c.received_at + interval '1 hour', 'outbox_key', null",
    "step": """'id', copied('step', t.id, n), 'opened_at', c.received_at, 'team', c.team,
        'due_at', c.received_at + interval '10 days', 'briefed_at', c.received_at,
        'state', case when t.state in ('done', 'cancelled') then t.state
                      when c.assignee_id is null then 'open' else 'claimed' end,
        'assignee_id', c.assignee_id""",
    "clock": """'id', copied('clock', t.id, n), 'started_at', c.received_at,
        'due_at', c.received_at + (t.due_at - t.started_at), 'next_at', null,
        'state', case when t.state = 'met' and pick('late', n, 12) = 0 then 'missed' else t.state end,
        'stopped_at', c.received_at + (t.stopped_at - t.started_at)""",
    "survey": """'id', copied('survey', t.id, n), 'rating', 1 + pick('rating', n, 5),
        'at', coalesce(c.closed_at, c.received_at + interval '10 days')""",
    "investigation": "'id', copied('finding', t.id, n), 'at', c.received_at + interval '3 days'",
    "decision": "'id', copied('decision', t.id, n), 'at', c.received_at + interval '4 days'",
    "remedy": """'id', copied('remedy', t.id, n), 'proposed_at', c.received_at,
        'due_at', c.received_at + interval '20 days'""",
}


def _copy(connection: psycopg.Connection[tuple[object, ...]], mould: Mould, first: int, last: int) -> None:
    values = {"case": mould.case, "finished": mould.finished, "first": first, "last": last}
    connection.execute(_CASES, values)
    for table, changes in _HANGING.items():
        if mould.finished and table in ("event", "message", "step"):
            continue  # what a finished case did is in its bag; lists and figures do not look at it
        query = f"""insert into {table} select r.* from generate_series(%(first)s::int, %(last)s::int) n
            join complaint c on c.id = copied('complaint', %(case)s::uuid, n)
            join {table} t on t.complaint_id = %(case)s,
            lateral jsonb_populate_record(t, jsonb_build_object('complaint_id', c.id, {changes})) r"""
        connection.execute(query.encode(), values)


def main() -> None:
    """Make the data and say how long it took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--complaints", type=int, default=1_000_000)
    parser.add_argument("--open", type=int, default=100_000)
    options = parser.parse_args()
    options.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    began = time.monotonic()
    with company(options.home) as desk:
        staff(desk)
        fill(desk, options.complaints, options.open)
    print(f"{options.complaints:,} complaints in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
