"""Calling integrators when things change: one POST per intent, with the intent's key so that a repeat is recognised."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from complaints.domain.errors import Permanent, Retryable

#: Seconds for the whole call.
TIMEOUT = 10.0


class HttpHook:
    """POSTs JSON. 2xx is done; 408, 425, 429 and 5xx are tried again; any other answer will not get better."""

    def __init__(self) -> None:
        self._client = httpx.Client(timeout=TIMEOUT, follow_redirects=False)

    def call(self, url: str, key: str, payload: Mapping[str, object]) -> None:
        """POST `payload` to `url`."""
        try:
            answer = self._client.post(url, json=dict(payload), headers={"Idempotency-Key": key})
        except httpx.HTTPError as error:
            raise Retryable(f"webhook {url}: {type(error).__name__}: {error}") from error
        if answer.is_success:
            return
        text = f"webhook {url} answered {answer.status_code}"
        if answer.status_code in (408, 425, 429) or answer.status_code >= 500:
            raise Retryable(text)
        raise Permanent(text)
