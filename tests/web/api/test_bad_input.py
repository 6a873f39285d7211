"""Bad input of every kind gets a clear refusal that names the field; nothing of it is stored."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from complaints.domain.intake import NARRATIVE_LIMIT
from complaints.store.tables import Complainant, Complaint, Outbox
from config.wiring import App
from tests.web.api.conftest import SUBMISSION, Caller, counted, make_key
from tests.web.api.server import serving
from web.app import create_app


def _post(caller: Caller, raw: bytes, kind: str = "application/json") -> Any:
    return caller("POST", "/complaints", content=raw, headers={"Content-Type": kind})


@pytest.fixture(autouse=True)
def _nothing_half_stored(product: App) -> Iterator[None]:
    """Whatever a test of this module sends, a refused submission leaves no trace."""
    yield
    assert counted(product, Complaint) == counted(product, Complainant)
    assert counted(product, Outbox) >= counted(product, Complaint)


def _refused(answer: Any, status: int, field: str | None = None) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    if field is not None:
        assert field in [e["field"] for e in body["errors"]]
    return body


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"narrative": ""}, "narrative"),
        ({"narrative": " \n\t "}, "narrative"),
        ({"narrative": "\u200b\u2060\u3164\u2800 \u0301"}, "narrative"),
        ({"narrative": 7}, "narrative"),
        ({"narrative": None}, "narrative"),
        ({"narrative": "a\u0000b"}, "narrative"),
        ({"subject": "\u0000"}, "subject"),
        ({"subject": "x" * 301}, "subject"),
        ({"channel": "pigeon"}, "channel"),
        ({"language": "fr"}, "language"),
        ({"confidential": "yes"}, "confidential"),
        ({"confidential": 1}, "confidential"),
        ({"narative": "typo"}, "narative"),
        ({"received_at": "2026-01-01T00:00:00"}, "received_at"),
        ({"received_at": "2999-01-01T00:00:00Z"}, "received_at"),
        ({"received_at": "0001-01-01T00:00:00+14:00"}, "received_at"),
        ({"received_at": "yesterday"}, "received_at"),
        ({"received_at": "1700000000"}, "received_at"),
        ({"complainant": {"email": "not an address"}}, "complainant.email"),
        ({"complainant": {"phone": "call me"}}, "complainant.phone"),
        ({"complainant": {"needs": ["unicorn"]}}, "complainant.needs.0"),
        ({"complainant": {"name": "a\u0000"}}, "complainant.name"),
        ({"complainant": []}, "complainant"),
        ({"jurisdiction": "UK!"}, "jurisdiction"),
        ({"extra": {"a": {"b": ["\u0000"]}}}, "extra"),
        ({"extra": {"\u0000": 1}}, "extra"),
        ({"extra": {"a": "x" * 30_000}}, "extra"),
        ({"extra": []}, "extra"),
    ],
)
def test_a_wrong_field_is_named(integrator: Caller, product: App, change: dict[str, Any], field: str) -> None:
    _refused(integrator.post("/complaints", SUBMISSION | change), 422, field)
    assert counted(product, Complaint) == 0


def test_all_wrong_fields_are_named_at_once(integrator: Caller) -> None:
    body = _refused(integrator.post("/complaints", {"language": "fr", "channel": 1, "x": 2}), 422)
    assert {e["field"] for e in body["errors"]} == {"narrative", "language", "channel", "x"}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b'{"narrative": "a", }',
        b'{"narrative": "\xff\xfe"}',
        b'{"narrative": "\xc3"}',
        b"\x00",
        b'{"narrative": "\\ud800"}',
        b'{"narrative": "a", "extra": {"n": NaN}}',
        b'{"narrative": "a", "extra": {"n": 1e999}}',
        b'{"narrative": "a", "extra": {"n": -Infinity}}',
        b'{"narrative": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"narrative": "a", "extra": {"n": ' + b"9" * 5000 + b"}}",
        '{"narrative": "a"}'.encode("utf-16"),
    ],
    ids=lambda raw: repr(raw[:30]),
)
def test_what_is_no_readable_json_is_refused(integrator: Caller, product: App, raw: bytes) -> None:
    _refused(_post(integrator, raw), 422)
    assert counted(product, Complaint) == 0


def test_unreadable_json_is_no_field(integrator: Caller) -> None:
    wrong = _refused(_post(integrator, b'{"narrative": '), 422)["errors"]
    assert [(e["field"], e["code"]) for e in wrong] == [("", "json_invalid")]
    assert wrong[0]["message"].startswith("Invalid JSON: EOF")


@pytest.mark.parametrize(
    ("language", "email", "phone"),
    [
        ("en", "is no e-mail address; write it like name@example.com", "is no telephone number; write it in digits"),
        ("zh-CN", "不是电子邮箱地址；请写成 name@example.com 的形式", "不是电话号码；请用数字填写"),
    ],
)
def test_a_wrong_address_is_told_in_words(integrator: Caller, language: str, email: str, phone: str) -> None:
    body = SUBMISSION | {"complainant": {"email": "not an address", "phone": "call me"}}
    answer = _refused(integrator.post("/complaints", body, headers={"Accept-Language": language}), 422)
    said = {e["field"]: e["message"] for e in answer["errors"]}
    assert said["complainant.email"] == email
    assert said["complainant.phone"].startswith(phone)


def test_a_parameter_that_is_no_number_is_told_in_words(admin: Caller) -> None:
    assert _refused(admin.get("/complaints?limit=many"), 422)["detail"] == "limit: write a whole number"


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data", ""])
def test_only_json_is_taken(integrator: Caller, kind: str) -> None:
    _refused(_post(integrator, json.dumps(SUBMISSION).encode(), kind), 415)


def test_a_narrative_over_the_limit_is_named(integrator: Caller) -> None:
    _refused(integrator.post("/complaints", SUBMISSION | {"narrative": "x" * (NARRATIVE_LIMIT + 1)}), 422, "narrative")
    assert integrator.post("/complaints", SUBMISSION | {"narrative": "龙" * NARRATIVE_LIMIT}).status_code == 201


def test_a_ten_megabyte_narrative_is_too_large(integrator: Caller, product: App) -> None:
    body = _refused(integrator.post("/complaints", SUBMISSION | {"narrative": "x" * 10_000_000}), 413)
    assert "500,000 bytes" in body["detail"]
    assert counted(product, Complaint) == 0


def test_a_body_without_announced_length_is_cut_off_while_it_streams(integrator: Caller, product: App) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'{"narrative": "'
        while sent < 50_000_000:
            sent += 10_000
            yield b"x" * 10_000

    answer = integrator("POST", "/complaints", content=endless(), headers={"Content-Type": "application/json"})
    _refused(answer, 413)
    assert counted(product, Complaint) == 0


@pytest.mark.parametrize(
    "path",
    [
        "/complaints?words=%00",
        "/complaints?cursor=%00",
        "/complaints?words=%ff",
        "/complaints/%00",
        "/complaints/C26-000001-5%00/timeline",
        "/complaints/%ff%fe",
        "/tasks/%00",
        "/tasks?reference=%00",
    ],
)
def test_nul_and_bad_utf8_in_the_address(admin: Caller, path: str) -> None:
    _refused(admin.get(path), 400)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/complaints?status=sleeping", "status.0"),
        ("/complaints?limit=0", "limit"),
        ("/complaints?limit=many", "limit"),
        ("/complaints?cursor=abc", "cursor"),
        ("/complaints?cursor=W10", "cursor"),
        ("/complaints?cursor=" + "W1tb" * 40, "cursor"),
        ("/complaints?assignee=me", "assignee"),
        ("/complaints?received_from=2026-01-01", "received_from"),
        ("/complaints?received_from=2026-01-01T00:00:00", "received_from"),
        ("/complaints?due_before=1700000000", "due_before"),
        ("/tasks?kind=nap", "kind"),
        ("/tasks/abc", "task_id"),
        ("/outbox?state=lost", "state"),
        ("/outbox?cursor=abc", "cursor"),
    ],
)
def test_a_wrong_parameter_is_named(admin: Caller, path: str, field: str) -> None:
    _refused(admin.get(path), 422, field)


def test_an_idempotency_key_is_bounded_ascii(integrator: Caller) -> None:
    for key in ("", "x" * 201, "a b"):
        _refused(integrator.post("/complaints", SUBMISSION, headers={"Idempotency-Key": key}), 422)


@pytest.mark.parametrize(("version", "status"), [('"x"', 422), ("٧", 422), ('"99999999999"', 422), ('"1000"', 412)])
def test_a_wrong_entity_tag(agent: Caller, routed: Callable[..., str], version: str, status: int) -> None:
    path = f"/complaints/{routed()}/actions/add_note"
    _refused(agent.post(path, {"text": "x"}, headers={"If-Match": version.encode()}), status)


def test_a_mistyped_reference_says_so(integrator: Caller) -> None:
    body = _refused(integrator.get("/complaints/C26-000001-4"), 404)
    assert "check digit" in body["detail"]
    _refused(integrator.get("/complaints/nonsense"), 404)
    body = _refused(integrator.get("/complaints/C26-000999-0"), 404)
    assert "C26-000999-0" in body["detail"]


def test_an_unknown_path_and_a_wrong_method_are_problems_too(integrator: Caller) -> None:
    _refused(integrator.get("/nothing"), 404)
    answer = integrator("DELETE", "/complaints")
    _refused(answer, 405)
    assert answer.headers["allow"] == "GET, POST"
    _refused(integrator("TRACE", "/complaints"), 405)


def test_an_unknown_field_in_a_command_is_refused(agent: Caller, routed: Callable[..., str]) -> None:
    reference = routed()
    _refused(agent.post(f"/complaints/{reference}/actions/withdraw", {"reson": "typo"}), 422, "reson")
    _refused(agent.post(f"/complaints/{reference}/actions/explode", {}), 404)
    wrong = agent.post(f"/complaints/{reference}/actions/merge", {"into": "C26-000001-4"})
    _refused(wrong, 422, "into")


def _wire(url: str) -> socket.socket:
    return socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=10)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /api/v1/complaints HTTP/1.1\r\nHost: x\r\nX-Thing: a\x00b\r\n\r\n",
        b"GET /api/v1/complaints\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/v1/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"POST /api/v1/complaints HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_on_the_wire(product: App, raw: bytes) -> None:
    with serving(create_app(product)) as url, _wire(url) as wire:
        wire.sendall(raw)
        assert wire.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_an_oversized_body_is_refused_on_the_wire_before_it_is_sent(product: App) -> None:
    key = make_key(product, "complaints:submit")
    head = (
        f"POST /api/v1/complaints HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n"
    )
    with serving(create_app(product)) as url, _wire(url) as wire:
        wire.sendall(head.encode())
        assert wire.recv(4096).startswith(b"HTTP/1.1 413 ")
    assert counted(product, Complaint) == 0


def test_a_problem_is_told_in_the_language_that_is_asked_for(integrator: Caller) -> None:
    chinese = {"Accept-Language": "zh-CN,zh;q=0.9"}
    answer = integrator.post("/complaints", json={"channel": "smoke"}, headers=chinese)
    told = answer.json()
    assert (answer.headers["content-language"], told["title"]) == ("zh-CN", "提交的内容有误")
    assert {e["field"]: e["message"] for e in told["errors"]} == {
        "narrative": "请填写。",
        "channel": "请从中选择一项。",
    }
    long = integrator.post("/complaints", json={"narrative": "箱子破了", "subject": "x" * 301}, headers=chinese)
    assert "内容过长\uff1a最多 300 个字符。" in [fault["message"] for fault in long.json()["errors"]]
    missing = integrator.get("/complaints/C26-000001-5", headers=chinese).json()
    assert missing["detail"] != integrator.get("/complaints/C26-000001-5").json()["detail"]
    assert integrator.get("/complaints/C26-000001-5").headers["content-language"] == "en"
