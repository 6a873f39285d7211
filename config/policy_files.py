"""The files of a policy: what is written in them, and on which line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECTIONS = ("taxonomy", "routing", "authority", "lifecycle", "notifications", "retention")
#: Everything that a policy may name and that may be written in a file of its own.
_ALL = frozenset({*SECTIONS, "calendars", "sla", "profiles"})


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a policy. `line` is 0 where it cannot be told."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


@dataclass
class _Source:
    """Where a section's values were read from."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}"


@dataclass
class PolicyFiles:
    """A folder's tables over those of what it extends; what is wrong with the files; where things stand in them.

    `unread`: sections of which a file could not be read. What they would have named is not known.
    """

    data: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    sources: dict[str, _Source] = field(default_factory=dict)

    def at(self, source: str, key: str, message: str, word: str = "", after: str = "") -> Problem:
        """A problem, on the first line of a section's file that has `word` (else the last part of the key).

        `after`: not before the line that has this key of a table.
        """
        found = self.sources.get(source)
        if found is None:
            return Problem(source, 0, key, message)
        lines, start = found.text.splitlines(), _table(found.text, after)
        sought = re.compile(rf"(?<!\w){re.escape(word or key.rsplit('.', 1)[-1])}(?!\w)")
        line = next((n for n, text in enumerate(lines[start:], start + 1) if sought.search(text)), 0)
        return Problem(found.name, line, key, message)

    def located(self, path: str, message: str) -> Problem:
        """A problem that pydantic found, brought to the file and line that it comes from."""
        parts = path.split(".")
        source, inner, table = parts[0], parts[1:], ""
        if source == "sla" and len(parts) > 2 and parts[1] in ("profiles", "calendars") and parts[2].isdigit():
            item, inner = self.data["sla"][parts[1]][int(parts[2])], parts[3:]
            table = str(item.get("key", "")) if isinstance(item, dict) else ""
            source, table = (f"profile {table}", "") if parts[1] == "profiles" else ("calendars", table)
        found, key = self.sources.get(source), ".".join(inner)
        if found is None:
            return Problem(f"{source}.toml", 0, key, message)
        return Problem(found.name, _line(found.text, inner, _table(found.text, table)), key, message)


def _table(text: str, key: str) -> int:
    """The index of the line on which a table of a list says its key; the beginning where there is none."""
    sought = re.compile(rf"\s*key\s*=\s*[\"']{re.escape(key)}[\"']")
    return next((n for n, line in enumerate(text.splitlines()) if key and sought.match(line)), 0)


def _line(text: str, path: list[str], start: int = 0) -> int:
    """The line on which a key stands, from a line on: array indexes are counted by their `[[table]]` headers."""
    lines, at = text.splitlines(), start
    for n, part in enumerate(path):
        if part.isdigit():
            header = path[n - 1] if n else ""
            heads = [i for i, line in enumerate(lines) if re.match(rf"\s*\[\[(.*\.)?{re.escape(header)}\]\]", line)]
            if int(part) < len(heads):
                at = heads[int(part)]
        else:
            pattern = rf"\s*(\[+(.*\.)?)?[\"']?{re.escape(part)}[\"']?\s*(=|\]|\.)"
            at = next((i for i in range(at, len(lines)) if re.match(pattern, lines[i])), at)
    return at + 1


# -- reading


def read_files(folder: Path) -> PolicyFiles:
    """All tables of a policy's folder."""
    found = PolicyFiles()
    found.data = _tables(folder, found)
    return found


def _tables(folder: Path, files: PolicyFiles, below: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The tables of a folder over those of what it extends. `below`: the folders that extend this one."""
    below = (*below, folder.resolve())
    manifest = _toml(folder / "policy.toml", files, "policy", *_ALL) if (folder / "policy.toml").exists() else {}
    data = _base(folder, manifest, files, below) if "extends" in manifest else {}
    data["policy"] = {"name": manifest.get("name", folder.name)}
    for section in SECTIONS:
        path = folder / f"{section}.toml"
        if path.exists():
            data[section] = _merged(data.get(section, {}), _toml(path, files, section, section))
    sla = data.setdefault("sla", {})
    if (folder / "calendars.toml").exists():
        written = _toml(folder / "calendars.toml", files, "calendars", "calendars").get("calendars", [])
        twice = _twice(written)
        files.problems += [files.at("calendars", key, _TWICE.format(f"The calendar '{key}'")) for key in twice]
        sla["calendars"] = written if twice else _by_key(sla.get("calendars", []), written)  # both are checked
        files.unread |= {"calendars"} if twice else set()
    if (folder / "sla.toml").exists():
        data["sla"] = sla = _merged(sla, _toml(folder / "sla.toml", files, "sla", "sla"))
    if profiles := _profiles(folder, files):
        sla["profiles"] = _by_key(sla.get("profiles", []), profiles)
    return data


def _base(folder: Path, manifest: dict[str, Any], files: PolicyFiles, below: tuple[Path, ...]) -> dict[str, Any]:
    base = (folder / str(manifest["extends"])).resolve()
    if not base.is_dir():
        wrong = f"no such folder: {manifest['extends']}"
    elif base in below:
        circle = " → ".join(p.name for p in (*below[below.index(base) :], base))
        wrong = f"policies extend each other in a circle: {circle}; break it"
    else:
        return _tables(base, files, below)
    files.problems.append(files.at("policy", "extends", wrong))
    files.unread |= _ALL  # it would have come from there
    return {}


def _profiles(folder: Path, files: PolicyFiles) -> list[dict[str, Any]]:
    found: dict[str, tuple[Path, dict[str, Any]]] = {}
    for path in sorted((folder / "profiles").glob("*.toml")):
        profile = _toml(path, files, f"profile {path.stem}", "profiles")
        source = files.sources.get(f"profile {path.stem}")
        if source is None or source.path != path:
            continue  # it could not be read
        key = str(profile.get("key", path.stem))
        if key in found:
            what = f"The profile '{key}' (also in {found[key][0].name})"
            files.problems.append(Problem(source.name, _line(source.text, ["key"]), "key", _TWICE.format(what)))
            key = path.stem
            profile = profile | {"key": key}  # it is checked, too, under the name of its file
        files.sources[f"profile {key}"] = source
        found[key] = path, profile
    return [profile for _, profile in found.values()]


_TWICE = "{} is declared twice in one folder and the second would replace the first; rename or remove one"


def _toml(path: Path, files: PolicyFiles, source: str, *sections: str) -> dict[str, Any]:
    """The tables of a file; if it cannot be read, its sections are `unread`."""
    short = f"{path.parent.name}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
        files.sources[source] = _Source(path, text)
        return tables
    except UnicodeDecodeError as error:
        files.problems.append(Problem(short, 0, "", f"is not UTF-8 (byte {error.start}); save it as UTF-8"))
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        files.problems.append(Problem(short, int(found.group(1)) if found else 0, "", f"is not TOML: {error}"))
    files.unread |= set(sections)
    return {}


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(base)
    for key, value in over.items():
        old = made.get(key)
        made[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return made


def keys_of(tables: Any) -> list[str]:
    """The keys of a list of tables, whatever else is wrong with it."""
    items = tables if isinstance(tables, list) else []
    return [i["key"] for i in items if isinstance(i, dict) and isinstance(i.get("key"), str)]


def _twice(tables: Any) -> list[str]:
    keys = keys_of(tables)
    return sorted({key for key in keys if keys.count(key) > 1})


def _by_key(base: list[dict[str, Any]], over: Any) -> Any:
    if not isinstance(over, list) or not all(isinstance(o, dict) for o in over):
        return over  # the model says what is wrong
    keyed = {b.get("key"): b for b in base}
    return list((keyed | {o.get("key"): o for o in over}).values())
