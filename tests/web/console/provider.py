"""A small OpenID Connect provider on loopback: real HTTP, real signatures; each test may make it lie in one way."""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT, SECRET = "complaints-console", "a secret of the client"


@dataclass
class Provider:
    """Signs in whoever `user` says. `lies` replace claims of the next ID token."""

    port: int = 0
    user: dict[str, Any] = field(
        default_factory=lambda: {"sub": "u-1", "email": "li@example.com", "email_verified": True}
    )
    lies: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"}))
    signer: Any = None  #: signs instead of the published key
    algorithm: str = "RS256"
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    down: bool = False

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def rotate(self, kid: str) -> None:
        """From now on another key signs, and only that one is published."""
        self.key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce, **self.user}
        claims = {k: v for k, v in (claims | self.lies).items() if v is not None}
        signer = self.signer or self.key
        header = {"alg": self.algorithm, "kid": self.key.kid}
        return jwt.encode(header, claims, signer, algorithms=[self.algorithm])


def application(provider: Provider) -> FastAPI:
    app = FastAPI()

    @app.middleware("http")
    async def away(request: Request, go_on: Any) -> Response:
        answer: Response = Response(status_code=503) if provider.down else await go_on(request)
        return answer

    @app.get("/.well-known/openid-configuration")
    def discovery() -> dict[str, Any]:
        return {
            "issuer": provider.issuer,
            "authorization_endpoint": f"{provider.issuer}/authorize",
            "token_endpoint": f"{provider.issuer}/token",
            "jwks_uri": f"{provider.issuer}/keys",
        }

    @app.get("/keys")
    def keys() -> dict[str, Any]:
        return {"keys": [provider.key.as_dict(private=False)]}

    @app.get("/authorize")
    def authorize(request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["client_id"] == CLIENT
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        provider.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?code={code}&state={asked['state']}", 302)

    @app.post("/token")
    def token(
        request: Request, code: str = Form(), redirect_uri: str = Form(), code_verifier: str = Form()
    ) -> Response:
        expected = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = provider.codes.pop(code, None)
        digest = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).decode().rstrip("=")
        if (
            asked is None
            or request.headers.get("authorization") != expected
            or asked["redirect_uri"] != redirect_uri
            or asked["code_challenge"] != digest
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        access = secrets.token_urlsafe(16)
        return JSONResponse(
            {"access_token": access, "token_type": "Bearer", "id_token": provider.id_token(asked["nonce"])}
        )

    return app


@contextmanager
def running(provider: Provider) -> Iterator[Provider]:
    """The provider, listening on a free port until the block ends."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        provider.port = listening.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(application(provider), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield provider
        server.should_exit = True
        thread.join(5)


def shared_secret() -> OctKey:
    """What an attacker would sign with who takes the client's secret for a key."""
    return OctKey.import_key(SECRET)
