"""Settings of this installation, from the environment (`COMPLAINTS_…`) or a `.env` file. Every one has a default."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import re
import secrets
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from fsspec.core import split_protocol
from fsspec.registry import get_filesystem_class
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from complaints.domain.errors import FieldProblem, InvalidInput
from complaints.domain.validation import problems_of
from complaints.domain.vocabulary import Language

_HERE = Path(__file__).resolve().parent
PREFIX = "COMPLAINTS_"
#: Variables of ours that are no settings of an installation: for tests, benchmarks and named crash points.
NOT_SETTINGS = ("COMPLAINTS_TEST_", "COMPLAINTS_BENCH_", "COMPLAINTS_CRASH_")
#: Where the embedded PostgreSQL writes how it is reached, below home.
ADDRESS = Path("secrets") / "database_url"
#: The name of our work pool in Prefect.
WORK_POOL = "complaints"
#: Read where the process starts; the environment goes before it.
_FILE = ".env"
#: Settings that lead out of the state folder, to what the whole company uses.
_OUTWARD = (
    "database_url",
    "prefect_database_url",
    "prefect_api",
    "public_url",
    "providers_file",
    "archive",
    "oidc_issuer",
)


class Settings(BaseSettings):
    """One field per setting; its description is its documentation."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=_FILE, extra="ignore", frozen=True, enable_decoding=False
    )

    home: Path = Field(default=Path("var"), description="State folder: database, logs, archive, letters, secrets.")
    database_url: str | None = Field(
        default=None,
        description="PostgreSQL of ours, e.g. `postgresql://user:password@host/complaints`. Empty: the embedded one.",
    )
    prefect_database_url: str | None = Field(
        default=None, description="PostgreSQL of Prefect's. Empty: the database `prefect` beside ours."
    )
    host: str = Field(default="127.0.0.1", description="Address that the web process listens on.")
    web_port: int = Field(default=8080, ge=1, le=65535, description="Port of console, portal and API.")
    prefect_host: str = Field(default="127.0.0.1", description="Address that the Prefect server and its UI listen on.")
    prefect_port: int = Field(default=4200, ge=1, le=65535, description="Port of the Prefect server and its UI.")
    prefect_api: str | None = Field(
        default=None, description="REST API of a Prefect server that runs elsewhere. Empty: one is started here."
    )
    prefect_password: str | None = Field(
        default=None,
        description="Password of `complaints` at Prefect. Empty: made at first start, kept in home.",
    )
    public_url: str = Field(default="", description="Address that links in letters begin with. Empty: host and port.")
    workers: int = Field(default=2, ge=1, le=64, description="Warm worker processes.")
    clock_seconds: int = Field(default=30, ge=1, le=3600, description="How often the SLA clock ticks, in seconds.")
    worker_concurrency: int = Field(default=8, ge=1, le=200, description="Flow runs at once in one worker.")
    policy_dir: Path = Field(default=_HERE / "policies" / "default", description="Folder of the policy files.")
    providers_file: Path | None = Field(
        default=None, description="Apprise providers (TOML). Empty: messages go to `outgoing/` as .eml files."
    )
    archive: str = Field(
        default="",
        description="fsspec URL of the archive, e.g. `s3://bucket/bags` (with the package s3fs). Empty: the folder "
        "`archive/` in home.",
    )
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
    link_days: int = Field(default=180, ge=1, le=3650, description="How long a tracking link works, in days.")
    embed_origins: tuple[str, ...] = Field(
        default=(),
        description="Web sites that may show the form in a frame, e.g. `https://shop.example` (JSON list).",
    )
    form_seconds: float = Field(
        default=2.0, ge=0, le=60, description="Whoever sends the portal's form faster after opening it is a machine."
    )
    sends_per_hour: int = Field(
        default=30, ge=1, description="Complaints and requests for links taken from one network address per hour."
    )
    oidc_issuer: str = Field(
        default="", description="OpenID Connect provider for signing in to the console, e.g. `https://sso.example`."
    )
    oidc_client_id: str = Field(default="", description="Our client id at the provider.")
    oidc_client_secret: str = Field(default="", description="Our secret at the provider; empty for a public client.")
    oidc_label: str = Field(default="SSO", description="Name of the provider on the button of the sign-in page.")
    log_level: str = Field(default="WARNING", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level logged.")
    secret_key: str | None = Field(
        default=None, min_length=16, description="Signs links and sessions. Empty: made at first start, kept in home."
    )

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any, info: ValidationInfo) -> Any:
        """`NAME=` says no more than a variable that is not there, and says it over a line of `.env`."""
        return cls.model_fields[str(info.field_name)].default if value == "" else value

    @field_validator("attachment_types", "embed_origins", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        if not isinstance(value, str) or not value:
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError('write lists as JSON, e.g. ["image/*"]') from None

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"no such time zone {value!r}; use an IANA name such as Asia/Shanghai") from None
        return value

    @field_validator("embed_origins")
    @classmethod
    def _origins(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if not re.fullmatch(r"https?://(\*\.)?[A-Za-z0-9.\-]+(:\d{1,5})?", value):
                raise ValueError(f"{value!r} is no origin; write https://shop.example, without a path")
        return values

    @field_validator("prefect_api", "public_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value and not re.match(r"https?://[^\s/]+\S*$", value):
            raise ValueError("is no address; write http://host:port or https://host, with what follows")
        return value

    @field_validator("archive")
    @classmethod
    def _file_system(cls, value: str) -> str:
        protocol, _ = split_protocol(value)
        if protocol:
            try:
                get_filesystem_class(protocol.rpartition("::")[2])
            except (ValueError, ImportError) as error:
                raise ValueError(f"cannot be used: {error}") from None
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        if value and not re.match(r"https://[^\s?#]+$|http://(127\.0\.0\.1|localhost)(:\d+)?(/[^\s?#]*)?$", value):
            raise ValueError("must begin with https:// and have no query (http:// only on this machine)")
        return value

    @model_validator(mode="after")
    def _sign_on(self) -> Settings:
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("oidc_client_id: name our client id at the provider, or leave the issuer empty")
        return self

    @model_validator(mode="after")
    def _ports(self) -> Settings:
        if self.prefect_api is None and self.web_port == self.prefect_port:
            raise ValueError(f"prefect_port: the web process has port {self.web_port}; give the Prefect server another")
        return self

    @field_validator("home", "policy_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("database_url", "prefect_database_url")
    @classmethod
    def _postgres(cls, value: str | None) -> str | None:
        if not value:
            return None
        if not value.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            raise ValueError("must begin with postgresql:// (only PostgreSQL is supported)")
        try:
            named = make_url(value).database
        except (ArgumentError, ValueError):
            raise ValueError("is not a database URL; write postgresql://user:password@host:5432/database") from None
        if not named:
            raise ValueError("names no database; write postgresql://user:password@host:5432/database")
        return value

    def secret(self) -> str:
        """The key that signs links; generated once, 0600."""
        return self.secret_key or kept_secret(self.home, "secret_key")

    def prefect_auth(self) -> str:
        """`user:password` that the Prefect server asks for."""
        return f"complaints:{self.prefect_password or kept_secret(self.home, 'prefect_password')}"

    @property
    def prefect_api_url(self) -> str:
        """REST API of the Prefect server."""
        return (self.prefect_api or f"http://{_reachable(self.prefect_host)}:{self.prefect_port}/api").rstrip("/")

    @property
    def web_url(self) -> str:
        """Where the web process answers."""
        return f"http://{_reachable(self.host)}:{self.web_port}"

    @property
    def link_base(self) -> str:
        """What complainants' links begin with."""
        return self.public_url or self.web_url

    def postgres_url(self, database: str) -> str:
        """`postgresql://…` of one of the two databases, `complaints` or `prefect`, embedded or external."""
        if database == "prefect" and self.prefect_database_url:
            return _plain(make_url(self.prefect_database_url))
        if self.database_url:
            ours = make_url(self.database_url)
            return _plain(ours if database == "complaints" else ours.set(database=database))
        try:
            return (self.home / ADDRESS).read_text().replace("{database}", database)
        except FileNotFoundError:
            raise InvalidInput(
                f"There is no database in {self.home} yet: start the system with `complaints up`, "
                f"or set COMPLAINTS_DATABASE_URL or COMPLAINTS_HOME."
            ) from None

    def sqlalchemy_url(self) -> str:
        """Our database, for SQLAlchemy with psycopg 3."""
        return "postgresql+psycopg" + self.postgres_url("complaints").removeprefix("postgresql")

    def archive_url(self) -> str:
        """fsspec URL of the archive."""
        # not `as_uri`: fsspec takes what follows the scheme as it stands, and %E6 would be a folder of that name
        return self.archive or f"file://{self.home / 'archive'}"


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _reachable(host: str) -> str:
    """What a process on this machine calls to reach what listens on `host`."""
    if host in ("", "0.0.0.0"):
        return "127.0.0.1"
    plain = "::1" if host == "::" else host
    return f"[{plain}]" if ":" in plain else plain


def kept_secret(home: Path, name: str) -> str:
    """A random secret, made on first use and kept in `home/secrets` with mode 0600."""
    path = home / "secrets" / name
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32), replace=False)
    return path.read_text(encoding="ascii").strip()


def write_private(path: Path, text: str, *, replace: bool = True) -> None:
    """Write a file that only we can read, at once and whole; where not `replace`, whoever came first wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    if replace:
        draft.rename(path)
        return
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


def load_settings() -> Settings:
    """The settings, or `InvalidInput` naming each wrong variable and what to do about it."""
    _refuse_unknown()
    try:
        settings = Settings()
    except ValidationError as error:
        problems = [type(p)(f"{PREFIX}{p.field.upper()}", p.message, p.code) for p in problems_of(error)]
        raise InvalidInput(problems) from None
    _ask_ourselves_directly(settings)
    return settings


def _ask_ourselves_directly(settings: Settings) -> None:
    """A company's proxy (`http_proxy`) reaches its own loopback address, not ours: our processes call each other past
    it. Both spellings, because programs disagree on which one counts.
    """
    told = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    ours = ["127.0.0.1", "localhost", "::1", _reachable(settings.host).strip("[]")]
    if not settings.prefect_api:
        ours.append(_reachable(settings.prefect_host).strip("[]"))
    past = ",".join(dict.fromkeys(filter(None, [*(host.strip() for host in told.split(",")), *ours])))
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = past


def secluded_settings(**changed: str) -> Settings:
    """The settings of a system that is only played with: whatever the installation says, it writes to its own database
    and archive and sends nothing. They are left in the environment, so that all that is started from here agrees.
    """
    for name, value in (dict.fromkeys(_OUTWARD, "") | changed).items():
        os.environ[f"{PREFIX}{name.upper()}"] = value
    return load_settings()


def _refuse_unknown() -> None:
    """A misspelt setting must not be ignored in silence."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    given = dict.fromkeys(os.environ, "")
    if Path(_FILE).is_file():
        given |= dict.fromkeys((name.upper() for name in dotenv_values(_FILE, interpolate=False)), f" ({_FILE})")
    problems = []
    for name in sorted(given.keys() - known):
        if not name.startswith(PREFIX) or name.startswith(NOT_SETTINGS):
            continue
        close = difflib.get_close_matches(name, known, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        problems.append(FieldProblem(name, f"there is no such setting{given[name]}{meant}"))
    if problems:
        raise InvalidInput(problems)
