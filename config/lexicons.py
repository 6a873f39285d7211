"""Finding the lexicons of a policy: its own folder `lexicons`, or that of the nearest policy it extends."""

from __future__ import annotations

import tomllib
from pathlib import Path

from complaints.domain.errors import PolicyInvalid
from complaints.triage.lexicon import Lexicon, load
from config.policy_files import Problem

_FOLDER, _MANIFEST = "lexicons", "policy.toml"


def load_lexicon(policy: Path) -> Lexicon:
    """The lexicon of the policy folder `policy`; `PolicyInvalid` where neither it nor what it extends has one."""
    here, seen = policy.resolve(), set[Path]()
    while here not in seen:
        seen.add(here)
        if (here / _FOLDER).is_dir():
            return load(here / _FOLDER)
        manifest = here / _MANIFEST
        parent = tomllib.loads(manifest.read_text(encoding="utf-8")).get("extends") if manifest.is_file() else None
        here = (here / str(parent)).resolve() if parent else here
    raise PolicyInvalid(f"{policy}: neither it nor a policy it extends has a folder {_FOLDER}; create it")


def wrong_words(policy: Path) -> list[Problem]:
    """What keeps the classifier from reading the words of `policy`, for those who check it; empty when it can."""
    try:
        load_lexicon(policy)
    except PolicyInvalid as error:
        return [Problem(_FOLDER, 0, "", str(error))]
    except (OSError, tomllib.TOMLDecodeError):
        return []  # its manifest: told by who reads the policy
    return []
