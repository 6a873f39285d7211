"""The route table, for tests that must hold for every route."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from web.console.seat import Needs


@dataclass(frozen=True)
class Way:
    """One method of one route, and the `Needs` that say who may use it."""

    method: str
    path: str
    needs: tuple[Needs, ...]

    @property
    def parameters(self) -> set[str]:
        return set(re.findall(r"{(\w+)", self.path))

    def address(self, values: dict[str, str]) -> str:
        return re.sub(r"{(\w+)(:\w+)?}", lambda hit: values[hit[1]], self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def ways(app: Any) -> list[Way]:
    """Every method of every route for people: of portal and console, not of the interface for programs."""
    found = []
    for route in iter_route_contexts(app.routes):
        path, methods = str(route.path), sorted(set(getattr(route, "methods", None) or ()) - {"HEAD"})
        if methods and not path.startswith("/api/"):
            needs = tuple(_needs_of(route.dependant)) if hasattr(route, "dependant") else ()
            found += [Way(method, path, needs) for method in methods]
    return found


def _needs_of(dependant: Dependant) -> Iterator[Needs]:
    """Every `Needs` that a route depends on, however deep."""
    if isinstance(dependant.call, Needs):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _needs_of(inner)
