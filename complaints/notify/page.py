"""The one HTML page around every letter: calm, readable without images or scripts, and the same words as the text."""

from __future__ import annotations

from html import escape

_PAGE = """<!DOCTYPE html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title></head>
<body style="margin:0;padding:24px 12px;background:#f4f5f6">
<div style="max-width:36em;margin:0 auto;padding:28px 32px;background:#fff;border-radius:6px;\
color:#222;font:16px/1.7 -apple-system,'Segoe UI','PingFang SC','Microsoft YaHei',sans-serif">
{body}
</div></body></html>
"""


def as_html(text: str, *, language: str, title: str, link: str = "") -> str:
    """`text` as a page: blank lines part paragraphs, line ends stay, and only `link` becomes a link.

    Addresses inside quoted words are left as text, so that nobody's words become a link under our name.
    """
    paragraphs = [p.strip("\n") for p in text.replace("\r\n", "\n").split("\n\n")]
    body = "\n".join(
        f'<p style="margin:0 0 1em">{_linked(escape(p), escape(link)).replace(chr(10), "<br>")}</p>'
        for p in paragraphs
        if p.strip()
    )
    return _PAGE.format(language=escape(language), title=escape(title), body=body)


def _linked(paragraph: str, link: str) -> str:
    if not link:
        return paragraph
    anchor = f'<a href="{link}" style="color:#1558a6;word-break:break-all">{link}</a>'
    return paragraph.replace(link, anchor)
