"""Whatever keeps the system from starting is said in one sentence that names what to do."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from complaints.domain.errors import InvalidInput, PolicyInvalid
from config.settings import Settings, load_settings
from deployments.stack import external_postgres, supervisor
from deployments.stack.errors import StackError
from deployments.stack.migrate import upgrade
from deployments.stack.supervisor import Stack
from tests.databases import Databases
from tests.ports import free_port


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Makes settings on a new state folder and free ports."""
    return lambda **more: Settings(
        **{"home": tmp_path / "home", "web_port": free_port(), "prefect_port": free_port(), **more}
    )


def refusal(settings: Settings) -> str:
    """What starting with these settings is answered with."""
    with pytest.raises(StackError) as caught, Stack(settings):
        pass
    return str(caught.value)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB. Only root may mount one; others get a folder on the ordinary disk."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = (
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True).returncode == 0
    )
    yield place
    if mounted:
        subprocess.run(["umount", "-l", place], check=True)


def test_a_second_start_on_the_same_folder(settings: Callable[..., Settings]) -> None:
    first = Stack(settings())
    first._take_folder()
    try:
        assert refusal(settings()) == (
            f"The system already runs on {first.home} (process {os.getpid()}). "
            "Stop it first, or set COMPLAINTS_HOME to another folder."
        )
    finally:
        first.stop()
    again = Stack(settings())
    again._take_folder()
    again.stop()


def test_a_demonstration_forgets_the_last_one_but_never_one_that_runs(settings: Callable[..., Settings]) -> None:
    running, home = Stack(settings()), settings().home
    running._take_folder()
    (home / "postgres" / "data").mkdir(parents=True)
    with pytest.raises(StackError, match="already runs"), Stack(settings(), fresh=True):
        pass
    assert (home / "postgres" / "data").exists()
    running.stop()
    again = Stack(settings(), fresh=True)
    again._take_folder()
    again._forget()
    assert [left.name for left in home.iterdir()] == ["up.lock"]
    assert "already runs" in refusal(settings())
    again.stop()


@pytest.mark.parametrize("name", ["web_port", "prefect_port"])
def test_a_taken_port(settings: Callable[..., Settings], name: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert refusal(settings(**{name: port})) == (
            f"Port {port} on 127.0.0.1 cannot be used: Address already in use. "
            f"Stop what uses it, or set COMPLAINTS_{name.upper()} to another."
        )


@pytest.mark.parametrize("name", ["host", "prefect_host"])
def test_an_address_that_is_not_this_machines(settings: Callable[..., Settings], name: str) -> None:
    assert refusal(settings(**{name: "203.0.113.7"})).endswith(  # RFC 5737: nobody's
        "on 203.0.113.7 cannot be used: Cannot assign requested address. "
        f"Set COMPLAINTS_{name.upper()} to an address of this machine."
    )


def test_a_port_that_only_root_may_have(settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(supervisor.socket.socket, "bind", denied)
    assert refusal(settings(web_port=80)) == (
        "Port 80 on 127.0.0.1 cannot be used: Permission denied. Set COMPLAINTS_WEB_PORT to one above 1023."
    )


def test_a_full_disk(settings: Callable[..., Settings], tiny_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not tiny_disk.is_mount():  # no right to mount: every disk is too small for this threshold
        monkeypatch.setattr(supervisor, "LEAST_FREE", 10**18)
    home = tiny_disk / "home"
    assert "MB are free on the disk of" in refusal(settings(home=home))
    if tiny_disk.is_mount():
        (tiny_disk / "ballast").write_bytes(b"x" * 1_500_000)
        assert refusal(settings(home=home)) == (
            f"Cannot write to the state folder {home}: No space left on device. "
            "Free some space or set COMPLAINTS_HOME to a folder of yours elsewhere."
        )
        assert [p for p in home.rglob("*") if p.is_file() and p.stat().st_size > 100] == []


def test_a_state_folder_that_is_a_file(settings: Callable[..., Settings], tmp_path: Path) -> None:
    (tmp_path / "home").write_text("I am a file")
    assert "Cannot write to the state folder" in refusal(settings())


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://somewhere/complaints", "must begin with postgresql://"),
        ("postgresql://user:secret@host:port/complaints", "is not a database URL"),
        ("postgresql://host", "names no database"),
    ],
)
def test_a_wrong_database_url(monkeypatch: pytest.MonkeyPatch, url: str, reason: str) -> None:
    monkeypatch.setenv("COMPLAINTS_DATABASE_URL", url)
    with pytest.raises(InvalidInput, match=f"COMPLAINTS_DATABASE_URL: {reason}") as caught:
        load_settings()
    assert "secret" not in str(caught.value)


def test_a_setting_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPLAINTS_WEB_PORT", "abc")
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert str(caught.value) == "COMPLAINTS_WEB_PORT: write a whole number"


def test_a_misspelt_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPLAINTS_WORKRES", "4")
    with pytest.raises(InvalidInput, match=r"COMPLAINTS_WORKRES: .*did you mean COMPLAINTS_WORKERS\?"):
        load_settings()


def test_an_unreachable_database(settings: Callable[..., Settings]) -> None:
    port = free_port()
    said = refusal(settings(database_url=f"postgresql://u:p@127.0.0.1:{port}/complaints"))
    assert said == (
        f'The database cannot be reached: connection to server at "127.0.0.1", port {port} failed: Connection refused. '
        "Check COMPLAINTS_DATABASE_URL."
    )


def test_a_command_without_its_database_says_why(tmp_path: Path) -> None:
    port = free_port()
    url = f"postgresql://u:p@127.0.0.1:{port}/complaints"
    env = {**os.environ, "COMPLAINTS_HOME": str(tmp_path), "COMPLAINTS_DATABASE_URL": url}
    command = [sys.executable, "-m", "deployments.cli", "list"]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr == (
        f'✗ The database cannot be reached: connection to server at "127.0.0.1", port {port} failed: '
        "Connection refused. Is the system up? Start it with `complaints up`.\n"
    )


def test_a_wrong_password(settings: Callable[..., Settings], postgres: str) -> None:
    wrong = make_url(postgres).set(password="wrong", database="postgres").render_as_string(hide_password=False)
    said = refusal(settings(database_url=wrong))
    assert "password authentication failed" in said
    assert said.endswith("Check COMPLAINTS_DATABASE_URL.")


def test_a_role_that_may_not_create_tables(
    settings: Callable[..., Settings], databases: Databases, database: str
) -> None:
    """As in a database that an administrator made for it, since PostgreSQL 15: told before Prefect's server fails."""
    empty = databases.empty().replace("+psycopg", "")
    theirs = f"{empty}{'&' if '?' in empty else '?'}options=-csearch_path%3Dpg_catalog"  # nobody may create there
    said = refusal(settings(database_url=database.replace("+psycopg", ""), prefect_database_url=theirs))
    role, name = make_url(empty).username, make_url(empty).database
    assert said == (
        f"The role {role} may not create tables in the database {name} of COMPLAINTS_PREFECT_DATABASE_URL. "
        f'Let an administrator run GRANT ALL ON SCHEMA public TO "{role}" in that database.'
    )
    assert external_postgres.reach(empty, "X").endswith(f"/{name}")
    filled = database.replace("+psycopg", "")
    with psycopg.connect(filled) as connection:
        connection.execute("REVOKE CREATE ON SCHEMA public FROM pg_database_owner")
    assert external_postgres.reach(filled, "X")  # its tables are there


def test_a_newer_schema(settings: Callable[..., Settings], database: str) -> None:
    with psycopg.connect(database.replace("+psycopg", "")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    plain = database.replace("+psycopg", "")
    said = refusal(settings(database_url=plain, prefect_database_url=plain))
    assert "has schema 9999, newer than" in said
    assert "install the newer version" in said


def test_a_wrong_providers_file(settings: Callable[..., Settings], database: str, tmp_path: Path) -> None:
    providers = tmp_path / "notify.toml"
    providers.write_text('[[providers]]\nurl = "mailto://user:secret@mail.example"\ntags = ["lead"]\n')
    plain = database.replace("+psycopg", "")
    with (
        pytest.raises(InvalidInput, match="0 providers are tagged 'complainant'") as caught,
        Stack(settings(database_url=plain, prefect_database_url=plain, providers_file=providers)),
    ):
        pass
    assert str(providers) in str(caught.value)


def test_words_that_cannot_be_read(settings: Callable[..., Settings], database: str, tmp_path: Path) -> None:
    default = Settings.model_fields["policy_dir"].default
    (tmp_path / "policy.toml").write_text(f'extends = "{default}"')
    (tmp_path / "lexicons").mkdir()
    (tmp_path / "lexicons" / "zh.toml").write_text("strong = [")
    plain = database.replace("+psycopg", "")
    with (
        pytest.raises(PolicyInvalid, match=r"zh\.toml: not readable as TOML"),
        Stack(settings(database_url=plain, prefect_database_url=plain, policy_dir=tmp_path)),
    ):
        pass


@pytest.mark.parametrize(
    ("manifest", "says"), [(None, "no such folder"), ("extends = [", r"policy\.toml"), ('extends = "none"', "none")]
)
def test_a_policy_folder_that_is_none(
    settings: Callable[..., Settings], database: str, tmp_path: Path, manifest: str | None, says: str
) -> None:
    folder = tmp_path / "policy"
    if manifest is not None:
        folder.mkdir()
        (folder / "policy.toml").write_text(manifest)
    plain = database.replace("+psycopg", "")
    with (
        pytest.raises(PolicyInvalid, match=says),
        Stack(settings(database_url=plain, prefect_database_url=plain, policy_dir=folder)),
    ):
        pass


def test_a_prefect_server_elsewhere_that_does_not_answer(settings: Callable[..., Settings]) -> None:
    port = free_port()
    stack = Stack(settings(prefect_api=f"http://127.0.0.1:{port}/api"))
    with pytest.raises(StackError) as caught:
        stack._register()
    assert str(caught.value) == (
        f"The Prefect server at http://127.0.0.1:{port}/api does not take the deployments: "
        "[Errno 111] Connection refused. Check COMPLAINTS_PREFECT_API and COMPLAINTS_PREFECT_PASSWORD."
    )


def test_a_command_on_a_database_without_our_tables_says_so(tmp_path: Path, postgres: str) -> None:
    env = {**os.environ, "COMPLAINTS_HOME": str(tmp_path), "COMPLAINTS_DATABASE_URL": postgres}
    command = [sys.executable, "-m", "deployments.cli", "list"]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr == (
        "✗ The database has not the tables of this version. Start the system once with `complaints up`.\n"
    )


def test_migrating_again_changes_nothing(database: str) -> None:
    assert upgrade(database) == upgrade(database)


def test_the_command_line_says_it_in_one_line_and_fails(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        env = {**os.environ, "COMPLAINTS_HOME": str(tmp_path), "COMPLAINTS_WEB_PORT": str(port)}
        ended = subprocess.run(
            [sys.executable, "-m", "deployments.cli", "up"], env=env, capture_output=True, text=True, timeout=60
        )
    assert ended.returncode == 1
    assert f"Port {port} on 127.0.0.1 cannot be used" in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr + ended.stdout
