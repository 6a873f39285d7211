"""Checking bags again: everything a manifest promises, and the hash chain of the case log inside."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import fsspec

from complaints.archive.bag import DECLARATION, digest_of, place
from complaints.store.chain import verify_entries

_TAG_FILES = frozenset({"bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"})
#: What a damaged zip file makes `zipfile` raise.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError)


@dataclass(frozen=True)
class Verdict:
    """What became of one bag; `problems` is empty when it is as it was written."""

    url: str
    ok: bool
    problems: tuple[str, ...] = ()


def verify(fs_url: str, known: Mapping[str, str] | None = None) -> Iterator[Verdict]:
    """Check every bag below `fs_url`, in order of their paths.

    `known` is what the complaints' rows say, URL → SHA-256 of the file: with it, bags that are gone or were replaced
    by other valid ones are found too. The archive may have been moved since.
    """
    fs, root = fsspec.core.url_to_fs(fs_url)
    left = {place(url): (url, sha256) for url, sha256 in (known or {}).items()}
    for path in sorted(fs.find(root)) if fs.exists(root) else []:
        if path.endswith(".zip"):
            yield verify_one(fs, path, left.pop(place(path), ("", None))[1])
    yield from (Verdict(url, False, ("the bag is gone",)) for url, _ in sorted(left.values()))


def verify_one(fs: fsspec.AbstractFileSystem, path: str, sha256: str | None = None) -> Verdict:
    """Check the bag at `path`; with `sha256` also that the zip file is the very one that was written."""
    problems: list[str] = []
    try:
        with fs.open(path, "rb") as stream:
            if sha256 is not None and digest_of(stream) != sha256:
                problems.append("is not the file that was written")
            stream.seek(0)
            with zipfile.ZipFile(stream) as archive:
                problems += _check(archive, path.rpartition("/")[2].removesuffix(".zip"))
    except _DAMAGE as error:
        problems.append(f"cannot be read: {error}")
    return Verdict(fs.unstrip_protocol(path), not problems, tuple(problems))


def _check(archive: zipfile.ZipFile, reference: str) -> list[str]:
    names = archive.namelist()
    base = f"{reference}/"
    strangers = [name for name in names if not name.startswith(base)]
    if strangers:
        return [f"{name}: not in the folder {base}" for name in strangers]
    problems = [f"{name}: twice in the file" for name in sorted({n for n in names if names.count(n) > 1})]
    digests, sizes, unreadable = _digests(archive, base)
    problems += unreadable
    missing = sorted(_TAG_FILES - set(digests))
    if missing:
        return problems + [f"{name}: missing" for name in missing if f"{name}: " not in "".join(unreadable)]
    tags, payload = (
        {n: d for n, d in digests.items() if n.startswith("data/") is wanted and n != "tagmanifest-sha256.txt"}
        for wanted in (False, True)
    )

    def read(name: str) -> bytes:
        return archive.read(base + name)

    if read("bagit.txt") != DECLARATION:
        problems.append("bagit.txt: not the declaration of a BagIt 1.0 bag")
    problems += _compare(read("manifest-sha256.txt").decode(), payload)
    problems += _compare(read("tagmanifest-sha256.txt").decode(), tags)
    info: dict[str, str] = {}
    for line in read("bag-info.txt").decode().splitlines():
        key, _, value = line.partition(": ")
        info[key] = value
    oxum = f"{sum(sizes[n] for n in payload)}.{len(payload)}"
    if info.get("Payload-Oxum") != oxum:
        problems.append(f"bag-info.txt: Payload-Oxum is {info.get('Payload-Oxum')}, found {oxum}")
    if info.get("External-Identifier") != reference:
        problems.append(f"bag-info.txt: the bag of {info.get('External-Identifier')}")
    # Said by the manifest too, unless that was rewritten: no bag of ours is without these.
    without = [f"{name}: missing" for name in ("data/complaint.json", "data/events.json") if name not in payload]
    problems += without or _chain(read("data/complaint.json"), read("data/events.json"))
    return list(dict.fromkeys(problems))


def _digests(archive: zipfile.ZipFile, base: str) -> tuple[dict[str, str], dict[str, int], list[str]]:
    digests: dict[str, str] = {}
    sizes: dict[str, int] = {}
    problems = []
    for item in archive.infolist():
        name = item.filename.removeprefix(base)
        try:
            with archive.open(item) as content:
                digests[name], sizes[name] = digest_of(content), item.file_size
        except _DAMAGE as error:
            problems.append(f"{name}: cannot be read: {error}")
    return digests, sizes, problems


def _compare(manifest: str, found: Mapping[str, str]) -> list[str]:
    promised = {path: digest for digest, path in (line.split("  ", 1) for line in manifest.splitlines())}
    return (
        [f"{path}: missing" for path in sorted(promised.keys() - found.keys())]
        + [f"{path}: not in the manifest" for path in sorted(found.keys() - promised.keys())]
        + [f"{p}: altered" for p in sorted(promised.keys() & found.keys()) if promised[p] != found[p]]
    )


def _chain(complaint: bytes, events: bytes) -> list[str]:
    try:
        row, entries = json.loads(complaint), json.loads(events)
        breaks = verify_entries(entries, row["chain_head"], row["event_count"])
    except (ValueError, KeyError, TypeError) as error:
        return [f"data/events.json: not a case log: {error!r}"]
    return [f"data/events.json: event {b.seq}: {b.what}" for b in breaks]
