"""What operations see of a complaint in Prefect: the work queue its run stands in, the tags it can be found by."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from tests.running import Json, System

DANGER = "The gas heater you installed exploded, caught fire and my daughter is in hospital with burns."
GEFAHR = "你们安装的燃气热水器昨天爆炸起火，我女儿被烧伤住院，要求赔偿。"


def run_of(system: System, reference: str) -> Json:
    """Its run, once it has one."""
    found: Json = system.wait(
        lambda: (
            system.rows("select run_id from complaint where reference = %s", reference)[0][0] and system.run(reference)
        ),
        f"{reference} has a run",
    )
    return found


@pytest.mark.parametrize("words", [DANGER, GEFAHR], ids=["en", "zh"])
def test_the_run_of_a_dangerous_complaint_stands_in_the_urgent_queue(system: System, words: str) -> None:
    urgent = system.submit("danger" if words is DANGER else "gefahr", subject="Heater", narrative=words)
    calm = system.submit("calm" if words is DANGER else "calm-too")
    assert run_of(system, urgent)["work_queue_name"] == "urgent"
    assert run_of(system, calm)["work_queue_name"] == "normal"
    with system.people_at_work():
        system.settle([urgent, calm])


def test_the_tags_of_a_run_follow_its_complaint_also_while_it_waits(system: System) -> None:
    reference = system.submit("tags")
    system.wait_for_status([reference], "investigating")
    first = system.wait(lambda: len(tags := system.run(reference)["tags"]) > 1 and tags, "the run has tags")
    assert "serious" not in first
    system.cli("act", reference, "reclassify", '{"severity": "serious", "team": "payments", "reason": "fraud?"}')

    def told() -> bool:
        run = system.run(reference)
        return {"serious", "payments"} <= set(run["tags"]) and run["state_type"] == "PAUSED"

    system.wait(told, "the run bears the new tags and waits again", within=30)
    with system.people_at_work():
        system.settle([reference])


def test_prefect_is_told_nothing_of_what_people_wrote(system: System) -> None:
    """Ids and references only: in no row of Prefect's database stands a word, a name or an address of the case."""
    reference = system.submit("xylograph")
    with system.people_at_work():
        system.settle([reference])
    every = "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'public'"
    with psycopg.connect(system.settings.postgres_url("prefect")) as connection:
        tables = [name for (name,) in connection.execute(every)]

        def tell(what: str) -> list[str]:
            asked = "select 1 from {} t where strpos(t::text, {}) > 0 limit 1"
            found = [sql.SQL(asked).format(sql.SQL(name), what) for name in tables]  # type: ignore[arg-type]  # from the catalogue
            return [name for name, query in zip(tables, found, strict=True) if connection.execute(query).fetchone()]

        assert "public.flow_run" in tell(reference)
        assert tell("xylograph") == []
