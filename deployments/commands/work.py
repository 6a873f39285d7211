"""Commands about human steps: tasks, claim, release, complete."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

import typer

from complaints.domain.forms import FORMS
from complaints.domain.ports import Actor
from complaints.domain.vocabulary import StepKind
from complaints.services import reading, steps
from complaints.store.tables import Step
from complaints.store.unit import Work
from config.wiring import app
from deployments.commands.given import example, read_json, wanted, wanted_table
from deployments.commands.output import OPERATOR, As, AsJson, actor, emit, short, table

Task = Annotated[
    str,
    typer.Argument(
        help="The task: its id or eight or more digits of the id's beginning or end, as `complaints tasks` shows them; "
        "or the reference of its complaint."
    ),
]
Gate = Annotated[str, typer.Argument(help="With a reference: which of its tasks, e.g. remedy-2.")]
_GATE = re.compile(r"[a-z_]+-\d+")


def tasks(
    kind: Annotated[StepKind | None, typer.Option(help="Only this kind.")] = None,
    team: Annotated[str | None, typer.Option(help="Only this team.")] = None,
    login: As = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only those given to the person of --as.")] = False,
    limit: Annotated[int, typer.Option(help="Most rows.", min=1, max=200)] = 50,
    as_json: AsJson = False,
) -> None:
    """List open human steps, oldest first."""
    with app().store.reading(OPERATOR) as work:
        reading.check_filter(work, reading.Filter(team=[team] if team else ()))
        seen = Work(work.session, work.now, actor(work, login), work.policies)
        page = reading.tasks(seen, mine=mine, kind=kind, team=team, limit=limit)
    emit(
        {"items": [s.model_dump(mode="json") | {"reference": c.reference} for s, c in page.items], "next": page.next},
        as_json,
        table(
            "Open tasks",
            ("task", "reference", "step", "team", "state", "severity", "due"),
            [(short(s.id), c.reference, s.gate, s.team, s.state, c.severity, s.due_at) for s, c in page.items],
        ),
        *(["There are more: give --team, --kind or a larger --limit."] if page.next else []),
    )


def claim(task: Task, gate: Gate = "", login: As = None, as_json: AsJson = False) -> None:
    """Take a task: from now on it is yours."""
    who, found = _meant(task, gate, login)
    with app().store.work(who) as work:
        step = steps.claim(work, found.id)
    emit(step.model_dump(mode="json"), as_json, f"{step.gate} claimed by {who.name}")


def release(task: Task, gate: Gate = "", login: As = None, as_json: AsJson = False) -> None:
    """Give a task back to its team."""
    who, found = _meant(task, gate, login)
    with app().store.work(who) as work:
        step = steps.release(work, found.id)
    emit(step.model_dump(mode="json"), as_json, f"{step.gate} released")


def complete(
    task: Task,
    gate: Annotated[str, typer.Argument(help="With a reference: which of its tasks. May be left out.")] = "",
    answer: Annotated[
        str, typer.Argument(help="The form as JSON; '-' reads standard input, '@f' a file. Without it: its fields.")
    ] = "",
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """Complete a task with its form. Without an answer it prints the form's fields."""
    if gate and not answer and not _GATE.fullmatch(gate):
        gate, answer = "", gate
    who, found = _meant(task, gate, login)
    if not answer:
        _explain(found, as_json)
        return
    with app().store.work(who) as work:
        step = steps.complete(work, found.id, read_json(answer, "answer"))
    app().background.drain()
    emit(step.model_dump(mode="json"), as_json, f"{step.gate} completed by {who.name}")


def _meant(task: str, gate: str, login: str | None) -> tuple[Actor, Step]:
    """Who acts, and the step they mean."""
    with app().store.reading(OPERATOR) as work:
        who = actor(work, login)
    with app().store.reading(who) as work:
        return who, reading.named_task(work, task, gate)


def _explain(step: Step, as_json: bool) -> None:
    form = FORMS[StepKind(step.kind)]
    sample = example(form)
    data: dict[str, Any] = {"task": str(step.id), "gate": step.gate, "kind": step.kind}
    emit(
        data | {"fields": wanted(form), "example": sample, "draft": step.draft},
        as_json,
        wanted_table(f"Fields of '{step.kind}'", form),
        f"For example: complaints complete {short(step.id)} '{json.dumps(sample, ensure_ascii=False)}'",
    )
