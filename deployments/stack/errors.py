"""Refusals of the stack: why the system cannot start or go on, in one sentence that says what to do."""

from __future__ import annotations

from complaints.domain.errors import ComplaintsError


class StackError(ComplaintsError):
    """The system cannot start or go on here; `str(error)` says why and what to do."""

    code = "stack"
