"""Handing over for real: an SMTP server on loopback, servers that refuse, hang or dribble, webhooks, and the folder."""

from __future__ import annotations

import http.server
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import partial
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from complaints.domain.errors import InvalidInput, Permanent, Retryable
from complaints.domain.ports import SYSTEM, Letter, Message
from complaints.domain.vocabulary import Audience, Language
from complaints.notify.outbox_folder import OutboxFolder
from complaints.notify.providers import ProviderEntry
from complaints.notify.sender import PATIENCE, AppriseSender, FolderCarrier, Provider
from complaints.services.dispatch import LEASE
from complaints.services.marks import marks
from complaints.store.engine import make_engine
from complaints.store.pace import SharedPace
from complaints.store.unit import Store
from config.policybook import StoredPolicies

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
FROM = "from=complaints@example.com&name=示例公司"
MakeSender = Callable[..., AppriseSender]


def message(**changed: object) -> Message:
    values: dict[str, object] = {
        "key": "acknowledgment:1:2:1",
        "kind": "acknowledgment",
        "to": "wang@customer.example",
        "audience": Audience.COMPLAINANT,
        "language": Language.ZH,
        "letter": Letter("[EX-1] 我们已收到您的投诉" * 4, "王芳，您好：\n\n谢谢。\n", "<p>王芳，您好：</p>"),
        "reference": "EX-1",
    }
    return Message(**(values | changed))  # type: ignore[arg-type]  # values by name


class Post:
    """An SMTP server's handler: keeps mails, answers as told."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.rcpt, self.data = "250 OK", "250 OK"
        self.users: list[str] = []

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, to: str, options: list[str]) -> str:
        envelope.rcpt_tos.append(to)
        return self.rcpt

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        parsed = message_from_bytes(envelope.content, policy=default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append((list(envelope.rcpt_tos), parsed))
        return self.data

    def login(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.users.append(data.login.decode())
        return AuthResult(success=data.password == b"p@ss/word", handled=False)


@pytest.fixture
def post() -> Iterator[tuple[Post, int]]:
    handler = Post()
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    controller = Controller(
        handler, "127.0.0.1", port, authenticator=handler.login, auth_require_tls=False, decode_data=False
    )
    controller.start()
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    yield handler, port
    controller.stop()


class Free:
    """A pace that holds nobody up."""

    def take(self) -> float:
        """At once."""
        return 0.0


class Starved:
    """A pace whose next turn never comes."""

    def take(self) -> float:
        """Soon, and then again soon."""
        return 0.2


def free(name: str, per_minute: int) -> Free:
    """The pace of every provider where the test is not about it."""
    return Free()


@pytest.fixture
def make_sender(tmp_path: Path) -> MakeSender:
    def make(*providers: str) -> AppriseSender:
        path = tmp_path / "providers.toml"
        path.write_text("\n".join(f"[[providers]]\n{p}" for p in providers), encoding="utf-8")
        return AppriseSender.from_file(path, tmp_path / "outgoing", free)

    return make


@pytest.fixture
def talker() -> Iterator[Callable[[bytes, float], int]]:
    """A server that says one thing every so many seconds and never finishes; gives its port."""
    stop = threading.Event()
    servers: list[socket.socket] = []

    def serve(server: socket.socket, words: bytes, pause: float) -> None:
        connections = []
        while not stop.is_set():
            try:
                connections.append(server.accept()[0])
            except TimeoutError:
                pass
            except OSError:
                return
            for connection in connections:
                try:
                    connection.sendall(words)
                except OSError:
                    stop.wait(pause)
            stop.wait(pause)

    def start(words: bytes, pause: float) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        server.settimeout(0.05)
        servers.append(server)
        threading.Thread(target=serve, args=(server, words, pause), daemon=True).start()
        return int(server.getsockname()[1])

    yield start
    stop.set()
    for server in servers:
        server.close()


def letters(port: int, extra: str = "", more: str = "") -> str:
    return f'url = "mailto://127.0.0.1:{port}?{FROM}{extra}"\ntags = ["complainant"]\n{more}'


def test_a_mail_arrives_as_it_should(post: tuple[Post, int], make_sender: MakeSender) -> None:
    handler, port = post
    receipt = make_sender(letters(port, "&reply=answers@example.com")).send(message(), NOW)
    [(to, mail)] = handler.mails
    assert to == ["wang@customer.example"]
    assert mail["To"] == "wang@customer.example"
    assert mail["From"].addresses[0].addr_spec == "complaints@example.com"
    assert mail["From"].addresses[0].display_name == "示例公司"
    assert mail["Reply-To"] == "answers@example.com"
    assert mail["Subject"] == "[EX-1] 我们已收到您的投诉" * 4
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["X-Complaint-Reference"] == "EX-1"
    assert mail["Content-Language"] == "zh-CN"
    assert mail["Date"].datetime == NOW
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert text.get_content().replace("\r\n", "\n") == "王芳，您好：\n\n谢谢。\n"
    assert html is not None
    assert "王芳" in html.get_content()
    assert receipt.provider == "mailto"
    assert mail["Message-ID"] in receipt.detail


def test_answers_bear_the_reference(post: tuple[Post, int], make_sender: MakeSender) -> None:
    handler, port = post
    sender = make_sender(letters(port, "&reply=answers%2B{reference}@example.com"))
    for key, reference in (("1", "C26-000042-7"), ("2", ""), ("3", "a\r\nBcc: x@evil.example, b")):
        sender.send(message(key=key, reference=reference), NOW)
    assert [mail["Reply-To"] for _, mail in handler.mails] == [
        "answers+C26-000042-7@example.com",
        "answers@example.com",
        "answers+a-Bcc-x-evil.example-b@example.com",
    ]


def test_mails_are_seven_bit_whatever_is_in_them(post: tuple[Post, int], make_sender: MakeSender) -> None:
    """Short lines and long ones, where Python would choose eight bits and something else."""
    handler, port = post
    sender = make_sender(letters(port))
    for key, text in (("1", "您好。\n谢谢。\n"), ("2", "很" * 3000 + "\n"), ("3", "plain\n")):
        sender.send(message(key=key, letter=Letter("答复", text, f"<p>{text}</p>")), NOW)
        _, mail = handler.mails[-1]
        body = mail.get_body(("plain",))
        assert body is not None
        assert body.get_content().replace("\r\n", "\n") == text
        assert mail.as_bytes().isascii()


def test_the_message_id_belongs_to_the_key(post: tuple[Post, int], make_sender: MakeSender) -> None:
    handler, port = post
    for key in ("a", "a", "b"):
        make_sender(letters(port)).send(message(key=key), NOW)
    first, again, other = (mail for _, mail in handler.mails)
    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert first.as_bytes() == again.as_bytes()


@pytest.mark.parametrize(
    ("where", "answer", "error"),
    [
        ("rcpt", "550 no such user", Permanent),
        ("rcpt", "451 try later", Retryable),
        ("rcpt", "530 log in first", Retryable),
        ("data", "554 we think this is spam", Permanent),
        ("data", "452 disk full", Retryable),
    ],
)
def test_refusals(
    post: tuple[Post, int], make_sender: MakeSender, where: str, answer: str, error: type[Exception]
) -> None:
    handler, port = post
    setattr(handler, where, answer)
    with pytest.raises(error, match=answer[:3]):
        make_sender(letters(port)).send(message(), NOW)


def test_log_in(post: tuple[Post, int], make_sender: MakeSender) -> None:
    handler, port = post
    for password, fails in (("p%40ss%2Fword", False), ("wrong", True)):
        url = f"mailto://me%40example.com:{password}@127.0.0.1:{port}?{FROM}"
        sender = make_sender(f'url = "{url}"\ntags = ["complainant"]')
        if fails:
            with pytest.raises(Retryable, match="535"):
                sender.send(message(), NOW)
        else:
            sender.send(message(), NOW)
    assert set(handler.users) == {"me@example.com"}
    assert len(handler.mails) == 1


def test_a_server_without_tls_is_not_trusted(post: tuple[Post, int], make_sender: MakeSender) -> None:
    handler, port = post
    sender = make_sender(f'url = "mailtos://me:p%40ss%2Fword@127.0.0.1:{port}?{FROM}"\ntags = ["complainant"]')
    with pytest.raises(Retryable, match="STARTTLS"):
        sender.send(message(), NOW)
    assert handler.users == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(pem, *plain) + signed.public_bytes(pem))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize("mode", ["starttls", "ssl"])
def test_encrypted_lines(certificate: ssl.SSLContext, make_sender: MakeSender, mode: str) -> None:
    handler = Post()
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    tls = {"ssl_context": certificate} if mode == "ssl" else {"tls_context": certificate, "require_starttls": True}
    controller = Controller(handler, "127.0.0.1", port, **tls)
    controller.start()
    try:
        url = f"mailtos://127.0.0.1:{port}?{FROM}&mode={mode}"
        make_sender(f'url = "{url}&verify=no"\ntags = ["complainant"]').send(message(), NOW)
        assert len(handler.mails) == 1
        with pytest.raises(Retryable, match="certificate verify failed"):
            make_sender(f'url = "{url}"\ntags = ["complainant"]').send(message(), NOW)
    finally:
        controller.stop()


def test_connection_refused(make_sender: MakeSender) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    with pytest.raises(Retryable, match="cannot be used"):
        make_sender(letters(port)).send(message(), NOW)


@pytest.mark.parametrize("words", [b"", b"2", b"220-still here\r\n"])
def test_a_hanging_server_holds_nobody_longer_than_the_time_out(
    talker: Callable[[bytes, float], int], make_sender: MakeSender, words: bytes
) -> None:
    """Silent, or saying just enough to keep each read alive."""
    sender = make_sender(letters(talker(words, 0.1), more="timeout = 1.0"))
    before = time.monotonic()
    with pytest.raises(Retryable, match=r"1 seconds|timed out"):
        sender.send(message(), NOW)
    assert 0.9 < time.monotonic() - before < 3
    while any(thread.name == "notify" for thread in threading.enumerate()):
        assert time.monotonic() - before < 5, "the thread that was left behind does not end"
        time.sleep(0.01)


@pytest.mark.parametrize(
    "to", ["a@b.example, c@d.example", "a@b.example\r\nBcc: c@d.example", "+8613800000000", "@b.example", ""]
)
def test_only_one_plain_address_is_written_to(post: tuple[Post, int], make_sender: MakeSender, to: str) -> None:
    handler, port = post
    with pytest.raises(Permanent, match="address"):
        make_sender(letters(port)).send(message(to=to), NOW)
    assert handler.mails == []


def test_domains_in_any_script(post: tuple[Post, int], make_sender: MakeSender) -> None:
    handler, port = post
    make_sender(letters(port)).send(message(to="wang@例子.example"), NOW)
    assert handler.mails[0][0] == ["wang@xn--fsqu00a.example"]
    with pytest.raises(Permanent, match="non-ASCII"):
        make_sender(letters(port)).send(message(to="王芳@customer.example"), NOW)


def test_nothing_is_smuggled_into_headers(post: tuple[Post, int], make_sender: MakeSender) -> None:
    handler, port = post
    evil = "EX-1\r\nBcc: all@evil.example\r\n\r\nbody"
    letter = Letter(evil, "text \x00\x1b\ud800", None)
    make_sender(letters(port)).send(message(reference=evil, letter=letter, headers={"X-Any": evil}), NOW)
    [(to, mail)] = handler.mails
    assert to == ["wang@customer.example"]
    assert mail["Bcc"] is None
    assert mail["Subject"] == "EX-1 Bcc: all@evil.example body"
    assert mail.get_content().strip() == "text ?"
    with pytest.raises(Permanent, match="ours to set"):
        make_sender(letters(port)).send(message(headers={"Bcc": "x@y.example", "From": "x@y.example"}), NOW)


def test_routes(post: tuple[Post, int], make_sender: MakeSender, tmp_path: Path) -> None:
    handler, port = post
    leads = f'url = "mailto://127.0.0.1:{port}?{FROM}&to=leads@example.com"\ntags = ["lead"]'
    sender = make_sender(letters(port), leads)
    sender.send(message(key="1", audience=Audience.INTERNAL, to="me@example.com", tags=("lead",)), NOW)
    sender.send(message(key="2", audience=Audience.THIRD_PARTY, to="carrier@example.com"), NOW)
    sender.send(message(key="3", audience=Audience.INTERNAL, to="", tags=("lead", "logistics")), NOW)
    assert [to for to, _ in handler.mails] == [["me@example.com"], ["carrier@example.com"], ["leads@example.com"]]
    team = {"audience": Audience.INTERNAL, "to": "", "otherwise": "depot@example.com"}
    sender.send(message(key="5", tags=("lead", "logistics"), **team), NOW)
    sender.send(message(key="6", tags=("team", "logistics"), **team), NOW)
    assert [to for to, _ in handler.mails[3:]] == [["leads@example.com"], ["depot@example.com"]]
    for tags in (("nobody",), ("complainant",)):
        receipt = sender.send(message(key=f"4{tags}", audience=Audience.INTERNAL, to="", tags=tags), NOW)
        assert receipt.provider == "folder"
        assert (tmp_path / "outgoing" / receipt.detail).is_file()
    assert len(handler.mails) == 5


class Hook(http.server.BaseHTTPRequestHandler):
    """Takes JSON and answers with the server's `status`."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append(json.loads(body))  # type: ignore[attr-defined]  # set by the fixture
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def hook() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.taken, server.status = [], 200  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_other_services_and_retries_that_spare_who_took_it(
    post: tuple[Post, int], make_sender: MakeSender, hook: http.server.ThreadingHTTPServer
) -> None:
    handler, port = post
    chat = f'url = "json://127.0.0.1:{hook.server_port}/in"\ntags = ["team"]\ntimeout = 2'
    group = f'url = "mailto://127.0.0.1:{port}?{FROM}&to=team@example.com"\ntags = ["team"]'
    sender = make_sender(letters(port), chat, group)
    note = message(audience=Audience.INTERNAL, to="", tags=("team",))
    hook.status = 500  # type: ignore[attr-defined]
    with pytest.raises(Retryable, match="json did not take"):
        sender.send(note, NOW)
    hook.status = 200  # type: ignore[attr-defined]
    assert sender.send(note, NOW).provider == "json, mailto"
    assert len(handler.mails) == 1
    taken = hook.taken  # type: ignore[attr-defined]
    assert len(taken) == 2
    assert taken[1]["message"] == "王芳，您好：\n\n谢谢。"


def test_a_hanging_webhook(talker: Callable[[bytes, float], int], make_sender: MakeSender) -> None:
    chat = f'url = "json://127.0.0.1:{talker(b"H", 0.1)}/in"\ntags = ["team"]\ntimeout = 1.0'
    sender = make_sender('url = "folder://"\ntags = ["complainant"]', chat)
    before = time.monotonic()
    with pytest.raises(Retryable):
        sender.send(message(audience=Audience.INTERNAL, to="", tags=("team",)), NOW)
    assert time.monotonic() - before < 3


def test_the_pace_is_kept_by_all_processes_together(post: tuple[Post, int], tmp_path: Path, database: str) -> None:
    handler, port = post
    path = tmp_path / "providers.toml"
    path.write_text(f"[[providers]]\n{letters(port, more='per_minute = 6')}\ntimeout = 1", encoding="utf-8")
    engines = [make_engine(database) for _ in range(3)]  # as three processes have it
    for number, engine in enumerate(engines):
        sender = AppriseSender.from_file(path, tmp_path, partial(SharedPace, engine))
        with pytest.raises(Retryable, match="limit") if number else nullcontext():
            sender.send(message(key=str(number)), NOW)
        engine.dispose()
    assert len(handler.mails) == 1


def test_as_many_as_the_pace_allows_get_through_however_many_push(database: str) -> None:
    engine = make_engine(database, pool=12)
    began = time.monotonic()
    with ThreadPoolExecutor(12) as pool:
        waits = list(pool.map(lambda _: SharedPace(engine, "crowd", 120).take(), range(100)))
    allowed = 20 + (time.monotonic() - began) * 2  # ten seconds' worth, and two more each second
    assert 20 <= waits.count(0.0) <= allowed + 1
    assert max(waits) <= 0.51
    time.sleep(max(waits) + 0.05)
    assert SharedPace(engine, "crowd", 120).take() == 0.0
    assert SharedPace(engine, "another", 120).take() == 0.0
    with Store(engine, StoredPolicies(engine, lambda: NOW), lambda: NOW).reading(SYSTEM) as work:
        assert marks(work) == {}
    engine.dispose()


def test_waiting_for_the_pace_and_handing_over_stay_within_the_lease() -> None:
    longest = next(m.le for m in ProviderEntry.model_fields["timeout"].metadata if hasattr(m, "le"))
    assert PATIENCE + longest < LEASE.total_seconds()


def test_providers_share_one_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers whose turn never comes hold a message no longer together than one of them alone."""
    monkeypatch.setattr("complaints.notify.sender.PATIENCE", 0.3)
    starved = Starved()
    folder = FolderCarrier(OutboxFolder(tmp_path), 30)
    sender = AppriseSender([Provider("folder", frozenset({"team"}), folder, 30, starved) for _ in range(4)], tmp_path)
    before = time.monotonic()
    with pytest.raises(Retryable, match="limit"):
        sender.send(message(audience=Audience.INTERNAL, to="", tags=("team",)), NOW)
    assert 0.15 < time.monotonic() - before < 0.75


def test_the_folder_keeps_one_file_per_message(tmp_path: Path) -> None:
    sender = AppriseSender.from_file(None, tmp_path / "outgoing", free)
    first = sender.send(message(), NOW)
    before = (tmp_path / "outgoing" / first.detail).read_bytes()
    assert sender.send(message(), NOW) == first
    sender.send(message(key="other", reference="../../evil", kind="../x"), NOW)
    files = sorted(p.name for p in (tmp_path / "outgoing").iterdir())
    assert len(files) == 2
    assert first.detail.startswith("acknowledgment-EX-1-")
    assert (tmp_path / "outgoing" / first.detail).read_bytes() == before
    mail = message_from_bytes(before, policy=default)
    assert mail["X-Complaint-Reference"] == "EX-1"
    assert mail.get_content_type() == "multipart/alternative"
    (tmp_path / "file").write_text("")
    with pytest.raises(Retryable, match="cannot be written"):
        AppriseSender.from_file(None, tmp_path / "file", free).send(message(), NOW)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "providers"),
        ("[[providers]", "not TOML"),
        ('[[providers]]\nurl = "folder://"\ntags = ["lead"]', "0 providers are tagged"),
        ('[[providers]]\nurl = "json://secret@x.example"\ntags = ["complainant"]', "needs mailto"),
        ('[[providers]]\nurl = "nothing://secret"\ntags = ["complainant"]', "does not understand"),
        ('[[providers]]\nurl = "mailto://:secret@x.example?mode=x"\ntags = ["complainant"]', "does not understand"),
        (
            '[[providers]]\nurl = "mailto://:secret@x.example?reply={reference}"\ntags = ["complainant"]',
            "does not understand",
        ),
        ('[[providers]]\nurl = "folder://"\ntags = ["complainant"]\ntimeout = 60', "timeout"),
        ('[[providers]]\nurl = "folder://"\ntags = ["complainant"]\nretries = 60', "retries"),
    ],
)
def test_wrong_files_are_refused_without_telling_secrets(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "providers.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=words) as refusal:
        AppriseSender.from_file(path, tmp_path, free)
    assert "secret" not in str(refusal.value)
    with pytest.raises(InvalidInput, match="existing file"):
        AppriseSender.from_file(tmp_path / "missing.toml", tmp_path, free)


def test_the_example_file_is_valid(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "config" / "notify.example.toml"
    AppriseSender.from_file(example, tmp_path, free)
