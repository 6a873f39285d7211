"""Mail that was written as HTML, as the plain text that it says.

Everything kept and shown here is plain text, so nothing of a sender's markup ever reaches a browser or a letter.
"""

from __future__ import annotations

import re
from html import unescape

import nh3

_IS_HTML = re.compile(r"\s*(?:<!doctype html|<(?:html|head|body|div|p|br|table|span|font|meta)\b[^<>]*>)", re.I)
_BREAKS = re.compile(r"<(?:br|/p|/div|/tr|/li|/h[1-6]|/blockquote)\b[^<>]*>", re.I)
_TAGS = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "td", "th"})
_UNSEEN = {"script", "style", "title"}


def plain(text: str) -> str:
    """The words of an HTML mail with a line for each of its blocks; any other text as it is.

    Only what begins with a tag of a mail program is taken for HTML: a customer may well write about `<b>`.
    """
    if not _IS_HTML.match(text):
        return text
    one_line = text.replace("\r", " ").replace("\n", " ")
    kept = nh3.clean(one_line, tags=set(_TAGS), clean_content_tags=_UNSEEN, attributes={})
    kept = _BREAKS.sub("\n", kept).replace("</td>", " ").replace("</th>", " ")
    words = unescape(re.sub(r"<[^<>]*>", "", kept)).replace("\u00a0", " ")
    lines = [" ".join(line.split()) for line in words.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() or text
