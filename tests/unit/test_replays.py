"""Replaying other people's clocks: what a city and a regulator said of their deadlines, our ledger says too.

The small samples here are made up; the real files are read as well where they are present.
"""

from __future__ import annotations

import gzip
from pathlib import Path

from bench import replay_boston311 as boston
from bench import replay_cfpb as cfpb
from config.policy import load

_BOSTON = """\
case_enquiry_id,open_dt,target_dt,closed_dt,ontime,type
1,2011-07-01 09:00:00,2011-07-05 09:00:00,2011-07-05 09:00:00,ONTIME,Street Light
2,2011-07-01 09:00:00,2011-07-05 09:00:00,2011-07-05 09:00:01,OVERDUE,Street Light
3,2011-10-20 09:00:00,2011-11-19 08:00:00,2011-11-19 08:30:00,OVERDUE,Tree
4,2011-07-01 09:00:00,,2011-12-05 09:00:01,ONTIME,Question
5,2011-07-01 09:00:00,2011-07-05 09:00:00,,OVERDUE,Street Light
6,2011-07-01 09:00:00,2011-07-05 09:00:00,2011-07-02 09:00:00,OVERDUE,Street Light
7,2011-07-01 09:00:00,2011-07-05 09:00:00,2012-07-02 09:00:00,,Street Light
"""
_CFPB = """\
Complaint ID,Date received,Date sent to company,Company response to consumer,Timely response?
1,2019-11-08,2019-11-08,Closed with explanation,Yes
2,2019/3/1,2019/3/20,Untimely response,No
3,03/01/19,03/02/19,Closed with explanation,No
4,2019-03-01,,,
"""
POLICY = load(cfpb.POLICY)


def test_a_citys_verdicts_are_ours(tmp_path: Path) -> None:
    sample = tmp_path / "requests.csv.gz"
    sample.write_bytes(gzip.compress(_BOSTON.encode()))
    found = boston.granted(list(boston.read(sample)))
    assert (found.same, [one.id for one in found.differ]) == (3, ["6"]), "the sixth verdict is made up wrong on purpose"
    assert sorted(found.classes.values()) == [1, 1, 1]
    by_type, _ = boston.by_type(list(boston.read(sample)))
    assert [one.id for one in by_type.differ] == ["6"]


def test_the_real_city_agrees_to_the_last_request() -> None:
    requests = list(boston.read()) if boston.DATA.exists() else []
    found = boston.granted(requests)
    assert found.differ == []
    assert found.same + sum(found.classes.values()) == len(requests)
    by_type, _ = boston.by_type(requests)
    assert len(by_type.differ) <= 0.01 * found.same


def test_fifteen_days_from_sending(tmp_path: Path) -> None:
    sample = tmp_path / "complaints.csv"
    sample.write_text(_CFPB, encoding="utf-8")
    found = cfpb.run(list(cfpb.read(sample)), POLICY)
    assert found.allowed == {15: 3}
    assert found.forwarded_after == {0: 1, 19: 1, 1: 1}
    assert (found.undated, found.earlier_by_receipt) == (1, 2)
    assert sum(n for what, n in found.outcomes.items() if what.startswith("late")) == 2


def test_the_real_complaints_all_have_their_fifteen_days() -> None:
    rows = list(cfpb.read()) if cfpb.DATA.exists() else []
    found = cfpb.run(rows, POLICY)
    assert set(found.allowed) <= {15}
    assert sum(found.outcomes.values()) + found.undated == len(rows)
    assert "not told" not in found.outcomes
