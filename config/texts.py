"""The canned texts that a new installation begins with, from `texts.toml` beside this file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from complaints.domain.vocabulary import Language

_FILE = Path(__file__).resolve().parent / "texts.toml"
_CODES = {Language.ZH: "zh", Language.EN: "en"}


def texts() -> list[dict[str, Any]]:
    """Each text once in each language, as `canned.create` takes it."""
    found = tomllib.loads(_FILE.read_text(encoding="utf-8"))["texts"]
    return [
        {
            "title": one["title"][code],
            "language": language.value,
            "purpose": one["purpose"],
            "body": one["body"][code].strip(),
        }
        for one in found
        for language, code in _CODES.items()
    ]
