"""Settings: what they default to, how they become addresses, what they refuse."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import fsspec
import httpx
import pytest

from complaints.domain.errors import InvalidInput
from config.settings import ADDRESS, Settings, kept_secret, load_settings, secluded_settings, write_private


@pytest.fixture(autouse=True)
def no_dotenv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_home_is_absolute_wherever_one_stands(tmp_path: Path) -> None:
    assert load_settings().home == tmp_path / "var"


def test_a_secret_is_made_once_and_private(tmp_path: Path) -> None:
    first = kept_secret(tmp_path, "key")
    assert kept_secret(tmp_path, "key") == first
    assert len(first) >= 32
    assert stat.S_IMODE((tmp_path / "secrets" / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_a_secret_that_somebody_else_just_made_is_taken(tmp_path: Path) -> None:
    write_private(tmp_path / "secrets" / "key", "theirs", replace=False)
    write_private(tmp_path / "secrets" / "key", "mine", replace=False)
    assert kept_secret(tmp_path, "key") == "theirs"


def test_the_embedded_database_is_found_by_what_it_wrote(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(InvalidInput, match="start the system with `complaints up`"):
        settings.sqlalchemy_url()
    write_private(tmp_path / ADDRESS, "postgresql://complaints:pw@/{database}?host=/run&port=5432")
    assert settings.sqlalchemy_url() == "postgresql+psycopg://complaints:pw@/complaints?host=/run&port=5432"
    assert settings.postgres_url("prefect") == "postgresql://complaints:pw@/prefect?host=/run&port=5432"


@pytest.mark.parametrize(
    ("given", "prefects"),
    [
        ("postgresql://u:p@db.example:6000/ours", "postgresql://u:p@db.example:6000/prefect"),
        (
            "postgres://u:p%40x@db.example/ours?sslmode=require",
            "postgresql://u:p%40x@db.example/prefect?sslmode=require",
        ),
        ("postgresql+psycopg://u@/ours?host=/run/pg", "postgresql://u@/prefect?host=%2Frun%2Fpg"),
    ],
)
def test_prefects_database_lies_beside_an_external_one(given: str, prefects: str) -> None:
    assert Settings(database_url=given).postgres_url("prefect") == prefects


def test_prefects_database_may_lie_elsewhere() -> None:
    settings = Settings(database_url="postgresql://a/ours", prefect_database_url="postgresql://b/theirs")
    assert settings.postgres_url("prefect") == "postgresql://b/theirs"
    assert settings.sqlalchemy_url() == "postgresql+psycopg://a/ours"


def test_addresses_for_this_machine_when_listening_everywhere() -> None:
    settings = Settings(host="0.0.0.0", prefect_host="0.0.0.0", web_port=81, prefect_port=82)
    assert settings.web_url == "http://127.0.0.1:81"
    assert settings.prefect_api_url == "http://127.0.0.1:82/api"
    assert Settings(prefect_api="https://prefect.example/api/").prefect_api_url == "https://prefect.example/api"


def test_all_wrong_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPLAINTS_WORKERS", "0")
    monkeypatch.setenv("COMPLAINTS_TIME_ZONE", "Mars/Base")
    monkeypatch.setenv("COMPLAINTS_LANGUAGE", "tlh")
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert {p.field for p in caught.value.problems} == {
        "COMPLAINTS_WORKERS",
        "COMPLAINTS_TIME_ZONE",
        "COMPLAINTS_LANGUAGE",
    }
    assert "no such time zone 'Mars/Base'; use an IANA name such as Asia/Shanghai" in str(caught.value)


def test_a_list_that_is_no_json_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPLAINTS_ATTACHMENT_TYPES", "image/*")
    with pytest.raises(InvalidInput, match="write lists as JSON"):
        load_settings()


def test_crash_points_and_tests_have_variables_that_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPLAINTS_CRASH_AT", "after_send")
    monkeypatch.setenv("COMPLAINTS_TEST_DATABASE_URL", "postgresql://x/y")
    load_settings()


def test_addresses_of_the_sixth_version_stand_in_brackets() -> None:
    settings = Settings(host="::1", prefect_host="::", web_port=81, prefect_port=82)
    assert settings.web_url == "http://[::1]:81"
    assert settings.prefect_api_url == "http://[::1]:82/api"


def test_two_servers_do_not_share_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPLAINTS_WEB_PORT", "4200")
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert [p.field for p in caught.value.problems] == ["COMPLAINTS_PREFECT_PORT"]
    monkeypatch.setenv("COMPLAINTS_PREFECT_API", "http://first:4200/api")  # it runs on another machine
    assert load_settings().web_port == 4200


@pytest.mark.parametrize("name", ["PREFECT_API", "PUBLIC_URL"])
def test_an_address_without_its_scheme_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"COMPLAINTS_{name}", "first:4200/api")
    with pytest.raises(InvalidInput, match=f"COMPLAINTS_{name}: is no address; write http://"):
        load_settings()


@pytest.mark.parametrize("name", ["投诉", "a b", "100%", "a%20b"])
def test_the_archive_lies_in_the_state_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    url = Settings(home=tmp_path / name).archive_url()
    assert fsspec.core.url_to_fs(url)[1] == str(tmp_path / name / "archive")


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_an_empty_variable_means_the_default_also_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    given = {"home": "elsewhere", "language": "en", "time_zone": "UTC", "log_level": "ERROR", "public_url": "http://a"}
    given |= {"prefect_api": "http://a/api", "oidc_issuer": "https://a", "oidc_client_id": "x", "secret_key": "k" * 20}
    given |= dict.fromkeys(("database_url", "prefect_database_url"), "postgresql://a/b")
    given |= {"request_limit": "1700", "attachment_types": '["text/plain"]', "embed_origins": '["https://a.example"]'}
    value = given.get(name, "17")
    (tmp_path / ".env").write_text(f"COMPLAINTS_{name.upper()}={value}\nCOMPLAINTS_OIDC_CLIENT_ID=x\n")
    monkeypatch.delenv(f"COMPLAINTS_{name.upper()}")
    monkeypatch.delenv("COMPLAINTS_OIDC_CLIENT_ID", raising=False)
    default = getattr(Settings(_env_file=None), name)
    assert getattr(load_settings(), name) != default
    monkeypatch.setenv(f"COMPLAINTS_{name.upper()}", "")
    assert getattr(load_settings(), name) == default


def test_a_misspelt_line_of_the_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# ours\nexport complaints_WORKERS=3\nCOMPLAINTS_ARCHIV=s3://a\nPATH_OF_OTHERS=1\n")
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert [(p.field, p.message) for p in caught.value.problems] == [
        ("COMPLAINTS_ARCHIV", "there is no such setting (.env); did you mean COMPLAINTS_ARCHIVE?")
    ]


@pytest.mark.parametrize("url", ["gopher://bags", "simplecache::gopher://bags"])
def test_an_archive_that_nothing_can_write_to_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Before the first complaint is closed, weeks later, and cannot be archived."""
    monkeypatch.setenv("COMPLAINTS_ARCHIVE", url)
    with pytest.raises(InvalidInput, match="COMPLAINTS_ARCHIVE: cannot be used: Protocol not known: gopher"):
        load_settings()
    for fine in ("/mnt/bags", "file:///mnt/bags", "simplecache::file:///mnt/bags"):
        monkeypatch.setenv("COMPLAINTS_ARCHIVE", fine)
        assert load_settings().archive_url() == fine


def test_tests_have_nothing_of_the_companys_either() -> None:
    assert {os.environ.get(f"COMPLAINTS_{name.upper()}") for name in Settings.model_fields} == {""}


def test_a_system_to_play_with_has_nothing_of_the_companys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "COMPLAINTS_DATABASE_URL=postgresql://db.example/ours\nCOMPLAINTS_PREFECT_API=http://first:4200/api\n"
        "COMPLAINTS_PROVIDERS_FILE=notify.toml\nCOMPLAINTS_ARCHIVE=/mnt/ours\nCOMPLAINTS_WEB_PORT=8099\n"
    )
    for name in ("DATABASE_URL", "PREFECT_API", "PROVIDERS_FILE", "ARCHIVE", "WEB_PORT", "HOME"):
        monkeypatch.delenv(f"COMPLAINTS_{name}")
    monkeypatch.setenv("COMPLAINTS_PREFECT_DATABASE_URL", "postgresql://db.example/theirs")
    assert load_settings().database_url is not None
    monkeypatch.setattr(os, "environ", os.environ.copy())
    settings = secluded_settings(home=str(tmp_path / "demo"))
    assert (settings.home, settings.web_port) == (tmp_path / "demo", 8099)
    assert settings.archive_url() == f"file://{tmp_path}/demo/archive"
    outward = (settings.database_url, settings.prefect_database_url, settings.prefect_api, settings.providers_file)
    assert outward == (None, None, None, None)
    assert load_settings() == settings  # as whatever is started from here reads them


def test_we_ask_ourselves_past_the_companys_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    os.environ |= {"http_proxy": "http://proxy.example:3128", "no_proxy": "intra.example", "NO_PROXY": ""}
    os.environ |= {"COMPLAINTS_HOST": "0.0.0.0", "COMPLAINTS_PREFECT_HOST": "10.1.2.3"}
    load_settings()
    load_settings()
    assert os.environ["no_proxy"] == "intra.example,127.0.0.1,localhost,::1,10.1.2.3"
    assert os.environ["NO_PROXY"] == os.environ["no_proxy"]
    with httpx.Client() as client:
        direct = client._transport
        for own in ("http://127.0.0.1:8080", "http://10.1.2.3:4200", "http://localhost:1", "http://[::1]:1"):
            assert client._transport_for_url(httpx.URL(own)) in (direct, None), own
        assert client._transport_for_url(httpx.URL("http://hooks.example")) is not direct
