"""Settings of this installation, from the environment (prefix `COMPLAINTS_`) or a `.env` file. Every one has a default."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from complaints.domain.errors import InvalidInput
from complaints.domain.validation import problems_of
from complaints.domain.vocabulary import Language

_HERE = Path(__file__).resolve().parent


class Settings(BaseSettings):
    """One field per setting; its description is its documentation."""

    model_config = SettingsConfigDict(env_prefix="COMPLAINTS_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(default=Path("var"), description="State folder: database, logs, archive, outgoing mail, secrets.")
    database_url: str | None = Field(
        default=None,
        description="PostgreSQL of ours, e.g. `postgresql://user:password@host/complaints`. Empty: the embedded one.",
    )
    prefect_database_url: str | None = Field(
        default=None, description="PostgreSQL of Prefect's. Empty: the database `prefect` beside ours."
    )
    host: str = Field(default="127.0.0.1", description="Address that the web process and the Prefect server listen on.")
    web_port: int = Field(default=8080, ge=1, le=65535, description="Port of console, portal and API.")
    prefect_port: int = Field(default=4200, ge=1, le=65535, description="Port of the Prefect server and its UI.")
    postgres_port: int = Field(default=5544, ge=1, le=65535, description="Port of the embedded PostgreSQL (loopback).")
    public_url: str = Field(default="", description="Address that complainants' links begin with. Empty: host and port.")
    workers: int = Field(default=2, ge=1, le=64, description="Warm worker processes.")
    worker_concurrency: int = Field(default=8, ge=1, le=200, description="Flow runs at once in one worker.")
    policy_dir: Path = Field(default=_HERE / "policies" / "default", description="Folder of the policy files.")
    providers_file: Path | None = Field(
        default=None, description="Apprise providers (TOML). Empty: messages go to `outgoing/` as .eml files."
    )
    archive: str = Field(default="", description="fsspec URL of the archive. Empty: the folder `archive/` in home.")
    attachment_limit: int = Field(default=20_000_000, ge=1, description="Largest attachment, in bytes.")
    attachment_types: tuple[str, ...] = Field(
        default=(
            "application/pdf",
            "image/*",
            "audio/*",
            "video/*",
            "text/plain",
            "text/csv",
            "message/rfc822",
            "application/rtf",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-outlook",
            "application/vnd.oasis.opendocument.text",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ),
        description="Media types taken as attachments, judged by content; `image/*` means all images (JSON list).",
    )
    request_limit: int = Field(default=2_000_000, ge=1000, description="Largest request without files, in bytes.")
    company: str = Field(default="Example Company", description="Name of the company, as letters bear it.")
    language: Language = Field(default=Language.ZH, description="Language where no reader's language is known.")
    time_zone: str = Field(default="Asia/Shanghai", description="Time zone of dates in letters (IANA name).")
    log_level: str = Field(default="WARNING", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level logged.")
    secret_key: str | None = Field(
        default=None, min_length=16, description="Signs links and sessions. Empty: made at first start, kept in home."
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"no such time zone {value!r}; use an IANA name such as Asia/Shanghai") from None
        return value

    @field_validator("database_url", "prefect_database_url")
    @classmethod
    def _postgres(cls, value: str | None) -> str | None:
        if value and not value.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            raise ValueError("must begin with postgresql:// (only PostgreSQL is supported)")
        return value or None

    def secret(self) -> str:
        """The key that signs links; generated once, 0600."""
        return self.secret_key or kept_secret(self.home, "secret_key")

    def prefect_auth(self) -> str:
        """`user:password` that the Prefect server asks for."""
        return f"complaints:{kept_secret(self.home, 'prefect_password')}"

    @property
    def prefect_api_url(self) -> str:
        """REST API of the Prefect server."""
        return f"http://{self.host}:{self.prefect_port}/api"

    @property
    def web_url(self) -> str:
        """Where the web process listens."""
        return f"http://{self.host}:{self.web_port}"

    @property
    def link_base(self) -> str:
        """What complainants' links begin with."""
        return self.public_url or self.web_url

    def postgres_url(self, database: str) -> str:
        """`postgresql://…` of one of the two databases, embedded or external."""
        if database == "complaints" and self.database_url:
            return _plain(self.database_url)
        if database == "prefect" and self.prefect_database_url:
            return _plain(self.prefect_database_url)
        if self.database_url:
            head, _, tail = _plain(self.database_url).rpartition("/")
            return f"{head}/prefect{'?' + tail.partition('?')[2] if '?' in tail else ''}"
        password = kept_secret(self.home, "postgres_password")
        return f"postgresql://complaints:{password}@127.0.0.1:{self.postgres_port}/{database}"

    def sqlalchemy_url(self) -> str:
        """Our database, for SQLAlchemy with psycopg 3."""
        return "postgresql+psycopg" + self.postgres_url("complaints").removeprefix("postgresql")

    def archive_url(self) -> str:
        """fsspec URL of the archive."""
        return self.archive or (self.home / "archive").resolve().as_uri()


def _plain(url: str) -> str:
    return "postgresql://" + url.split("://", 1)[1]


def kept_secret(home: Path, name: str) -> str:
    """A random secret, made on first use and kept in `home/secrets` with mode 0600."""
    folder = home / "secrets"
    path = folder / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = folder / f".{name}.{os.getpid()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        try:
            os.link(draft, path)  # whoever comes first wins
        except FileExistsError:
            pass
        draft.unlink()
    return path.read_text(encoding="ascii").strip()


def load_settings() -> Settings:
    """The settings, or `InvalidInput` naming each wrong environment variable and what to do about it."""
    try:
        return Settings()
    except ValidationError as error:
        problems = [
            type(p)(f"COMPLAINTS_{p.field.upper()}", p.message, p.code) for p in problems_of(error)
        ]
        raise InvalidInput(problems) from None
