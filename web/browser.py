"""The browser before a page: our cookies in it, and the signed slip that guards each form without a session.

Where somebody is signed in, a form carries the token of their session. All other forms carry a slip: signed by us, made
for this one form and for the browser that was given it, which a cookie tells from all others (a signed double-submit
token). Another site can neither read a slip nor have a browser send that cookie with a form of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response
from itsdangerous import BadSignature, URLSafeSerializer

from config.wiring import App

#: How long a form may stay open before it must be sent again.
OPEN_FOR = timedelta(hours=12)
#: What tells a browser from others. It is worth nothing by itself: nobody is signed in by it.
_MARK = "browser"


@dataclass(frozen=True)
class Slip:
    """What a form carries: its own key, for which form and browser it was made, and when (seconds since 1970)."""

    key: str
    form: str
    browser: str
    at: int

    def age(self, now: datetime) -> timedelta:
        """How long ago the form was opened."""
        return timedelta(seconds=now.timestamp() - self.at)


class Slips:
    """Makes and reads slips. HMAC-SHA-256 by itsdangerous, keyed by the installation's secret."""

    def __init__(self, secret: str) -> None:
        self._signer = URLSafeSerializer(secret, salt="form", signer_kwargs={"digest_method": hashlib.sha256})

    def make(self, form: str, mark: str, now: datetime, key: str = "") -> str:
        """A slip for `form` in the browser with this mark; with `key`, for the same form again."""
        return str(self._signer.dumps([key or secrets.token_urlsafe(12), form, _digest(mark), int(now.timestamp())]))

    def read(self, text: str) -> Slip | None:
        """The slip, if we made it."""
        try:
            key, form, browser, at = self._signer.loads(text)
            return Slip(str(key), str(form), str(browser), int(at))
        except (BadSignature, ValueError, TypeError):
            return None


def _digest(mark: str) -> str:
    return hashlib.sha256(mark.encode()).hexdigest()[:32]


class Jar:
    """Our cookies: kept from scripts and from what other sites send; where there is https, bound to it and to this host
    (`__Host-`, RFC 6265bis), so that no neighbour under the same domain can set them."""

    def __init__(self, public_url: str) -> None:
        self.https = public_url.startswith("https:")
        #: As Starlette takes them.
        self.properties: dict[str, Any] = {"path": "/", "samesite": "lax", "secure": self.https, "httponly": True}

    def name(self, name: str) -> str:
        """What the cookie is called in the browser."""
        return f"__Host-{name}" if self.https else name

    def read(self, request: Request, name: str) -> str:
        """What the browser sent; empty for nothing."""
        return request.cookies.get(self.name(name), "")

    def put(self, response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
        """Give the browser a cookie, for so long or until it is closed."""
        response.set_cookie(self.name(name), value, max_age=seconds, **self.properties)

    def drop(self, response: Response, name: str) -> None:
        """Take the cookie away. A browser heeds that only if it is said with the properties of the cookie."""
        response.delete_cookie(self.name(name), **self.properties)


class Browsers:
    """What the browsers of one installation have in common."""

    def __init__(self, product: App) -> None:
        self.product = product
        self.slips = Slips(product.settings.secret())
        self.jar = Jar(product.settings.link_base)
        self._public = urlsplit(product.settings.link_base).netloc

    def foreign(self, request: Request) -> bool:
        """Whether the browser says that a page of another site sent this. It says so with every form (`Origin`)."""
        origin = request.headers.get("origin", "")
        if not origin:
            return request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
        said = urlsplit(origin)
        ours = said.netloc in (request.headers.get("host", ""), self._public)
        return not ours or (self.jar.https and said.scheme != "https")


class Browser:
    """The browser that sent one request.

    `framed`: its page stands in a frame on another site, where browsers keep our cookies back. A slip is then bound to
    the form and the time alone: there is no authority in such a browser that somebody else could borrow.
    """

    def __init__(self, request: Request, *, framed: bool = False) -> None:
        self._all: Browsers = request.app.state.browsers
        self.jar = self._all.jar
        self._request, self._framed = request, framed
        self._mark = "" if framed else self.jar.read(request, _MARK)
        #: Whether we can tell it from others.
        self.known = framed or bool(self._mark)

    def slip(self, form: str, key: str = "") -> str:
        """The hidden field of a form."""
        if not self._framed:
            self._mark = self._mark or secrets.token_urlsafe(16)
        return self._all.slips.make(form, self._mark, self._all.product.store.now(), key)

    def returned(self, form: str, text: str, within: timedelta = OPEN_FOR) -> tuple[Slip | None, bool]:
        """The slip that came back, and whether it was made for this form and browser, not too long ago, and was sent
        from a page of ours."""
        slip = self._all.slips.read(text)
        if slip is None or not self.made_for(slip, form):
            return slip, False
        ours = self._framed or not self._all.foreign(self._request)
        return slip, ours and slip.age(self._all.product.store.now()) <= within

    def made_for(self, slip: Slip, form: str) -> bool:
        """Whether the slip was made for this form in this browser, however long ago."""
        return self.known and slip.form == form and hmac.compare_digest(slip.browser, _digest(self._mark))

    def settle(self, response: Response) -> None:
        """With a page that has a slip: the cookie that belongs to it, where the browser has none yet."""
        if self._mark and not self.known:
            self.jar.put(response, _MARK, self._mark)
