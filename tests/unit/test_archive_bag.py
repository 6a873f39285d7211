"""The archive: bags are valid BagIt, the same dossier gives the same bytes, and no change to a bag goes unnoticed."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import bagit
import fsspec
import pytest

from complaints import services
from complaints.archive.bag import safe_name, write_bag
from complaints.archive.dossier import Dossier
from complaints.archive.page import page
from complaints.archive.verify import verify
from complaints.archive.words import WORDS
from complaints.domain import lifecycle, vocabulary
from complaints.domain.errors import InvalidInput, Permanent
from complaints.store import chain
from complaints.store.tables import Event

PICTURE = b"\x89PNG leaking heater"
DIGEST = hashlib.sha256(PICTURE).hexdigest()
COMPLAINT = UUID(int=7)
AT = datetime(2026, 3, 2, 8, 30, 1, tzinfo=UTC)
REFERENCE = "C26-000042-7"


def log(*kinds: str) -> list[dict[str, Any]]:
    """A chained case log."""
    entries, previous = [], chain.GENESIS
    for seq, kind in enumerate(kinds, 1):
        event = Event(
            complaint_id=COMPLAINT, seq=seq, at=AT, kind=kind, actor_kind="system", actor_id="system",
            actor_name="Complaints", audience="internal", reason="<b>因为</b>", data={"n": 1.5},
            previous=previous, hash="",
        )  # fmt: skip
        event.hash = previous = chain.digest(event)
        entries.append(chain.entry(event))
    return entries


def dossier(**changes: Any) -> Dossier:
    events = log("received", "classified", "send_response", "confirm")
    row: dict[str, Any] = dict.fromkeys(
        ("subject", "product", "order_ref", "jurisdiction", "category", "policy_hash", "desired_remedy"), ""
    ) | dict.fromkeys(
        (
            "external_source",
            "external_id",
            "acknowledged_at",
            "responded_at",
            "finding",
            "root_cause",
            "closing_category",
        )
    )
    row |= {
        "reference": REFERENCE, "status": "closed", "language": "zh-CN", "severity": "moderate", "channel": "portal",
        "narrative": "热水器漏水 <script>alert(1)</script>", "received_at": "2026-03-01T00:00:00Z",
        "closed_at": "2026-03-02T08:30:01Z", "responsible_unit": None,
        "chain_head": events[-1]["hash"], "event_count": len(events),
    }  # fmt: skip
    row |= changes
    at = "2026-03-01T10:00:00Z"
    return Dossier(
        complaint=row,
        complainants=[
            {"name": "王芳", "email": "wang@example.com", "phone": None, "needs": ["no_phone"], "safe_contact": ""}
        ],
        thread=[
            {"at": at, "direction": "out", "audience": "complainant", "channel": "email", "kind": "response",
             "author": "李娜", "subject": "答复 & 结果", "body": "您好:\n已换货。" * 40},
            {"at": at, "direction": "out", "audience": "third_party", "channel": "email", "kind": "question",
             "author": "李娜", "subject": "", "body": "安装时间?"},
        ],
        findings=[
            {"at": at, "source": "review", "finding": "upheld", "summary": "泵损坏", "by_name": "李娜",
             "root_cause": "运输", "responsible_unit": None, "internal_note": ""}
        ],
        decisions=[{"at": at, "outcome": "approved", "reason": "", "by_name": "Ann"}],
        remedies=[
            {"kind": "refund", "description": "退款", "amount": "99.00", "currency": "CNY", "state": "done",
             "done_at": at, "proposed_at": at, "evidence": "p1"}
        ],
        survey=[{"at": at, "accepted": True, "rating": 5, "resolved": False, "effort": None, "words": "好"}],
        steps=[],
        attachments=[{"name": "漏水 照片.png", "sha256": DIGEST, "size": len(PICTURE)}],
        events=events,
        clocks=[
            {"profile": "cn_samr", "name": "final", "kind": "regulatory", "state": "met", "started_at": at,
             "due_at": "2026-04-30T00:00:00Z", "stopped_at": at}
        ],
    )  # fmt: skip


def write(root: Path, source: Dossier | None = None, content: bytes = PICTURE) -> Path:
    receipt = write_bag(source or dossier(), [("漏水 照片.png", DIGEST, io.BytesIO(content))], root.as_uri())
    path = Path(receipt.url.removeprefix("file://"))
    assert receipt.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert receipt.bytes == path.stat().st_size
    return path


def test_a_bag_is_valid_for_the_reference_implementation(tmp_path: Path) -> None:
    path = write(tmp_path / "archive")
    assert path == tmp_path / "archive" / "2026" / f"{REFERENCE}.zip"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "out")
    bag = bagit.Bag(str(tmp_path / "out" / REFERENCE))
    assert bag.validate()
    assert bag.info["External-Identifier"] == REFERENCE
    assert bag.info["Bagging-Date"] == "2026-03-02"
    kept = tmp_path / "out" / REFERENCE / "data" / "attachments" / f"{DIGEST[:16]}-漏水_照片.png"
    assert kept.read_bytes() == PICTURE
    assert [p.name for p in path.parent.iterdir()] == [path.name], "nothing is left beside the bag"


def test_the_same_dossier_gives_the_same_bytes_at_the_same_place(tmp_path: Path) -> None:
    first = write(tmp_path)
    content = first.read_bytes()
    assert write(tmp_path) == first
    assert first.read_bytes() == content


def test_any_fsspec_file_system_will_do() -> None:
    receipt = write_bag(dossier(), [("a.png", DIGEST, io.BytesIO(PICTURE))], "memory://archive-test")
    assert receipt.url == f"memory:///archive-test/2026/{REFERENCE}.zip"
    fs = fsspec.filesystem("memory")
    assert hashlib.sha256(fs.cat_file(receipt.url)).hexdigest() == receipt.sha256
    assert [v.ok for v in verify("memory://archive-test", {receipt.url: receipt.sha256})] == [True]


def test_the_page_is_in_the_complaints_language_and_escapes_everything(tmp_path: Path) -> None:
    for language, heading in (("zh-CN", "处理过程"), ("en", "Timeline")):
        path = write(tmp_path, dossier(language=language))
        with zipfile.ZipFile(path) as archive:
            html = archive.read(f"{REFERENCE}/data/complaint.html").decode()
        assert f'<html lang="{language}">' in html
        assert heading in html
        assert DIGEST in html
        assert dossier().complaint["chain_head"] in html
        assert "<script" not in html
        assert "&lt;script&gt;" in html
        assert "<b>" not in html


def test_the_page_shows_deadlines_needs_and_whom_a_letter_went_to() -> None:
    for language, words in (
        (
            "zh-CN",
            ("时限", "cn_samr · final", "监管时限", "按时", "2026-04-30 00:00:00", "请勿致电", "致第三方", "提问"),
        ),
        (
            "en",
            ("Deadlines", "cn_samr · final", "regulatory", "met", "no telephone calls", "to a third party", "question"),
        ),
    ):
        html = page(dossier(language=language), lambda name, sha256: name)
        assert [word for word in words if f">{word}<" not in html and f" {word} " not in html] == []


def test_every_code_has_words_in_both_languages() -> None:
    """Statuses, actions and events as the code knows them: a new one without words is found here."""
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(services.__file__).parent.glob("*.py"))
    recorded = set(re.findall(r'\brecord\(\s*\w+,\s*[\w.]+,\s*"(\w+)"', sources))
    assert {"received", "acknowledged", "rung_fired"} <= recorded
    posted = set(re.findall(r'\bpost\((?:[^()]|\([^()]*\))*?kind="(\w+)"', sources))
    assert {"question", "answer", "note"} <= posted
    enums = (
        vocabulary.Status, vocabulary.Severity, vocabulary.Channel, vocabulary.Finding, vocabulary.ClosingCategory,
        vocabulary.RemedyKind, vocabulary.RemedyState, vocabulary.Need, vocabulary.Audience,
    )  # fmt: skip
    codes = recorded | posted | set(lifecycle.TABLE) | {code.value for each in enums for code in each}
    for words in WORDS.values():
        assert sorted(codes - words.keys()) == []


def test_an_open_complaint_is_not_archived(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not closed"):
        write(tmp_path, dossier(closed_at=None))


def test_a_damaged_attachment_is_not_archived(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="not what was uploaded"):
        write(tmp_path, content=b"something else")
    assert not list(tmp_path.rglob("*.zip"))


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a b/c.pdf", "a_b_c.pdf"),
        ("../../etc/passwd", "etc_passwd"),
        ("照片(1).JPG", "照片_1_.JPG"),
        ("", "file"),
        ("%2e\n.txt", "2e_.txt"),
        ("长" * 90 + ".pdf", "长" * 32 + ".pdf"),
    ],
)
def test_names_become_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe
    assert len(safe.encode()) <= 100


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Change the files inside a bag, as somebody with a zip tool would."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def problems(root: Path) -> str:
    (verdict,) = verify(root.as_uri())
    assert verdict.ok is (not verdict.problems)
    return "; ".join(verdict.problems)


def test_an_untouched_archive_is_good(tmp_path: Path) -> None:
    write(tmp_path)
    assert problems(tmp_path) == ""
    assert list(verify((tmp_path / "nowhere").as_uri())) == []


def test_a_flipped_byte_is_found_wherever_it_is(tmp_path: Path) -> None:
    path = write(tmp_path)
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    for position in range(0, len(content), 97):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        (verdict,) = verify(tmp_path.as_uri(), {path.as_uri(): digest})
        assert not verdict.ok, f"byte {position}"
    path.write_bytes(content.replace(PICTURE, PICTURE.replace(b"leaking", b"healthy")))
    assert f"{DIGEST[:16]}-漏水_照片.png: cannot be read" in problems(tmp_path)


def test_a_removed_an_added_and_an_altered_file_are_found(tmp_path: Path) -> None:
    base = f"{REFERENCE}/data"

    def change(files: dict[str, bytes]) -> None:
        del files[f"{base}/thread.json"]
        files[f"{base}/extra.txt"] = b"x"
        files[f"{base}/survey.json"] = b"[]\n"

    rewrite(write(tmp_path), change)
    found = problems(tmp_path)
    assert "data/thread.json: missing" in found
    assert "data/extra.txt: not in the manifest" in found
    assert "data/survey.json: altered" in found
    assert "Payload-Oxum" in found


@pytest.mark.parametrize("part", ["complaint", "events"])
def test_a_bag_made_again_without_its_case_log_is_found(tmp_path: Path, part: str) -> None:
    path, base = write(tmp_path), f"{REFERENCE}/"

    def change(files: dict[str, bytes]) -> None:
        del files[f"{base}data/{part}.json"]
        payload = {name: content for name, content in files.items() if name.startswith(f"{base}data/")}
        files[f"{base}manifest-sha256.txt"] = listed(payload)
        oxum = f"Payload-Oxum: {sum(map(len, payload.values()))}.{len(payload)}\n"
        info = files[f"{base}bag-info.txt"].decode()
        files[f"{base}bag-info.txt"] = re.sub(r"Payload-Oxum: .*\n", oxum, info).encode()
        del files[f"{base}tagmanifest-sha256.txt"]
        files[f"{base}tagmanifest-sha256.txt"] = listed(
            {name: content for name, content in files.items() if name not in payload}
        )

    def listed(files: dict[str, bytes]) -> bytes:
        lines = (f"{hashlib.sha256(c).hexdigest()}  {name.removeprefix(base)}\n" for name, c in files.items())
        return "".join(lines).encode()

    rewrite(path, change)
    assert problems(tmp_path) == f"data/{part}.json: missing"


@pytest.mark.parametrize("tag", ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"])
def test_a_missing_tag_file_is_found(tmp_path: Path, tag: str) -> None:
    rewrite(write(tmp_path), lambda files: files.__delitem__(f"{REFERENCE}/{tag}"))
    assert f"{tag}: missing" in problems(tmp_path)


def test_a_cut_file_and_no_zip_at_all_are_found(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    assert "cannot be read" in problems(tmp_path)
    path.write_bytes(b"")
    assert "cannot be read" in problems(tmp_path)


def test_a_bag_that_is_gone_or_under_another_name_is_found(tmp_path: Path) -> None:
    path = write(tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    renamed = path.with_name("C26-000043-5.zip")
    path.rename(renamed)
    verdicts = list(verify(tmp_path.as_uri(), {path.as_uri(): digest}))
    assert [v.url for v in verdicts] == [renamed.as_uri(), path.as_uri()]
    assert "not in the folder" in verdicts[0].problems[0]
    assert verdicts[1].problems == ("the bag is gone",)


def test_a_rewritten_bag_with_an_edited_log_breaks_the_chain(tmp_path: Path) -> None:
    """Even one whose manifests were made again: the events no longer follow from each other."""
    entries = log("received", "classified", "send_response", "confirm")
    head = entries[-1]["hash"]
    for edited in (
        [entries[0], entries[1] | {"reason": "nicer"}, *entries[2:]],
        [entries[0], *entries[2:]],
        entries[:-1],
    ):
        write(tmp_path, replace(dossier(chain_head=head), events=edited))
        assert "data/events.json: event" in problems(tmp_path)
