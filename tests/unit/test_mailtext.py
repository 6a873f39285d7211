"""HTML mails become the text they say; other text stays as it is."""

from __future__ import annotations

import pytest

from complaints.services.mailtext import plain


@pytest.mark.parametrize(
    ("mail", "words"),
    [
        (
            "<html><body><p>Hello,</p><p>the heater &amp; the tap leak.</p></body></html>",
            "Hello,\nthe heater & the tap leak.",
        ),
        ("<div>退款<br>三周了</div>", "退款\n三周了"),
        ("<p>a</p><script>alert(1)</script><style>p{}</style><p onclick='x()'>b</p>", "a\nb"),
        ("<p>1 &lt; 2 and <b>bold</b> <a href='javascript:x'>link</a></p>", "1 < 2 and bold link"),
        ("<table><tr><td>Order</td><td>4711</td></tr></table>", "Order 4711"),
        ("  <!DOCTYPE html><html><head><title>T</title></head><body>Text</body></html>", "Text"),
        ("<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>", "<script>alert(1)</script>"),
    ],
)
def test_the_words_of_a_mail(mail: str, words: str) -> None:
    assert plain(mail) == words


@pytest.mark.parametrize(
    "text",
    ["It leaks.\nNobody comes.", "<script>alert(1)</script>", "I wrote <b> and it was gone", "a < b > c", "<3 you", ""],
)
def test_what_is_no_mail_stays(text: str) -> None:
    assert plain(text) == text


def test_a_mail_without_a_word_keeps_what_came() -> None:
    assert plain("<div><img src=x></div>") == "<div><img src=x></div>"
