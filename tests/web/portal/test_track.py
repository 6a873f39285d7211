"""Following by the link: read, answer, accept or reject, appeal, withdraw; links that do not open; a new link."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, select

from complaints.domain.ports import SYSTEM
from complaints.services import tracking
from complaints.services.tracking import Tracking
from complaints.store.tables import Attachment, Complaint, Message, Outbox, Survey
from config.wiring import App
from tests.web.api.conftest import counted
from tests.web.forms import slip
from tests.web.portal.conftest import PNG, Desk, Visitor

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def token(visitor: Visitor, desk: Desk) -> str:
    """The link of a complaint that is being looked into."""
    made = visitor.send()
    desk.take_up(desk.newest())
    return made


def surveys(product: App) -> list[Survey]:
    with Session(product.engine) as session:
        return list(session.exec(select(Survey)).all())


def test_the_page_tells_where_it_stands(visitor: Visitor, desk: Desk, token: str) -> None:
    page = visitor.page(token)
    assert page.status_code == 200
    assert desk.newest() in page.text
    assert "We are looking into what happened." in page.text
    assert "You get our answer by" in page.text
    assert "no-store" in page.headers["cache-control"]
    states = re.findall(r'<li class="(\w+)"', page.text)
    assert states == ["done", "now", "ahead", "ahead", "ahead"]


def test_a_question_is_answered_with_a_file(visitor: Visitor, desk: Desk, token: str, product: App) -> None:
    reference = desk.newest()
    desk.act(reference, "ask_customer", question="Which day?")
    page = visitor.page(token)
    assert "Which day?" in page.text
    assert "Please answer by" in page.text
    answered = visitor.do(token, "answer", [("files", ("proof.png", PNG))], text="On Monday.")
    assert answered.headers["location"] == f"/track/{token}?done=answer"
    after = visitor.web.get(answered.headers["location"]).text
    assert "We have your answer" in after
    assert "On Monday." in after
    assert "proof.png" in after
    assert desk.complaint(reference).status == "investigating"


def test_a_message_sent_twice_is_one_message(visitor: Visitor, token: str, product: App) -> None:
    opened = slip(visitor.page(token).text)
    for done in ("message", "before"):
        answer = visitor.post(f"/track/{token}", "message", opened, text="Any news?")
        assert answer.headers["location"].endswith(f"done={done}")
    with Session(product.engine) as session:
        assert session.exec(select(Message.body).where(Message.direction == "in")).all() == ["Any news?"]


def test_accepting_closes_and_keeps_the_survey(visitor: Visitor, desk: Desk, token: str, product: App) -> None:
    desk.answer(desk.newest())
    missing = visitor.do(token, "confirm", rating="4", text="Fine.")
    assert missing.status_code == 422
    assert 'id="confirm-accepted-error"' in missing.text
    assert 'name="rating" value="4" checked' in missing.text
    assert "Fine." in missing.text
    visitor.do(token, "confirm", accepted="yes", rating="4", resolved="yes", effort="2", text="Fine.")
    (kept,) = surveys(product)
    assert (kept.accepted, kept.rating, kept.resolved, kept.effort, kept.words, kept.via) == (
        True,
        4,
        True,
        2,
        "Fine.",
        "portal",
    )
    page = visitor.page(token).text
    assert "This complaint is closed." in page
    assert "You can ask for a review until" in page
    assert re.findall(r'<li class="(\w+)"', page) == ["done"] * 5
    visitor.do(token, "appeal", text="It leaks again.")
    assert desk.complaint(desk.newest()).status == "reviewing"


def test_rejecting_needs_a_reason_and_is_an_appeal(visitor: Visitor, desk: Desk, token: str, product: App) -> None:
    desk.answer(desk.newest())
    missing = visitor.do(token, "confirm", accepted="no")
    assert missing.status_code == 422
    assert 'id="confirm-text-error"' in missing.text
    assert surveys(product) == []
    visitor.do(token, "confirm", accepted="no", rating="12", text="Nobody came.")
    (kept,) = surveys(product)
    assert (kept.accepted, kept.rating) == (False, None)
    page = visitor.page(token).text
    assert "Nobody came." in page
    assert '<li class="now" aria-current="step">\n<strong>Review</strong>' in page


def test_withdrawing_asks_first(visitor: Visitor, desk: Desk, token: str) -> None:
    asked = visitor.web.get(f"/track/{token}/withdraw")
    assert "cannot be undone" in asked.text
    assert desk.complaint(desk.newest()).status == "investigating"
    visitor.post(f"/track/{token}", "withdraw", slip(asked.text), text="")
    page = visitor.page(token).text
    assert "You withdrew it." in page
    assert "You can still ask for a review" not in page
    assert "Ask for a review" not in page
    assert visitor.web.get(f"/track/{token}/withdraw").status_code == 409


def test_after_going_back_an_old_page_changes_nothing_and_keeps_the_words(
    visitor: Visitor, desk: Desk, token: str
) -> None:
    reference = desk.newest()
    desk.act(reference, "ask_customer", question="Which day?")
    old = slip(visitor.page(token).text)
    visitor.do(token, "answer", text="On Monday.")
    late = visitor.post(f"/track/{token}", "answer", old, text="On Tuesday, I think.")
    assert late.status_code == 409
    assert "moved on" in late.text
    assert "On Tuesday, I think." in late.text


def test_words_whose_form_is_gone_are_shown_again(visitor: Visitor, desk: Desk, product: App, token: str) -> None:
    """The page lay open overnight and the case went on; the link was replaced meanwhile; the reason is too long."""
    words = "On Tuesday, I think."
    stale = visitor.post(f"/track/{token}", "answer", "old", text=words)
    assert stale.status_code == 403
    assert f'<blockquote class="words">{words}</blockquote>' in stale.text
    stale = visitor.post(f"/track/{token}", "withdraw", "old", text=words)
    assert stale.status_code == 403
    assert re.search(rf'<textarea id="withdraw-text" name="text"[^>]*>\s*{words}</textarea>', stale.text)
    long = visitor.do(token, "withdraw", text="x" * 20_001)
    assert long.status_code == 422
    assert 'id="withdraw-text-error"' in long.text
    assert "x" * 20_001 in long.text
    huge = visitor.do(token, "message", [("files", ("x.png", PNG))], text="y" * 1_200_000)
    assert huge.status_code == 422
    assert 'id="message-text-error"' in huge.text
    assert "y" * 1_200_000 in huge.text
    opened = slip(visitor.page(token).text)
    with product.store.work(SYSTEM) as work:
        tracking.revoke(work, work.session.get_one(Complaint, desk.complaint(desk.newest()).id))
    late = visitor.post(f"/track/{token}", "message", opened, text=words)
    assert late.status_code == 404
    assert f'<blockquote class="words">{words}</blockquote>' in late.text


@pytest.mark.parametrize("action", ["answer", "message", "appeal", "nonsense"])
def test_what_is_empty_or_unknown_is_refused(visitor: Visitor, token: str, action: str) -> None:
    for text in (" \n", "\u200b\u2800"):  # the second looks empty, too
        answer = visitor.do(token, action, text=text)
        assert answer.status_code == (404 if action == "nonsense" else 422)
        if action == "message":
            assert 'id="message-text-error"' in answer.text


def test_bad_files_leave_the_message_unsent(visitor: Visitor, token: str, product: App) -> None:
    answer = visitor.do(token, "message", [("files", ("x.png", b""))], text="See the file.")
    assert answer.status_code == 422
    assert 'id="message-files-error"' in answer.text
    assert "See the file." in answer.text
    assert counted(product, Attachment) == 0


def test_a_picture_says_enough_by_itself(visitor: Visitor, desk: Desk, token: str) -> None:
    """“Write to us or add a file”; and who is asked for a photo sends a photo."""
    assert visitor.do(token, "message", [("files", ("leak.png", PNG))]).headers["location"].endswith("done=message")
    desk.act(desk.newest(), "ask_customer", question="Can you send us a photo of the label?")
    two = [("files", (name, PNG + name.encode())) for name in ("label.png", "back.png")]
    assert visitor.do(token, "answer", two, text=" ").headers["location"].endswith("done=answer")
    page = visitor.page(token).text
    assert "Attached: leak.png" in page
    assert "Attached: label.png, back.png" in page
    assert page.count("/files/") == 3
    assert desk.complaint(desk.newest()).status == "investigating"


def test_a_form_made_for_another_link_is_refused(visitor: Visitor, token: str, product: App) -> None:
    other = visitor.send()
    answer = visitor.post(f"/track/{token}", "message", slip(visitor.page(other).text), text="Mine?")
    assert answer.status_code == 403
    assert "Mine?" in answer.text


def test_scripts_in_messages_stay_text(visitor: Visitor, desk: Desk, token: str) -> None:
    desk.act(desk.newest(), "ask_customer", question=SCRIPT)
    visitor.do(token, "answer", text=SCRIPT)
    visitor.do(token, "message", text=SCRIPT)
    page = visitor.page(token).text
    assert SCRIPT not in page
    assert page.count("&lt;script&gt;alert(1)") == 3


def test_staff_notes_and_letters_to_others_are_not_shown(visitor: Visitor, desk: Desk, token: str) -> None:
    reference = desk.newest()
    desk.act(reference, "add_note", text="Looks like a fraud.")
    desk.act(reference, "add_message", text="We asked the fitter.")
    page = visitor.page(token).text
    assert "fraud" not in page
    assert "We asked the fitter." in page


def joining(visitor: Visitor, desk: Desk, first: str) -> str:
    """Bob complains of the same, and his complaint is merged into the first: the token by which he follows that."""
    own = visitor.send(name="Bob", email="bob@example.com", narrative="My own story about the same heater.")
    desk.take_up(desk.newest())
    desk.act(desk.newest(), "merge", into=first, reason="same")
    page = visitor.page(own)
    assert "It is handled together with another complaint" in page.text
    onward = re.search(r'href="/track/([^"]+)">Follow it there', page.text)
    assert onward
    return onward[1]


def told(visitor: Visitor, token: str) -> tuple[str, str]:
    """What a link tells, through both doors: page and API."""
    return visitor.page(token).text, visitor.web.get(f"/api/v1/track/{token}").text


def test_merged_complainants_read_nothing_of_each_other(visitor: Visitor, desk: Desk, token: str, product: App) -> None:
    first = desk.newest()
    visitor.do(token, "message", [("files", ("mine.png", PNG))], text="A private word.")
    desk.act(first, "ask_customer", question="Which day?")
    desk.act(first, "customer_replied", answer="On Monday, she says on the telephone.")
    desk.act(first, "add_message", text="We look into it, both of you.")
    bob = joining(visitor, desk, first)
    desk.act(first, "ask_customer", question="Which floor?")
    desk.act(first, "customer_replied", answer="The third, one of them says on the telephone.")
    visitor.do(bob, "message", [("files", ("bobs.png", PNG + b"b"))], text="From Bob only.")
    for page in told(visitor, bob):
        for shown in (first, "My own story about the same heater.", "From Bob only.", "We look into it, both of you."):
            assert shown in page
        for secret in (
            "A private word.",
            "mine.png",
            "The heater you delivered",
            "Wang Fang",
            "On Monday",
            "The third",
        ):
            assert secret not in page
    assert "bobs.png" in visitor.page(bob).text
    for page in told(visitor, token):
        for shown in ("A private word.", "mine.png", "On Monday, she says"):
            assert shown in page
        for secret in ("From Bob only.", "bobs.png", "My own story", "The third"):
            assert secret not in page
    assert visitor.page(token).text.count("A file was added.") == 1
    with Session(product.engine) as session:
        files = {f.name: f.id for f in session.exec(select(Attachment)).all()}
    for reader, name, status in ((bob, "mine.png", 404), (bob, "bobs.png", 200), (token, "bobs.png", 404)):
        assert visitor.web.get(f"/track/{reader}/files/{files[name]}").status_code == status


def test_after_two_mergers_everybody_still_reads_their_own_words(visitor: Visitor, desk: Desk, token: str) -> None:
    first = desk.newest()
    bob = joining(visitor, desk, first)
    visitor.send(name="Carol", email="carol@example.com", narrative="Carol's words about a heater.")
    desk.take_up(desk.newest())
    desk.act(first, "merge", into=desk.newest(), reason="same")
    for reader, own, others in (
        (bob, "My own story", ("The heater you delivered", "Carol")),
        (token, "The heater you delivered", ("My own story", "Carol")),
    ):
        onward = re.search(r'href="/track/([^"]+)">Follow it there', visitor.page(reader).text)
        assert onward
        for page in told(visitor, onward[1]):
            assert desk.newest() in page
            assert own in page
            for secret in others:
                assert secret not in page


def test_a_case_of_several_is_ended_by_none_who_joined(visitor: Visitor, desk: Desk, token: str) -> None:
    """Bob's word must not end Wang Fang's complaint, nor hers his right to an answer."""
    first = desk.newest()
    bob = joining(visitor, desk, first)
    for reader in (token, bob):
        assert "Withdraw the complaint" not in visitor.page(reader).text
        assert "withdraw" not in visitor.web.get(f"/api/v1/track/{reader}").json()["allowed_actions"]
        asked = visitor.web.post(f"/api/v1/track/{reader}/actions/withdraw", json={})
        assert asked.status_code == 409
        assert "it goes on for them" in asked.json()["detail"]
    desk.answer(first)
    assert "Do you accept our answer?" in visitor.page(token).text
    page = visitor.page(bob).text
    assert "Do you accept our answer?" not in page
    assert "I do not agree: ask for a review" in page
    assert visitor.web.get(f"/api/v1/track/{bob}").json()["asks_confirmation"] is False
    verdict = {"accepted": True}
    refused = visitor.web.post(f"/api/v1/track/{bob}/confirmation", json=verdict, headers={"Accept-Language": "zh-CN"})
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        "答复是否解决了问题，由最先投诉的人表示。如果您不同意，请申请复核。",
    )
    assert visitor.web.post(f"/api/v1/track/{token}/confirmation", json=verdict).status_code == 200
    assert desk.complaint(first).status == "closed"
    visitor.do(bob, "appeal", text="It leaks at my house still.")
    assert desk.complaint(first).status == "reviewing"
    assert "You asked for a review." not in visitor.page(token).text


def test_a_page_speaks_the_language_of_the_letters(visitor: Visitor, desk: Desk) -> None:
    visitor.web.get("/?lang=zh-CN")
    made = visitor.send(narrative="热水器漏水。")
    visitor.web.cookies.clear()
    assert '<html lang="zh-CN">' in visitor.page(made).text


# -- links


def test_the_page_to_enter_the_code_exists_in_the_other_language(
    visitor: Visitor, desk: Desk, token: str, product: App
) -> None:
    asked = ask(visitor, reference=desk.newest(), email="wang.fang@example.com")
    assert 'formaction="/track?lang=zh-CN"' in asked.text
    fields = {"reference": desk.newest(), "email": "wang.fang@example.com", "code": "12"}
    other = visitor.post("/track?lang=zh-CN", "read", slip(asked.text), **fields)
    assert other.status_code == 200
    assert '<html lang="zh-CN">' in other.text
    assert 'name="code" type="text" value="12"' in other.text
    assert f'name="reference" value="{desk.newest()}"' in other.text
    assert len(letters(product)) == 1
    forged = visitor.post("/track", "read", "none", **fields)
    assert forged.status_code == 403


@pytest.mark.parametrize("where", [0, 10, -30, -1])
def test_an_altered_link_opens_nothing_and_offers_a_new_one(visitor: Visitor, token: str, where: int) -> None:
    wrong = "A" if token[where] != "A" else "B"
    altered = token[:where] + wrong + (token[where + 1 :] if where != -1 else "")
    for answer in (visitor.page(altered), visitor.web.post(f"/track/{altered}"), visitor.page(token + "A")):
        assert answer.status_code == 404
        assert "Get a new link" in answer.text


def test_an_old_link_is_refused_kindly(visitor: Visitor, desk: Desk, product: App, token: str) -> None:
    case = desk.complaint(desk.newest())
    for age, status in ((timedelta(days=180), 200), (timedelta(days=181, minutes=1), 410)):
        then = product.store.now() - age
        old = Tracking(product.settings.secret(), "", lambda then=then: then)  # type: ignore[misc]
        answer = visitor.page(old.token(case.id, case.complainant_id, 1))
        assert answer.status_code == status
    assert "This link is too old" in answer.text
    assert "Get a new link" in answer.text


def test_a_revoked_link_opens_nothing(visitor: Visitor, desk: Desk, product: App, token: str) -> None:
    with product.store.work(SYSTEM) as work:
        tracking.revoke(work, work.session.get_one(Complaint, desk.complaint(desk.newest()).id))
    assert visitor.page(token).status_code == 404


def letters(product: App) -> list[Outbox]:
    with Session(product.engine) as session:
        rows = session.exec(select(Outbox).where(Outbox.kind == "notify").order_by(col(Outbox.created_at))).all()
    return [r for r in rows if r.payload["template"] == "new_link"]


def ask(visitor: Visitor, **fields: str) -> Any:
    return visitor.post("/track", "", slip(visitor.web.get("/track").text), **fields)


def test_a_new_link_comes_by_mail_once_in_ten_minutes(visitor: Visitor, desk: Desk, product: App, token: str) -> None:
    reference = desk.newest()
    with product.store.work(SYSTEM) as work:
        tracking.revoke(work, work.session.get_one(Complaint, desk.complaint(reference).id))
    for written in (reference, reference.lower().replace("-", " ")):
        assert ask(visitor, reference=written, email=" Wang.Fang@Example.com ").status_code == 200
    (letter,) = letters(product)
    assert letter.payload["to"] == "wang.fang@example.com"
    product.dispatcher.act(letter.id, leased=True)  # as by the process that recorded it
    (file,) = (product.settings.home / "outgoing").rglob("*.eml")
    from email import message_from_bytes, policy

    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    body = mail.get_body(("plain",))
    assert body
    found = re.search(r"/track/(\S+)", body.get_content())
    assert found
    assert visitor.page(found[1]).status_code == 200


def code_of(product: App) -> str:
    """The code in the last letter."""
    return str(letters(product)[-1].payload["context"]["code"])


def enter(visitor: Visitor, code: str, **fields: str) -> Any:
    opened = slip(visitor.web.get("/track").text)
    return visitor.post("/track", "code", opened, **({"email": "wang.fang@example.com", "code": code} | fields))


def test_the_code_in_the_mail_opens_the_page_on_another_device(
    visitor: Visitor, desk: Desk, product: App, token: str
) -> None:
    reference = desk.newest()
    asked = ask(visitor, reference=reference, email="wang.fang@example.com")
    assert 'autocomplete="one-time-code"' in asked.text
    code = code_of(product)
    spaced = enter(visitor, f" {code[:3]} {code[3:]} ", reference=reference.lower())
    assert spaced.status_code == 303
    wide = code.translate({ord(n): ord(n) + 0xFEE0 for n in "0123456789"})
    assert enter(visitor, wide, reference=reference, email="wang.fang＠example.com").status_code == 303
    assert reference in visitor.web.get(spaced.headers["location"]).text


def test_a_wrong_old_or_foreign_code_opens_nothing(visitor: Visitor, desk: Desk, product: App, token: str) -> None:
    reference = desk.newest()
    assert enter(visitor, "000000", reference=reference).status_code == 422  # nobody asked for one
    ask(visitor, reference=reference, email="wang.fang@example.com")
    code = code_of(product)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    for given in (wrong, code[:5], code + "1", "٠٤٢٩١٧", "abcdef", ""):
        answer = enter(visitor, given, reference=reference)
        assert answer.status_code == 422
        assert 'id="code-error"' in answer.text
        assert f'value="{reference}"' in answer.text
    for fields in (
        {"reference": reference, "email": "somebody@example.com"},
        {"reference": "C26-000042-7"},
        {"reference": "nonsense"},
    ):
        assert enter(visitor, code, **fields).status_code == 422
    with Session(product.engine) as session:
        letter = session.exec(select(Outbox).where(col(Outbox.key).startswith("new_link:"))).one()
        letter.created_at -= tracking.CODE_FOR
        session.add(letter)
        session.commit()
    assert enter(visitor, code, reference=reference).status_code == 422


def test_codes_cannot_be_tried_out(visitor: Visitor, desk: Desk, product: App, token: str) -> None:
    reference = desk.newest()
    ask(visitor, reference=reference, email="wang.fang@example.com")
    code = code_of(product)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    written = (reference, reference.lower(), reference.replace("-", " "))
    tried = [enter(visitor, wrong, reference=written[n % 3]).status_code for n in range(11)]
    assert tried == [422] * 10 + [429]
    last = enter(visitor, code, reference=reference)
    assert last.status_code == 429
    assert "Use the link in the mail instead" in last.text


def test_links_that_others_may_have_are_replaced(visitor: Visitor, desk: Desk, product: App, token: str) -> None:
    reference = desk.newest()
    ask(visitor, reference=reference, email="wang.fang@example.com")
    old = code_of(product)
    replaced = visitor.do(token, "renew")
    assert replaced.headers["location"] == "/track?renewed=1"
    assert "no longer work" in visitor.web.get(replaced.headers["location"]).text
    assert visitor.page(token).status_code == 404
    assert enter(visitor, old, reference=reference).status_code == 422
    assert len(letters(product)) == 2
    opened = enter(visitor, code_of(product), reference=reference)
    assert visitor.web.get(opened.headers["location"]).status_code == 200


def test_without_an_address_no_link_is_replaced(visitor: Visitor) -> None:
    token = visitor.send(who="anonymous", email="", phone="")
    assert "Replace my link" not in visitor.page(token).text
    assert visitor.do(token, "renew").status_code == 409
    assert visitor.page(token).status_code == 200


def test_the_answer_never_tells_who_complained(visitor: Visitor, desk: Desk, product: App, token: str) -> None:
    reference = desk.newest()
    right = ask(visitor, reference=reference, email="wang.fang@example.com").text
    wrong = ask(visitor, reference=reference, email="somebody@example.com").text
    none = ask(visitor, reference="C26-000042-7", email="wang.fang@example.com").text
    one, *others = (re.sub(r'name="slip" value="[^"]+"', "", page) for page in (right, wrong, none))
    assert others == [one.replace("wang.fang@", "somebody@"), one.replace(reference, "C26-000042-7")]
    assert len(letters(product)) == 1


def test_mistyped_is_told(visitor: Visitor) -> None:
    answer = ask(visitor, reference="C26-000042-8", email="no address")
    assert answer.status_code == 422
    assert 'id="reference-error"' in answer.text
    assert 'id="email-error"' in answer.text
    assert 'value="C26-000042-8"' in answer.text


def test_what_was_written_carries_its_language(visitor: Visitor, desk: Desk) -> None:
    """The page may be read in another one: a screen reader must know (WCAG 3.1.2)."""
    token = visitor.send()
    desk.take_up(desk.newest())
    desk.act(desk.newest(), "ask_customer", question="Which day was it delivered?")
    page = visitor.web.get(f"/track/{token}?lang=zh-CN").text
    assert '<html lang="zh-CN">' in page
    assert '<blockquote class="words" lang="en">Which day' in page
    assert '<div class="words" lang="en">The heater' in page


def test_nobody_withdraws_what_somebody_else_complains_of_too(
    visitor: Visitor, desk: Desk, product: App, token: str
) -> None:
    first = desk.newest()
    visitor.send(name="Bob", email="bob@example.com", narrative="My own story about the same heater.")
    second = desk.newest()
    desk.take_up(second)
    desk.act(second, "merge", into=first, reason="same")
    case, bob = desk.complaint(first), desk.complaint(second).complainant_id
    for link in (token, product.tracking.token(case.id, bob, 1)):
        assert "Withdraw the complaint" not in visitor.page(link).text
        assert visitor.web.get(f"/track/{link}/withdraw").status_code == 409
        api = f"/api/v1/track/{link}"
        assert "withdraw" not in visitor.web.get(api).json()["allowed_actions"]
        refused = visitor.web.post(f"{api}/actions/withdraw", json={})
        assert (refused.status_code, "it goes on for them" in refused.text) == (409, True)
    assert desk.complaint(first).status == case.status


def test_a_visitor_reads_their_own_words_after_several_mergers(visitor: Visitor, desk: Desk, product: App) -> None:
    made = []
    for name in ("Ann", "Bob", "Eve"):
        visitor.send(name=name, email=f"{name}@example.com", narrative=f"The very own story of {name} and the heater.")
        made.append(desk.newest())
        desk.take_up(made[-1])
    last, middle, first = (desk.complaint(reference) for reference in reversed(made))
    desk.act(last.reference, "merge", into=middle.reference, reason="same")
    desk.act(middle.reference, "merge", into=first.reference, reason="same")
    for owner, name in ((last, "Eve"), (middle, "Bob"), (first, "Ann")):
        link = product.tracking.token(first.id, owner.complainant_id, 1)
        for told in (visitor.page(link).text, visitor.web.get(f"/api/v1/track/{link}").text):
            assert [n for n in ("Ann", "Bob", "Eve") if f"The very own story of {n}" in told] == [name]
