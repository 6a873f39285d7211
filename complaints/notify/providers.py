"""The providers file: which URL carries which messages. Format and examples: config/notify.example.toml."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from complaints.domain.errors import InvalidInput

#: The tag of the one provider that writes to people by their address.
LETTERS = "complainant"
#: URL of the local folder of outgoing mail.
FOLDER_URL = "folder://"


class ProviderEntry(BaseModel):
    """One `[[providers]]` table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(min_length=1, description="Apprise URL, mailto(s):// or folder://.")
    tags: frozenset[str] = Field(min_length=1, description="What it carries: complainant, team, lead, a team's key…")
    timeout: float = Field(default=10, gt=0, le=30, description="Seconds one hand-over may take; the lease is 45.")
    per_minute: int = Field(default=600, ge=1, description="Most messages per minute, from all processes together.")

    @property
    def schema_name(self) -> str:
        """The part of the URL before `://`, for people and logs (the URL may hold a password)."""
        return self.url.partition("://")[0]

    @property
    def name(self) -> str:
        """Tells this provider from others, the same in every process that reads the file, without its secrets."""
        return f"{self.schema_name}:{hashlib.sha256(self.url.encode()).hexdigest()[:16]}"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    providers: tuple[ProviderEntry, ...] = Field(min_length=1)


def read(path: Path) -> tuple[ProviderEntry, ...]:
    """The entries of a providers file. `InvalidInput` says what is wrong; it never repeats a URL."""
    try:
        found = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).providers
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}. Name an existing file.", str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"is not TOML: {error}", str(path)) from None
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InvalidInput(problems, str(path)) from None
    letters = sum(LETTERS in entry.tags for entry in found)
    if letters != 1:
        raise InvalidInput(
            f"{letters} providers are tagged '{LETTERS}'. Tag exactly one: a mailto(s):// provider, "
            f"or {FOLDER_URL} to collect the letters as files.",
            str(path),
        )
    return found
