"""Every error the product raises on purpose.

::

    ComplaintsError
    ├── Refusal                  the caller can do something about it; never retried by the machine
    │   ├── InvalidInput         a field is wrong (422); carries field problems
    │   ├── NotFound             no such thing, or not visible to this actor (404)
    │   ├── Forbidden            role, team, conflict of interest or four eyes say no (403)
    │   ├── Conflict             the case is elsewhere by now (409)
    │   │   ├── ActionNotAllowed     the transition table refuses the action in this status
    │   │   ├── NotOpen              another complaint would have to be open
    │   │   ├── StaleVersion         somebody saved in between
    │   │   └── AlreadyDone          the step was completed, by whom and when
    │   ├── ContentGateFailed    the response letter lacks what the profile requires (422)
    │   ├── PolicyInvalid        the policy files contradict themselves or the code
    │   ├── LimitExceeded        too large, too many (413)
    │   └── UnsupportedType      a kind of file or content that is not taken (415)
    ├── Retryable                the same call may go through later (provider down, server away)
    └── Permanent                trying again will not help (address refused, template broken)

A bug is any other exception: it is never caught to be hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


class ComplaintsError(Exception):
    """Root of the tree. `code` is stable and machine-readable; `str(error)` is a sentence for a person (English)."""

    code = "error"


class Refusal(ComplaintsError):
    """The request cannot be done as asked; the message says what is wrong and what to do."""

    code = "refused"


@dataclass(frozen=True)
class FieldProblem:
    """One wrong field: `field` is a dotted path as the caller sent it, `message` says what to do about it."""

    field: str
    message: str
    code: str = "invalid"


class InvalidInput(Refusal):
    """One or more fields are wrong."""

    code = "invalid_input"

    def __init__(self, problems: list[FieldProblem] | str, field: str = "") -> None:
        self.problems = [FieldProblem(field, problems)] if isinstance(problems, str) else list(problems)
        super().__init__("; ".join(f"{p.field}: {p.message}" if p.field else p.message for p in self.problems))


class NotFound(Refusal):
    """There is no such thing, or this actor may not know that there is."""

    code = "not_found"

    def __init__(self, kind: str, key: object) -> None:
        self.kind, self.key = kind, str(key)
        super().__init__(f"There is no {kind} {key} that you can see.")


class Forbidden(Refusal):
    """The actor may not do this."""

    code = "forbidden"


class Conflict(Refusal):
    """The world changed; reload and decide again. `field` is what the caller may give otherwise, if it is one."""

    code = "conflict"

    def __init__(self, message: str, field: str = "") -> None:
        self.field = field
        super().__init__(message)


class ActionNotAllowed(Conflict):
    """The transition table refuses `action`; `allowed` lists what can be done instead.

    Because of the `status`, or of what the case `lacks` in it: a phrase such as `no remedy is offered`.
    """

    code = "action_not_allowed"

    def __init__(self, action: str, status: str, allowed: list[str], lacks: str = "") -> None:
        self.action, self.status, self.allowed, self.lacks = action, status, allowed, lacks
        can = ", ".join(allowed) or "nothing"
        if lacks:
            super().__init__(f"'{action}' is not possible now: {lacks}. Possible now: {can}.")
        else:
            super().__init__(f"'{action}' is not possible while the complaint is '{status}'. Possible now: {can}.")


class NotOpen(Conflict):
    """Another complaint, named in `field`, is over, and would have to be open."""

    def __init__(self, reference: str, status: str, field: str) -> None:
        self.reference, self.status = reference, status
        super().__init__(f"{reference} is {status}. Merge into an open complaint, or reopen that one first.", field)


class StaleVersion(Conflict):
    """Somebody saved in between: `expected` is what the caller saw, `actual` what is stored."""

    code = "stale_version"

    def __init__(self, expected: int, actual: int) -> None:
        self.expected, self.actual = expected, actual
        super().__init__(
            f"You worked on version {expected}, but version {actual} has been saved since. Reload and try again."
        )


class AlreadyDone(Conflict):
    """The step is finished; says by whom and when."""

    code = "already_done"

    def __init__(self, what: str, by: str, at: datetime) -> None:
        self.what, self.by, self.at = what, by, at
        super().__init__(f"{what} was already completed by {by} at {at.isoformat(timespec='seconds')}.")


class ContentGateFailed(Refusal):
    """The response letter lacks elements that the profiles of this case require."""

    code = "content_gate"

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        super().__init__(f"The response cannot be sent, it lacks: {', '.join(missing)}. Add them to the letter.")


class PolicyInvalid(Refusal):
    """The policy cannot be used."""

    code = "policy_invalid"


class LimitExceeded(Refusal):
    """Too large or too many; the message names the limit."""

    code = "limit_exceeded"


class UnsupportedType(Refusal):
    """A kind of file or content that is not taken; the message names what is."""

    code = "unsupported_type"


class Retryable(ComplaintsError):
    """Try again later; nothing is lost."""

    code = "retryable"


class Permanent(ComplaintsError):
    """Trying again will not help."""

    code = "permanent"
