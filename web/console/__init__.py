"""The console: where agents, leads, managers and auditors work. Server-rendered; scripts add speed only."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from web.console import (
    account,
    account_totp,
    admin_audit,
    admin_canned,
    admin_keys,
    admin_outbox,
    admin_people,
    admin_policy,
    approvals,
    case,
    case_actions,
    case_clocks,
    case_files,
    case_links,
    case_steps,
    case_timeline,
    components,
    dashboards,
    disposals,
    inbox,
    inbox_export,
    inbox_views,
    knowledge,
    letter,
    oidc,
    pages,
    palette,
    presence,
    record,
    signing_in,
    team,
)
from web.console.pages import Screen
from web.console.route import told

Console = pages.Console
__all__ = ["Console", "router", "told"]

router = APIRouter(prefix="/console", tags=["console"], include_in_schema=False)
for part in (
    inbox,  # tried in this order: what is asked for most comes first
    case,
    signing_in,
    oidc,
    account,
    account_totp,
    admin_audit,
    admin_canned,
    admin_keys,
    admin_outbox,
    admin_people,
    admin_policy,
    approvals,
    case_actions,
    case_clocks,
    case_files,
    case_links,
    case_steps,
    case_timeline,
    components,
    dashboards,
    disposals,
    inbox_export,
    inbox_views,
    knowledge,
    record,
    palette,
    letter,
    presence,
    team,
):
    router.include_router(part.router)


@router.get("")
def start(request: Request) -> Response:
    """The inbox is where the day begins."""
    return Screen(request).go("/console/inbox")
