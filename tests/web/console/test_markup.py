"""What every page keeps to, in both languages: Chinese punctuation in Chinese, no block inside a paragraph."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Language, StepKind
from complaints.services import actions
from tests.web.console.casework import Desk
from tests.web.console.conftest import Browser, text_of
from tests.web.console.test_matrix import House, house
from web.console.seat import STAFF
from web.language import Speech

__all__ = ["house"]
#: Half-width signs beside a Chinese character, in which a font leaves a hole or none; a list of tags in our own samples
#: is not a sentence.
_HALF = re.compile(r"(?:[一-鿿”’」）] ?[,;:!?()]|[,;:!?()] ?[一-鿿“‘「（])[^<]{0,12}")
#: What a reader is told beside what stands between tags.
_TOLD = re.compile(r'(?:title|aria-label|placeholder|content)="([^"]*)"')
#: Elements that end a paragraph that is open, wherever somebody wants them.
_BLOCKS = {
    *("form", "div", "ul", "ol", "dl", "table", "section", "fieldset"),
    *("details", "p", "pre", "h2", "h3", "article"),
}
#: Where one thing that is said ends.
_ENDS = re.compile(r"</(?:p|li|td|th|dd|dt|div|h\d|option|text|title|label|a|button)>")
#: What people wrote in their language, and pictures made of a letter.
_NOT_OURS = re.compile(
    r'<(\w+)[^>]* lang="(?:en|zh-CN)"[^>]*>.*?</\1>|<span[^>]* aria-hidden="true"[^>]*>[^<]*</span>', re.S
)


def half_width(html: str) -> list[str]:
    """Every half-width sign in the Chinese of a page, with what is around it. Foreign words are left out: what people
    wrote is theirs."""
    own = _NOT_OURS.sub(" ", html.partition("<body")[2])
    texts = [text_of(part) for part in _ENDS.split(own)]
    texts += [unescape(said) for said in _TOLD.findall(own)]
    return [hit.group() for text in texts for hit in _HALF.finditer(text)]


class _Paragraphs(HTMLParser):
    """Finds elements that a browser would put out of the paragraph they stand in."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.found = False, list[str]()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if self.open and tag in _BLOCKS:
            self.found.append(f"<{tag}> in <p>: {self.get_starttag_text()}")
        self.open = tag == "p" or (self.open and tag not in _BLOCKS)

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open and tag != "p"


def torn(html: str) -> list[str]:
    """Blocks inside paragraphs."""
    parser = _Paragraphs()
    parser.feed(html)
    return parser.found


def pages(house: House) -> dict[str, str]:
    """Every page of the console that one can look at, in Chinese."""
    found = {}
    for way in (w for w in house.ways if w.method == "GET" and w.needs):
        house.sit("everything", *STAFF)
        answer = house.ask(way, params={"lang": "zh-CN"})
        if answer.text.startswith("<!doctype html>"):
            found[way.path] = answer.text
    return found


def test_no_page_has_half_width_signs_in_its_chinese_or_a_block_in_a_paragraph(house: House) -> None:
    read = pages(house)
    assert len(read) > 30
    assert {path: found for path, html in read.items() if (found := half_width(html))} == {}
    assert {path: found for path, html in read.items() if (found := torn(html))} == {}


@pytest.fixture
def full(desk: Desk) -> Desk:
    """A case about which there is much to say."""
    desk.to_approval()
    with desk.office.product.store.work(SYSTEM) as work:
        row = work.session.get_one(type(desk.case()), desk.case().id)
        row.classification = {"alternatives": [["delivery", 0.31], ["billing", 0.2]], "evidence": []}
        row.flags, row.desired_remedy = ["safety"], "退一赔三"
        work.session.add(row)
    desk.do("bo", StepKind.APPROVAL, decision="approve")
    return desk


def test_a_case_with_much_to_say_says_it_in_full_width(full: Desk) -> None:
    other = full.office.complain(narrative="The heater leaks, order A-4711, and nobody answers the phone at all.")
    with full.office.product.store.work(full.actor("bo")) as work:
        actions.act(work, full.reference, "link", {"to": other, "kind": "duplicate"})
    looked_at = [full.path, f"{full.path}/clocks", f"{full.path}/do/propose_remedy", f"{full.path}/do/reclassify"]
    for path in looked_at:
        html = see(full.bo, path)
        assert half_width(html) == [], path
        assert torn(html) == [], path
    said = text_of(see(full.bo, full.path))
    assert "物流配送 31%、" in said
    assert "诉求 ： 退一赔三" in said


def see(browser: Browser, path: str) -> str:
    answer = browser.get(f"{path}?lang=zh-CN")
    assert answer.status_code == 200, answer.text
    return str(answer.text)


@pytest.mark.parametrize(
    "bad", ["<p>时钟, 规则</p>", '<a title="时钟: 三天">x</a>', "<td>退款 (全部)</td>", "<p>编号 : 三</p>"]
)
def test_the_eye_for_signs_sees(bad: str) -> None:
    assert half_width(f"<body>{bad}") != []
    assert half_width('<body><p>时钟（规则）：10:30、A, B</p><p lang="en">x</p>') == []
    assert torn("<p><b>x</b><form></form></p>") != []
    assert torn("<p>x</p><form><p>y</p></form>") == []


def test_words_are_joined_as_the_language_does() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    chinese, english = (Speech(language, zone, "console") for language in (Language.ZH, Language.EN))
    assert (chinese.pair("甲", "乙"), english.pair("a", "b")) == ("甲：乙", "a: b")
    assert (chinese.aside("甲", "乙"), english.aside("a", "b")) == ("甲（乙）", "a (b)")
    assert (chinese.sentences("甲。", "乙。"), english.sentences("A.", "B.")) == ("甲。乙。", "A. B.")
