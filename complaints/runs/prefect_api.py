"""The flow runs of complaints, over Prefect's REST API with httpx alone: the web process need not load Prefect.

Every call may be repeated. `Retryable` means the server is away or overloaded and nothing is lost; `Permanent` means
that it refuses and will refuse again (wrong address, wrong credentials, no such deployment).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal
from uuid import UUID

import httpx

from complaints.domain.errors import Permanent, Retryable

#: The deployment whose runs carry complaints, as `flow/deployment`.
DEPLOYMENT = "complaint/complaint"
#: Field that tells the gate that the row holds the outcome, so the form need not be filled in.
WOKEN = "woken"
_BUSY = frozenset({"RUNNING", "PENDING"})
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_PAGE = 200

Wake = Literal["woken", "not_waiting", "running", "gone"]


class PrefectRuns:
    """Starts, wakes, cancels and looks up runs. Keeps its connections; safe to share between threads."""

    def __init__(
        self, base_url: str, auth: str | None = None, timeout: float = 10.0, *, deployment: str = DEPLOYMENT
    ) -> None:
        """`base_url` ends in `/api`; `auth` is Prefect's shared `user:password` string; `timeout` in seconds."""
        user, _, password = (auth or "").partition(":")
        self._http = httpx.Client(
            base_url=base_url.rstrip("/"),
            auth=httpx.BasicAuth(user, password) if auth else None,
            timeout=timeout,
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=20, keepalive_expiry=4.0),
        )
        self._deployment = deployment
        self._deployment_id: str | None = None
        self._lock = threading.Lock()
        self._waking = [threading.Lock() for _ in range(32)]

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def ensure(
        self,
        complaint_id: UUID,
        name: str,
        tags: Sequence[str],
        queue: str,
        *,
        parameters: dict[str, Any] | None = None,
    ) -> UUID:
        """The id of the run named `name` of this complaint, created if there is none.

        The complaint and the name are the idempotency key: a later round of the same complaint has another name.
        """
        body = {
            "name": name,
            "tags": list(tags),
            "work_queue_name": queue,
            "parameters": parameters if parameters is not None else {"complaint_id": str(complaint_id)},
            "idempotency_key": f"{complaint_id}:{name}",
            "enforce_parameter_schema": False,
        }
        for _ in range(3):
            path = f"/deployments/{self._find_deployment()}/create_flow_run"
            made = self._send("POST", path, body, none_if=(404, 409))
            if made is not None:
                return UUID(made["id"])
            # another caller is just making the same run (or its queue), or the deployment was made anew: look again
            self._deployment_id = None
        raise Retryable(f"Prefect could not create the run {name}: it conflicts with another request.")

    def wake(self, run_id: UUID, gate: str = "") -> Wake:
        """Make a run that is suspended look at its row again, whichever gate it waits at, or only at `gate`.

        One call, decided by the server in one transaction: of parallel wake-ups and answers in Prefect's own form one
        is accepted. `running`: a segment is under way, which may or may not have read the row before it changed, so
        ask again soon. `not_waiting`: it will read the row by itself, or has ended. `gone`: Prefect does not know it.
        """
        answer = {WOKEN: True, **({"gate": gate} if gate else {})}
        try:
            with self._waking[run_id.int % len(self._waking)]:  # side by side, the server answers all but one with 500
                result = self._send("POST", f"/flow_runs/{run_id}/resume", {"run_input": answer}, none_if=(409,))
        except Retryable:
            # 500 is also for a run that it does not know, or that another process woke at the same moment
            state = self.state(run_id)
            if state == "PAUSED":
                raise
            return _unwoken(state)
        if result is None:
            return "not_waiting"  # another wake-up or the form came first, after our row was saved
        if result["status"] == "ACCEPT" or (_form_is_lost(result) and self._resume_plainly(run_id)):
            return "woken"
        state = self.state(run_id)
        if state == "PAUSED" and not gate:
            return "running"  # it was when we asked, and has suspended since: it may have read the row before
        return _unwoken(state)

    def _resume_plainly(self, run_id: UUID) -> bool:
        """Resume a run whose form is gone (Prefect's database does not wait for its disk): it cannot be answered."""
        run = self._send("GET", f"/flow_runs/{run_id}", none_if=(404,))
        if run is None or run["state_type"] != "PAUSED":
            return False
        # of several who found the same suspension one resumes it: the server refuses a transition id it has just seen
        details = {"transition_id": run["state_id"]}
        state = {"type": "SCHEDULED", "name": "Resuming", "state_details": details}
        answer = self._send("POST", f"/flow_runs/{run_id}/set_state", {"state": state, "force": False})
        return bool(answer["status"] == "ACCEPT")

    def cancel(self, run_id: UUID) -> None:
        """End the run: at once while it waits, after its segment while it runs; ended or unknown: nothing."""
        body = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": False}
        self._send("POST", f"/flow_runs/{run_id}/set_state", body, none_if=(404,))

    def find_run(self, complaint_id: UUID, name: str) -> UUID | None:
        """The run that `ensure` made for this complaint and name, or None."""
        body = {"flow_runs": {"idempotency_key": {"any_": [f"{complaint_id}:{name}"]}}, "limit": 1}
        found = self._send("POST", "/flow_runs/filter", body)
        return UUID(found[0]["id"]) if found else None

    def state(self, run_id: UUID) -> str | None:
        """Type of the run's state (SCHEDULED, RUNNING, PAUSED, COMPLETED …); None when Prefect does not know it."""
        run = self._send("GET", f"/flow_runs/{run_id}", none_if=(404,))
        return None if run is None else str(run["state_type"])

    def states(self, run_ids: Iterable[UUID]) -> dict[UUID, str]:
        """State type of each of these runs; those Prefect does not know are left out."""
        return {UUID(run["id"]): str(run["state_type"]) for run in self._runs(run_ids)}

    def messages(self, run_ids: Iterable[UUID]) -> dict[UUID, str]:
        """What the state of each of these runs says: of a failed one, why. Those that say nothing are left out."""
        said = {UUID(run["id"]): str((run.get("state") or {}).get("message") or "") for run in self._runs(run_ids)}
        return {run_id: message for run_id, message in said.items() if message}

    def _runs(self, run_ids: Iterable[UUID]) -> Iterator[dict[str, Any]]:
        for page in _pages([str(run_id) for run_id in run_ids]):
            yield from self._send("POST", "/flow_runs/filter", {"flow_runs": {"id": {"any_": page}}, "limit": _PAGE})

    def waiting(self) -> int:
        """How many runs of the deployment are suspended."""
        flow, name = self._deployment.split("/")
        body = {
            "flows": {"name": {"any_": [flow]}},
            "deployments": {"name": {"any_": [name]}},
            "flow_runs": {"state": {"type": {"any_": ["PAUSED"]}}},
        }
        return int(self._send("POST", "/flow_runs/count", body))

    def _find_deployment(self) -> str:
        with self._lock:
            if self._deployment_id is None:
                found = self._send("GET", f"/deployments/name/{self._deployment}", none_if=(404,))
                if found is None:
                    raise Retryable(f"Prefect has no deployment {self._deployment} yet; the stack creates it at start.")
                self._deployment_id = str(found["id"])
            return self._deployment_id

    def _send(self, method: str, path: str, body: Any = None, *, none_if: tuple[int, ...] = ()) -> Any:
        try:
            try:
                response = self._http.request(method, path, json=body)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                # the server had closed this kept connection; every call may be repeated
                response = self._http.request(method, path, json=body)
        except httpx.TransportError as error:
            raise Retryable(f"The Prefect server does not answer ({error!r}).") from error
        code = response.status_code
        if code in none_if:
            return None
        if code in _AGAIN:
            raise Retryable(f"The Prefect server answered {code} to {method} {path}.")
        if code in (401, 403):
            raise Permanent("The Prefect server refuses our credentials: check the shared auth string.")
        if response.is_error:
            raise Permanent(f"The Prefect server answered {code} to {method} {path}: {response.text[:300]}")
        return response.json() if response.content else None


def _form_is_lost(result: dict[str, Any]) -> bool:
    """Whether the server refused to resume a run because it has no form to check the answer against."""
    return "schema not found" in str((result.get("details") or {}).get("reason"))


def _unwoken(state: str | None) -> Wake:
    """What a run in this state, which does not wait, will do about its row."""
    if state is None:
        return "gone"
    return "running" if state in _BUSY else "not_waiting"


def _pages(items: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), _PAGE):
        yield items[start : start + _PAGE]
