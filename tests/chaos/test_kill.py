"""Killing for real, with SIGKILL, at every named point and every part, while complaints are under way.

Whatever dies: every accepted complaint reaches the archive, with one acknowledgment, an unbroken log, and never two
live flow runs. A dead process's leases run out only after a while, so the scenarios are played one after the other
and each is judged when all were.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import httpx
import pytest

from complaints.crashpoints import POINTS
from tests.running import System, sample

#: Leases of dead processes must run out, on machines of any speed.
pytestmark = pytest.mark.timeout(1200)
_WORKERS = ("worker-1", "worker-2")
#: Which parts come by which crash point: the door acts on what it stored, workers on what their tasks stored.
_REACHED_BY = {
    "after_commit": ("web",),
    "after_start_run": ("web",),
    "after_task": _WORKERS,
    "after_send": _WORKERS,
    "in_tick": _WORKERS,
}


def send(system: System, name: str, **more: str) -> str:
    """Submit as a careful client does: the same key again until there is an answer. The reference."""
    body = {k: v for k, v in {**sample(name), **more}.items() if k not in ("key", "play")}
    client, deadline = system.office.people["intake"], time.monotonic() + 60
    while True:
        try:
            answer = client.post("/complaints", json=body, headers={"Idempotency-Key": f"chaos-{name}"})
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code in (200, 201):
            reference = str(answer.json()["reference"])
            system.office.plays[reference] = {"play": "straight", "language": "en"}
            return reference
        assert answer is None or answer.status_code >= 500, answer.text
        assert time.monotonic() < deadline, f"{name} was not taken for a minute"
        time.sleep(0.2)


def send_all(system: System, names: list[str]) -> list[str]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda name: send(system, name), names))


def crash(system: System, point: str) -> list[str]:
    """Let the parts that come by the point die there; what was submitted meanwhile."""
    armed = system.arm(_REACHED_BY[point], point)
    if point == "in_tick":  # nobody investigates until its clock has climbed
        references = [send(system, point, jurisdiction="demo")]
        system.office.plays[references[0]]["play"] = "ladder"
    else:
        references = send_all(system, [f"{point}-{n}" for n in range(3)])
    system.wait(
        lambda: any(process.poll() == -signal.SIGKILL for process in armed.values()), f"death {point}", every=0.05
    )
    for name, process in armed.items():
        if process.poll() is None:
            process.terminate()  # it did not come by; its next life is not armed
        system.wait_back(name, process.pid)
    return references


def _taken(coming: list[Future[str]], share: int) -> bool:
    return sum(c.done() for c in coming) >= share


def kill_web(system: System) -> list[str]:
    """The door dies twice while clients come in; whoever got an answer is found stored."""
    names = [f"web-{n}" for n in range(16)]
    with ThreadPoolExecutor(4) as pool:
        coming = [pool.submit(send, system, name) for name in names]
        for share in (4, 10):
            system.wait(partial(_taken, coming, share), f"{share} are taken", every=0.01)
            system.wait_back("web", system.kill("web"))
        references = [c.result() for c in coming]
    assert len(system.statuses(references)) == len(names)
    subjects = system.rows("select subject, count(*) from complaint where subject like 'Parcel web-%%' group by 1")
    assert len(subjects) == len(names)
    assert {count for _, count in subjects} == {1}
    return references


def kill_postgres(system: System) -> list[str]:
    """The database dies under complaints that are under way; others come in while it recovers."""
    before = send_all(system, [f"postgres-{n}" for n in range(6)])
    old = system.kill("postgres")
    during = send_all(system, ["postgres-during-1", "postgres-during-2"])
    system.wait_back("postgres", old)
    return before + during


_SCENARIOS: dict[str, Callable[[System], list[str]]] = {
    **{point: partial(crash, point=point) for point in POINTS},
    "web": kill_web,
    "postgres": kill_postgres,
}


@pytest.fixture(scope="module")
def submitted(system: System) -> dict[str, list[str]]:
    """References by scenario, after all were played; people worked meanwhile."""
    with system.people_at_work():
        return {name: play(system) for name, play in _SCENARIOS.items()}


def test_every_point_is_tried() -> None:
    assert _REACHED_BY.keys() == POINTS.keys()


@pytest.mark.parametrize("scenario", _SCENARIOS)
def test_nothing_is_lost_or_done_twice(system: System, submitted: dict[str, list[str]], scenario: str) -> None:
    with system.people_at_work():
        system.settle(submitted[scenario])


def test_a_rung_fires_once_although_the_tick_died(system: System, submitted: dict[str, list[str]]) -> None:
    rungs = Counter(
        (e["data"]["clock"], e["data"]["rung"])
        for e in system.case(submitted["in_tick"][0])["events"]
        if e["kind"] == "rung_fired"
    )
    assert ("demo.resolve", "100%") in rungs
    assert set(rungs.values()) == {1}


def test_the_prefect_server_dies_with_thirty_complaints_in_flight(system: System) -> None:
    with system.people_at_work():
        references = send_all(system, [f"flight-{n}" for n in range(30)])
        system.wait(
            lambda: sum(s != "received" for s in system.statuses(references).values()) >= 10,
            "ten are under way",
        )
        under_way = [r for r, s in system.statuses(references).items() if s != "archived"]
        old = system.kill("prefect")
        assert len(under_way) >= 25
        references += send_all(system, ["flight-during-1", "flight-during-2"])  # the door does not need it
        system.wait_back("prefect", old)
        system.settle(references)


def test_prefects_database_is_lost_and_doctor_repairs(system: System) -> None:
    references = send_all(system, [f"lost-{n}" for n in range(6)])
    system.wait_for_status(references, "investigating")
    old = system.kill("prefect")
    assert system.stack.postgres is not None
    system.stack.postgres.recreate("prefect")
    system.wait_back("prefect", old)
    system.wait(lambda: len(system.prefect("POST", "/deployments/filter", {}).raise_for_status().json()) == 5, "told")
    told = system.json("doctor", "--repair", code=None)
    assert set(told["not_well"]) <= {"prefect", "workers"}  # they are just coming back
    assert told["healthy"] is not bool(told["not_well"])
    assert sorted(told["lost"]) == sorted(references)
    with system.people_at_work():
        system.settle(references)
    assert system.json("doctor")["lost"] == []
