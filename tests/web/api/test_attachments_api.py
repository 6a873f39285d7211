"""Files: judged by content, stored by digest, whatever the client calls them."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from complaints.domain.filetype import safe_name, sniff
from complaints.store.tables import Attachment
from config.wiring import App
from tests.web.api.conftest import Caller, counted
from tests.web.api.server import serving
from web.app import create_app

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 100
PDF = b"%PDF-1.7\n" + b"x" * 100


def _send(caller: Caller, reference: str, content: Any, name: str, **params: str) -> Any:
    return caller("POST", f"/complaints/{reference}/attachments", content=content, params={"name": name} | params)


def _form(caller: Caller, reference: str, content: bytes, name: str, kind: str = "image/png") -> Any:
    return caller("POST", f"/complaints/{reference}/attachments", files={"file": (name, content, kind)})


def _stored(product: App) -> list[str]:
    return [p.name for p in product.blobs.root.rglob("*") if p.is_file()]


@pytest.mark.parametrize("send", [_send, _form])
def test_a_file_comes_back_as_it_went_in(integrator: Caller, product: App, send: Callable[..., Any]) -> None:
    reference = integrator.submit()
    made = send(integrator, reference, PNG, "照片 📷.png")
    assert made.status_code == 201, made.text
    body = made.json()
    digest = hashlib.sha256(PNG).hexdigest()
    assert (body["sha256"], body["size"], body["content_type"]) == (digest, len(PNG), "image/png")
    assert (product.blobs.root / digest[:2] / digest[2:]).read_bytes() == PNG


def test_a_download_is_saved_not_shown(integrator: Caller, agent: Caller) -> None:
    reference = integrator.submit()
    made = _send(integrator, reference, PNG, '照片"x.png').json()
    answer = agent("GET", made["links"]["content"].removeprefix("/api/v1"))
    assert answer.content == PNG
    assert answer.headers["content-disposition"].startswith('attachment; filename="___x.png"')
    assert "filename*=UTF-8''%E7%85%A7%E7%89%87" in answer.headers["content-disposition"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_an_integrator_reads_only_files_meant_for_the_complainant(integrator: Caller, agent: Caller) -> None:
    reference = integrator.submit()
    internal = _send(integrator, reference, PNG, "a.png").json()
    public = _send(integrator, reference, PDF, "b.pdf", audience="complainant").json()
    assert [a["id"] for a in agent.get(f"/complaints/{reference}/attachments").json()] == [internal["id"], public["id"]]
    assert [a["id"] for a in integrator.get(f"/complaints/{reference}/attachments").json()] == [public["id"]]
    assert integrator.get(f"/complaints/{reference}/attachments/{internal['id']}").status_code == 404


def test_the_same_file_is_there_once(integrator: Caller, product: App) -> None:
    first, second = integrator.submit(), integrator.submit()
    assert _send(integrator, first, PNG, "a.png").status_code == 201
    assert _send(integrator, first, PNG, "a.png").status_code == 200
    assert _send(integrator, second, PNG, "a.png").status_code == 201
    assert counted(product, Attachment) == 2
    assert len(_stored(product)) == 1


@pytest.mark.parametrize(
    ("content", "name", "status"),
    [
        (b"", "a.png", 422),
        (b"x" * 100_001, "a.txt", 413),
        (b"MZ\x90\x00 program", "setup.exe", 415),
        (b"MZ\x90\x00 program", "photo.png", 415),
        (PDF, "photo.png", 415),
        (b"<!DOCTYPE html><script>alert(1)</script>", "page.html", 415),
        (b"<!DOCTYPE html><script>alert(1)</script>", "note.txt", 415),
        (b"  <svg onload='x()'>", "logo.svg", 415),
        (b"#!/bin/sh\nrm -rf /", "run", 415),
        (b"\x00\x01\x02\x03", "data.bin", 415),
        (b"PK\x03\x04" + b"\x00" * 30, "a.zip", 415),
    ],
)
@pytest.mark.parametrize("send", [_send, _form])
def test_what_is_not_taken_leaves_nothing(
    integrator: Caller, product: App, send: Callable[..., Any], content: bytes, name: str, status: int
) -> None:
    reference = integrator.submit()
    answer = send(integrator, reference, content, name)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert counted(product, Attachment) == 0
    assert _stored(product) == []


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "The file is larger than 100,000 bytes. Compress it, or split it into several."),
        ("zh-CN", "文件超过 100,000 字节。请压缩，或拆分成几个文件。"),
    ],
)
@pytest.mark.parametrize("size", [100_001, 1_000_000])
def test_a_file_over_the_limit_is_told_the_limit_of_files(
    integrator: Caller, language: str, said: str, size: int
) -> None:
    path = f"/complaints/{integrator.submit()}/attachments?name=a.txt"
    answer = integrator("POST", path, content=b"x" * size, headers={"Accept-Language": language})
    assert (answer.status_code, answer.json()["detail"]) == (413, said)


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"MZ\x90\x00 program", "a.exe"), (b"\x7fELF\x02", "a.exe"), (b"plain text", "a.exe"), (b"MZ\x90", "photo.png")],
)
def test_programs_are_told_that_they_are_not_taken(integrator: Caller, content: bytes, name: str) -> None:
    detail = _send(integrator, integrator.submit(), content, name).json()["detail"]
    assert detail.startswith("Programs, scripts and web pages are not taken")
    assert "name" not in detail.replace("whatever their name", "")


def test_a_stream_without_length_is_cut_off(integrator: Caller, product: App) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 500_000_000:
            sent += 60_000
            yield b"x" * 60_000

    reference = integrator.submit()
    headers = {"Authorization": f"Bearer {integrator.key}"}
    with serving(create_app(product)) as url:
        try:
            path = f"{url}/api/v1/complaints/{reference}/attachments?name=a.txt"
            assert httpx.post(path, content=endless(), headers=headers).status_code == 413
        except httpx.WriteError:
            pass  # the server hung up on us before we had read its answer
    assert sent < 50_000_000
    assert _stored(product) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x\r\n",
        b"--x\r\nnonsense\r\n\r\n--x--",
        b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\nv\r\n--x--\r\n',
    ],
)
def test_a_broken_form_is_refused(integrator: Caller, body: bytes) -> None:
    path = f"/complaints/{integrator.submit()}/attachments"
    for kind in ("multipart/form-data; boundary=x", "multipart/form-data"):
        answer = integrator("POST", path, content=body, headers={"Content-Type": kind})
        assert answer.status_code in (400, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"


def test_no_file_for_an_unknown_complaint(integrator: Caller, product: App) -> None:
    assert _send(integrator, "C26-999999-0", PNG, "a.png").status_code == 404
    assert _stored(product) == []


def test_a_name_is_only_ever_a_name(integrator: Caller) -> None:
    reference = integrator.submit()
    made = _send(integrator, reference, PNG, "../../etc/pass\u202ewd.png").json()
    assert made["name"] == "passwd.png"


@pytest.mark.parametrize(
    ("claimed", "name"),
    [
        ("", "attachment"),
        ("...", "attachment"),
        ("../../x", "x"),
        ("C:\\Users\\me\\发票.pdf", "发票.pdf"),
        ("a\x00b.txt", "ab.txt"),
        ("a\r\nSet-Cookie: x.txt", "aSet-Cookie_ x.txt"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("😀.png", "😀.png"),
        ("  spaces .txt ", "spaces.txt"),
        ("x" * 400 + ".pdf", "x" * 116 + ".pdf"),
        (".htaccess", "htaccess"),
        ("\ud83d.png", "png"),
    ],
)
def test_names_are_made_harmless(claimed: str, name: str) -> None:
    assert safe_name(claimed) == name


def test_a_long_name_fits_a_file_system() -> None:
    assert len(safe_name("龙" * 300 + ".pdf").encode()) <= 200


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"plain words", "text/plain"),
        ("中文".encode(), "text/plain"),
        ("中文".encode()[:-1], "text/plain"),
        ("中文投诉".encode("gb18030"), "text/plain"),
        ("words".encode("utf-16"), "text/plain"),
        (b"\xef\xbb\xbfname,amount", "text/plain"),
        (b"BMW 320i, bought in May", "text/plain"),
        (b"MZ-4711: the order", "text/plain"),
        ("BM型热水器".encode("gb18030"), "text/plain"),
        (b"BM\x36\x00\x0c\x00\x00\x00\x00\x00\x36\x00", "image/bmp"),
        (b"ID3\x03\x00\x00\x00\x00", "audio/mpeg"),
        (b"\xff\xf3\x84\xc4\x00", "audio/mpeg"),
        ("new in this year's Unicode: \U0001fae9, and a private sign: \uf8ff".encode(), "text/plain"),
        (b"\x00\x00\x00\x18ftypheic", "image/heic"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"<?xml version='1.0'?><svg>", "image/svg+xml"),
        (b"<!-- x --><HTML>", "text/html"),
        (b"\x01\x02", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_content_says_what_it_is(head: bytes, kind: str) -> None:
    assert sniff(head) == kind


def test_a_full_disk_is_told_as_one_that_passes(
    integrator: Caller, product: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    reference = integrator.submit()
    monkeypatch.setattr("complaints.store.blobs.os.fsync", full)
    answer = _send(integrator, reference, PNG, "a.png")
    assert (answer.status_code, answer.json()["code"]) == (503, "retryable")
    assert answer.json()["detail"] == "There is no room to keep the file. Send it again later."
    monkeypatch.undo()
    assert _stored(product) == []
    assert integrator.get(f"/complaints/{reference}/attachments").json() == []
