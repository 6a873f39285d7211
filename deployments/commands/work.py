"""Commands about human steps: tasks, claim, release, complete."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from complaints.domain.forms import FORMS
from complaints.domain.vocabulary import StepKind
from complaints.services import reading, steps
from complaints.store.unit import Work
from config.wiring import app
from deployments.commands.cases import read_json
from deployments.commands.output import OPERATOR, As, AsJson, actor, emit, out, table

Task = Annotated[UUID, typer.Argument(help="Id of the task, from `complaints tasks`.")]


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
        seen = Work(work.session, work.now, actor(work, login), work.policies)
        page = reading.tasks(seen, mine=mine, kind=kind, team=team, limit=limit)
    emit(
        {"items": [s.model_dump(mode="json") | {"reference": c.reference} for s, c in page.items], "next": page.next},
        as_json,
        table(
            "Open tasks",
            ("task", "reference", "step", "team", "state", "severity", "due"),
            [(s.id, c.reference, s.gate, s.team, s.state, c.severity, s.due_at) for s, c in page.items],
        ),
    )


def claim(task: Task, login: As = None) -> None:
    """Take a task: from now on it is yours."""
    with app().store.reading(OPERATOR) as work:
        who = actor(work, login)
    with app().store.work(who) as work:
        step = steps.claim(work, task)
    out.print(f"{step.gate} claimed by {who.name}")


def release(task: Task, login: As = None) -> None:
    """Give a task back to its team."""
    with app().store.reading(OPERATOR) as work:
        who = actor(work, login)
    with app().store.work(who) as work:
        step = steps.release(work, task)
    out.print(f"{step.gate} released")


def complete(
    task: Task,
    answer: Annotated[str, typer.Argument(help="The form as JSON; '-' reads standard input, '@f' a file.")] = "",
    login: As = None,
) -> None:
    """Complete a task with its form. Without an answer it prints the form's fields."""
    with app().store.reading(OPERATOR) as work:
        who = actor(work, login)
        kind = steps.kind_of(work, task)
    if not answer:
        schema = FORMS[kind].model_json_schema()
        rows = [
            (name, "yes" if name in schema.get("required", []) else "", field.get("description", ""))
            for name, field in schema["properties"].items()
        ]
        out.print(table(f"Fields of '{kind}'", ("field", "required", "meaning"), rows))
        return
    with app().store.work(who) as work:
        step = steps.complete(work, task, read_json(answer, "answer"))
    app().background.drain()
    out.print(f"{step.gate} completed by {who.name}")
