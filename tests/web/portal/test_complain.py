"""Complaining through the form: what comes in, what is refused and how, and that nothing typed is ever lost."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from complaints.domain.ports import SYSTEM
from complaints.store.tables import Attachment, Complainant, Complaint
from config.wiring import App
from tests.web.api.conftest import counted, make_product
from tests.web.forms import slip
from tests.web.portal.conftest import FILLED, PNG, Visitor
from web.app import create_app
from web.browser import OPEN_FOR
from web.portal.answers import NEEDS, TEXTS
from web.portal.guard import Bucket

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def stored(product: App) -> tuple[Complaint, Complainant]:
    with product.store.reading(SYSTEM) as work:
        complaint = work.session.exec(select(Complaint)).one()
        return complaint, work.session.get_one(Complainant, complaint.complainant_id)


def test_form_review_send_receipt(visitor: Visitor, product: App) -> None:
    opened = visitor.web.get("/complain?product=Heater")
    assert 'name="product" type="text" value="Heater"' in opened.text
    reviewed = visitor.post("/complain", "review", slip(opened.text), **FILLED)
    assert reviewed.status_code == 200
    assert FILLED["narrative"] in reviewed.text
    assert counted(product, Complaint) == 0
    sent = visitor.post("/complain", "send", slip(reviewed.text), **FILLED)
    assert sent.status_code == 303
    receipt = visitor.web.get(sent.headers["location"])
    complaint, who = stored(product)
    assert complaint.reference in receipt.text
    assert "/track/" in receipt.text
    assert (complaint.channel, complaint.language, complaint.product) == ("portal", "en", "Heater")
    assert (who.name, who.email) == ("Wang Fang", "wang.fang@example.com")
    assert visitor.web.get(sent.headers["location"]).text == receipt.text


def test_what_a_chinese_keyboard_types_in_full_width_is_understood(visitor: Visitor, product: App) -> None:
    visitor.send(email="ｗang＠example．com", phone="（０１０）６５５２ ９９８８")
    _, who = stored(product)
    assert (who.email, who.phone) == ("wang@example.com", "01065529988")


def test_anonymous_means_without_a_name(visitor: Visitor, product: App) -> None:
    token = visitor.send(who="anonymous", name="Wang Fang", email="", phone="")
    _, who = stored(product)
    assert (who.name, who.email, who.phone) == ("", None, None)
    receipt = visitor.web.get(f"/complain/sent/{token}").text
    assert "the only way to follow your complaint" in receipt


def test_needs_and_the_safe_way_are_kept(visitor: Visitor, product: App) -> None:
    visitor.send(needs=["safe_contact_only", "large_print"], safe_contact="safe@example.com")
    _, who = stored(product)
    assert (sorted(who.needs), who.safe_contact) == (["large_print", "safe_contact_only"], "safe@example.com")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"narrative": "  "}, "narrative"),
    ({"narrative": "x" * 100_001}, "narrative"),
    ({"narrative": "a\x00b"}, "narrative"),
    ({"product": "x" * 301}, "product"),
    ({"order_ref": "x" * 301}, "order_ref"),
    ({"desired_remedy": "x" * 2001}, "desired_remedy"),
    ({"who": ""}, "who"),
    ({"name": " "}, "name"),
    ({"email": "王芳@example.com"}, "email"),
    ({"email": "nobody at all"}, "email"),
    ({"phone": "call me"}, "phone"),
    ({"email": "", "phone": ""}, "email"),
    ({"needs": ["no_email"]}, "needs"),
    ({"needs": ["safe_contact_only"]}, "safe_contact"),
]


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_each_error_stands_beside_its_field(visitor: Visitor, product: App, language: str) -> None:
    opened = slip(visitor.web.get(f"/complain?lang={language}").text)
    for changes, field in WRONG:
        answer = visitor.post("/complain", "review", opened, **(FILLED | changes))
        assert answer.status_code == 422, changes
        said = re.search(rf'id="{field}-error"><span[^>]*>!</span> ([^<]+)</p>', answer.text)
        assert said, changes
        assert f'<a href="#{field}">{said[1]}</a>' in answer.text
        assert f'id="{field}"' in answer.text
        assert re.search(rf'aria-describedby="[^"]*{field}-error', answer.text), changes
        assert bool(re.search("[一-鿿]", said[1])) == (language == "zh-CN")
        kept = FILLED | changes
        assert f'name="product" type="text" value="{kept["product"]}"' in answer.text
    assert counted(product, Complaint) == 0


def test_a_script_in_every_field_stays_text(visitor: Visitor, product: App) -> None:
    fields = dict.fromkeys(set(TEXTS) - {"who"}, SCRIPT) | {"who": "named", "needs": list(NEEDS)}
    opened = slip(visitor.web.get("/complain").text)
    for do, more in (("edit", {}), ("review", {}), ("send", {"email": "a@example.com", "phone": ""})):
        answer = visitor.post("/complain", do, opened, **(fields | more))
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
    token = answer.headers["location"].rpartition("/")[2]
    for path in (f"/complain/sent/{token}", f"/track/{token}"):
        assert "<script>alert" not in visitor.web.get(path).text
    assert stored(product)[0].narrative == SCRIPT


def test_sent_twice_is_stored_once(visitor: Visitor, product: App) -> None:
    opened = slip(visitor.web.get("/complain").text)
    files = [("files", ("a.png", PNG))]
    first = visitor.post("/complain", "send", opened, files, **FILLED)
    second = visitor.post("/complain", "send", opened, files, **FILLED)
    assert first.headers["location"] == second.headers["location"]
    assert (counted(product, Complaint), counted(product, Attachment)) == (1, 1)


def test_back_changed_and_sent_again_is_told(visitor: Visitor, product: App) -> None:
    opened = slip(visitor.web.get("/complain").text)
    visitor.post("/complain", "send", opened, **FILLED)
    again = visitor.post("/complain", "send", opened, **(FILLED | {"narrative": "Something else."}))
    assert "What you changed afterwards was not sent" in visitor.web.get(again.headers["location"]).text
    assert counted(product, Complaint) == 1


def test_a_form_open_too_long_comes_back_with_everything(visitor: Visitor, product: App) -> None:
    mark = visitor.web.get("/complain") and visitor.web.cookies["browser"]
    now = product.store.now()
    slips = visitor.web.app.state.browsers.slips  # type: ignore[attr-defined]  # state of any name
    old = slips.make("/complain", mark, now - OPEN_FOR - timedelta(minutes=1))
    answer = visitor.post("/complain", "send", old, **FILLED)
    assert answer.status_code == 403
    assert "Nothing is lost" in answer.text
    assert FILLED["narrative"] in answer.text
    assert visitor.post("/complain", "send", slip(answer.text), **FILLED).status_code == 303


@pytest.mark.parametrize("forged", ["", "x", "altered", "other page", "other browser"])
def test_a_forged_form_is_not_taken(visitor: Visitor, product: App, forged: str) -> None:
    true = slip(visitor.web.get("/complain").text)
    if forged == "other browser":
        with TestClient(visitor.web.app, follow_redirects=False) as stranger:
            given = slip(stranger.get("/complain").text)
    else:
        given = {
            "altered": ("A" if true[0] != "A" else "B") + true[1:],
            "other page": slip(visitor.web.get("/embed/complain").text),
        }.get(forged, forged)
    assert visitor.post("/complain", "send", given, **FILLED).status_code == 403
    assert counted(product, Complaint) == 0


def test_machines_are_held_off_and_people_told(web: TestClient, product: App) -> None:
    visitor = Visitor(web)
    opened = slip(web.get("/complain").text)
    trapped = visitor.post("/complain", "send", opened, **FILLED, website="http://spam.example")
    assert trapped.status_code == 422
    assert "Website" in trapped.text
    assert FILLED["narrative"] in trapped.text
    product.settings = product.settings.model_copy(update={"form_seconds": 60.0})
    quick = visitor.post("/complain", "send", opened, **FILLED)
    assert quick.status_code == 429
    assert FILLED["narrative"] in quick.text
    assert counted(product, Complaint) == 0


def test_a_flood_from_one_address_waits_and_keeps_its_words(web: TestClient, product: App) -> None:
    visitor = Visitor(web)
    web.app.state.portal.bucket = Bucket(2)  # type: ignore[attr-defined]
    visitor.send()
    visitor.send()
    answer = visitor.post("/complain", "send", slip(web.get("/complain").text), **FILLED)
    assert answer.status_code == 429
    assert "30 minutes" in answer.text
    assert FILLED["narrative"] in answer.text
    assert counted(product, Complaint) == 2


def test_the_bucket_refills_and_counts_a_network_once() -> None:
    seconds = 0.0
    bucket = Bucket(2, lambda: seconds)
    assert [bucket.take(f"2001:db8::{n}") for n in (1, 2)] == [0, 0]
    assert bucket.take("2001:db8::3") == 1800
    assert bucket.take("2001:db8:0:1::1") == 0
    seconds = 1800.0
    assert bucket.take("2001:db8::4") == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("film.png", PNG + bytes(100_001), "larger than 100 kB"),
        ("program.png", b"MZ\x90\x00", "not a kind of file"),
        ("page.html", b"<html><script>alert(1)</script>", "not a kind of file"),
        ("picture.svg", b"<svg xmlns='x' onload='alert(1)'/>", "not a kind of file"),
        ("nothing.png", b"", "is empty"),
    ],
)
def test_a_wrong_file_is_named_and_nothing_is_sent(
    visitor: Visitor, product: App, name: str, content: bytes, said: str
) -> None:
    opened = slip(visitor.web.get("/complain").text)
    files = [("files", (each, what)) for each, what in (("ok.png", PNG), (name, content), ("too.png", PNG + b"2"))]
    answer = visitor.post("/complain", "send", opened, files, **FILLED)
    assert answer.status_code == 422
    assert f"“{name}”" in answer.text
    assert said in answer.text
    assert FILLED["narrative"] in answer.text
    assert counted(product, Complaint) == counted(product, Attachment) == 0
    assert [path for path in product.blobs.root.rglob("*") if path.is_file()] == [], "what no case has, nobody erases"


def test_a_zip_bomb_is_never_unpacked(visitor: Visitor, product: App) -> None:
    """As a plain archive it is refused; dressed as a document it stays the few bytes that were sent."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("[Content_Types].xml", "")
        bomb.writestr("word/document.xml", bytes(50_000_000))
    opened = slip(visitor.web.get("/complain").text)
    refused = visitor.post("/complain", "send", opened, [("files", ("bomb.zip", packed.getvalue()))], **FILLED)
    assert refused.status_code == 422
    assert "“bomb.zip”" in refused.text
    visitor.send([("files", ("bomb.docx", packed.getvalue()))])
    with product.store.reading(SYSTEM) as work:
        assert work.session.exec(select(Attachment)).one().size == len(packed.getvalue())


def test_too_many_files(visitor: Visitor, product: App) -> None:
    opened = slip(visitor.web.get("/complain").text)
    answer = visitor.post("/complain", "send", opened, [("files", (f"{n}.png", PNG)) for n in range(60)], **FILLED)
    assert answer.status_code == 422
    assert "at most 5 files" in answer.text


def test_odd_names_of_files_do_no_harm(visitor: Visitor, product: App) -> None:
    token = visitor.send([("files", ("../../etc/漏水💧.png", PNG)), ("files", ("<b>.png", PNG + b"1"))])
    with product.store.reading(SYSTEM) as work:
        rows = work.session.exec(select(Attachment).order_by(Attachment.size)).all()  # type: ignore[arg-type]
    assert [(r.name, r.content_type, r.audience) for r in rows] == [
        ("漏水💧.png", "image/png", "complainant"),
        ("_b_.png", "image/png", "complainant"),
    ]
    saved = visitor.web.get(f"/track/{token}/files/{rows[0].id}")
    assert saved.content == PNG
    assert saved.headers["content-disposition"].startswith("attachment;")
    assert saved.headers["x-content-type-options"] == "nosniff"


def test_headers_of_pages(web: TestClient) -> None:
    for path in ("/", "/complain", "/track", "/track/nothing"):
        policy = web.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
    cookie = web.get("/complain", headers={"cookie": ""}).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()


def test_the_form_in_a_frame_of_a_known_site(web: TestClient, product: App) -> None:
    visitor = Visitor(web)
    opened = web.get("/embed/complain?product=Heater")
    assert "frame-ancestors https://shop.example" in opened.headers["content-security-policy"]
    assert "<footer" not in opened.text
    web.cookies.clear()  # a frame on another site has none
    sent = visitor.post("/embed/complain", "send", slip(opened.text), **FILLED)
    assert sent.headers["location"].startswith("/embed/complain/sent/")
    assert 'target="_blank"' in web.get(sent.headers["location"]).text
    assert counted(product, Complaint) == 1


def test_without_known_sites_no_frame(database: str, tmp_path: Any) -> None:
    product = make_product(database, tmp_path)
    with TestClient(create_app(product)) as web:
        assert "frame-ancestors 'none'" in web.get("/embed/complain").headers["content-security-policy"]
    product.engine.dispose()


def test_language_by_link_then_cookie_then_browser(web: TestClient) -> None:
    def spoken(path: str = "/", **headers: str) -> str:
        found = re.search(r'<html lang="([^"]+)"', web.get(path, headers=headers).text)
        assert found
        return found[1]

    assert spoken(**{"accept-language": "fr;q=0.9, zh-TW;q=0.8, en;q=0.1"}) == "zh-CN"
    assert spoken(**{"accept-language": "fr"}) == "en"
    assert spoken("/?lang=zh-CN") == "zh-CN"
    assert spoken("/complain") == "zh-CN"
    assert spoken("/?lang=xx") == "zh-CN"
    assert spoken("/?lang=en", **{"accept-language": "zh"}) == "en"


def test_changing_the_language_in_the_form_keeps_it(visitor: Visitor) -> None:
    opened = slip(visitor.web.get("/complain").text)
    answer = visitor.post("/complain?lang=zh-CN", "edit", opened, **FILLED)
    assert "我要投诉" in answer.text
    assert FILLED["narrative"] in answer.text


def test_a_frame_keeps_its_language_without_cookies(visitor: Visitor, product: App) -> None:
    """Browsers keep our cookies back in a frame on another site; the shop, or the reader, chose the language."""
    web = visitor.web
    page = web.get("/embed/complain?lang=zh-CN&product=Heater")
    filled = FILLED | {"narrative": "热水器漏水。"}
    for do in ("review", "edit", "review"):
        web.cookies.clear()
        action = re.search(r'<form id="form" method="post" action="([^"]+)"', page.text)
        assert action
        page = visitor.post(action[1], do, slip(page.text), **filled)
        assert '<html lang="zh-CN">' in page.text
    assert 'formaction="/embed/complain?lang=en"' in page.text
    web.cookies.clear()
    sent = visitor.post(action[1], "send", slip(page.text), **filled)
    web.cookies.clear()
    assert '<html lang="zh-CN">' in web.get(sent.headers["location"]).text
    complaint, who = stored(product)
    assert (complaint.language, who.language) == ("zh-CN", "zh-CN")
    assert 'action="/complain"' in web.get("/complain?lang=zh-CN").text, "a cookie does elsewhere"


def test_static_files_are_cached_by_content_and_nothing_else_is_served(web: TestClient) -> None:
    style = re.search(r'href="(/static/portal\.css\?v=\w+)"', web.get("/").text)
    assert style
    assert "immutable" in web.get(style[1]).headers["cache-control"]
    assert web.get("/static/portal.css").headers["cache-control"] == "no-cache"
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/other.css"):
        assert web.get(path).status_code == 404


def test_the_first_load_is_small(web: TestClient) -> None:
    import gzip

    parts = [web.get(p).content for p in ("/complain", "/static/portal.css", "/static/portal.js", "/static/portal.svg")]
    assert sum(len(gzip.compress(p)) for p in parts) < 20_000


def test_nobody_gets_the_receipt_of_what_another_sends_in_a_form_of_theirs(web: TestClient, product: App) -> None:
    """A stranger has a browser open their own form, and sends it once more themselves."""
    with TestClient(web.app, follow_redirects=False) as theirs:
        given = slip(theirs.get("/complain").text)
        web.get("/complain")
        lured = Visitor(web).post("/complain", "send", given, **FILLED)
        assert lured.status_code == 403
        sent = Visitor(web).post("/complain", "send", slip(lured.text), **FILLED)
        fished = Visitor(theirs).post("/complain", "send", given, **(FILLED | {"narrative": "Something else."}))
    assert fished.headers["location"] != sent.headers["location"]
    assert counted(product, Complaint) == 2


def test_a_form_in_a_frame_is_stored_once_and_shows_nobody_what_another_wrote(web: TestClient, product: App) -> None:
    """No cookie tells browsers apart there: whoever has the slip may send it, and gets their own receipt."""
    visitor, opened = Visitor(web), slip(web.get("/embed/complain").text)
    first, second = (visitor.post("/embed/complain", "send", opened, **FILLED) for _ in range(2))
    other = visitor.post("/embed/complain", "send", opened, **(FILLED | {"narrative": "Something else."}))
    assert first.headers["location"] == second.headers["location"] != other.headers["location"]
    assert counted(product, Complaint) == 2
