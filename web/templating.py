"""Templates of one room in one language. What is the same on every page is put in when a template is compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

#: Makes what the call of a name with one literal, `icon("save")`, stands for.
Maker = Callable[[str], str]


class Templates(Environment):
    """The templates of `folder`, with the texts of `catalogue` as `_("…")`; `constant` names what depends on nothing
    but its literal, `shared` everything else that all templates know.

    A page says some hundred and fifty texts and pictures that are the same for everybody: looked up anew each time,
    they take a fifth of the time of the page.
    """

    def __init__(self, folder: Path, catalogue: Any, constant: Mapping[str, Maker], shared: Mapping[str, Any]) -> None:
        super().__init__(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
            auto_reload=False,  # templates do not change while we run
        )
        self.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined]  # i18n
        self.globals |= {**constant, **shared}
        # texts are format strings, with or without values, as the extension has them
        self._made = _Made({**constant, "_": lambda text: Markup(catalogue.gettext(text)) % {}})  # our own

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = self._made.visit(super()._parse(source, name, filename))
        return tree


class _Made(NodeTransformer):
    """Makes those calls of `makers` that can be made now."""

    def __init__(self, makers: Mapping[str, Maker]) -> None:
        self.makers = makers

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        """A call, or what it stands for."""
        self.generic_visit(node)
        maker = self.makers.get(node.node.name) if isinstance(node.node, nodes.Name) else None
        more = node.kwargs or node.dyn_args or node.dyn_kwargs
        if maker is None or more or len(node.args) != 1 or not isinstance(node.args[0], nodes.Const):
            return node
        return nodes.MarkSafe(nodes.Const(str(escape(maker(node.args[0].value)))))
