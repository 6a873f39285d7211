"""Policy folders that say only what differs: `extends = "../default"` in `policy.toml` names where to start from.

A file of the child is laid over the same file of the parent: tables merge key by key, anything else (numbers, lists,
arrays of tables) is replaced whole. Folders such as `lexicons` are taken whole from the nearest policy that has one.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from complaints.domain.errors import PolicyInvalid

MANIFEST = "policy.toml"


def chain(folder: Path) -> list[Path]:
    """`folder` and the policies it extends, nearest first; `PolicyInvalid` if one is missing or they form a circle."""
    found: list[Path] = []
    here: Path | None = folder.resolve()
    while here is not None:
        if here in found:
            raise PolicyInvalid(f"{found[-1] / MANIFEST}: extends {here}, which goes in a circle; remove one `extends`")
        if not here.is_dir():
            by = f"{found[-1] / MANIFEST}: extends " if found else ""
            raise PolicyInvalid(f"{by}{here}: no such folder; correct the path")
        found.append(here)
        parent = _toml(here / MANIFEST).get("extends") if (here / MANIFEST).is_file() else None
        if parent is not None and not isinstance(parent, str):
            raise PolicyInvalid(f"{here / MANIFEST}: extends must be the path of a folder, in quotes")
        here = (here / parent).resolve() if parent else None
    return found


def section(folder: Path, name: str) -> dict[str, Any] | None:
    """The content of `<name>.toml` after inheritance; None if no policy of the chain has that file."""
    files = [file for policy in chain(folder) if (file := policy / f"{name}.toml").is_file()]
    if not files:
        return None
    merged: dict[str, Any] = {}
    for file in reversed(files):
        merged = _over(merged, _toml(file))
    return merged


def subfolder(folder: Path, name: str) -> Path:
    """The nearest folder `name` (for instance `lexicons`) of the chain."""
    policies = chain(folder)
    for policy in policies:
        if (policy / name).is_dir():
            return policy / name
    raise PolicyInvalid(f"{folder}: neither it nor a policy it extends has a folder {name}; create it")


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyInvalid(f"{file}: not readable as TOML ({error}); correct the file") from error
