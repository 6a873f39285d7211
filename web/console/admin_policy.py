"""Policy versions: which were in force when, who put them there, what they say, and what differs between two."""

from __future__ import annotations

import json

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.errors import NotFound
from complaints.domain.policy import PolicyBundle
from config import policy as loader
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import Auditor
from web.console.sheet import sheet
from web.language import N_

router = APIRouter(route_class=PageRoute)


@router.get("/admin/policy")
def versions(screen: Auditor) -> Response:
    """All versions, the one to come or in force first."""
    book = screen.product.policies
    active = book.active(screen.product.store.now()).hash
    return screen.page("admin_policy.html", versions=book.versions(), active=active, now=screen.product.store.now())


@router.get("/admin/policy.csv")
def versions_csv(screen: Auditor) -> Response:
    """The same as a file."""
    book = screen.product.policies
    active = book.active(screen.product.store.now()).hash
    columns = [N_("Name"), N_("Version"), N_("In force"), N_("In force from"), N_("Activated"), N_("By")]
    rows = [
        (v.name, v.hash, v.hash == active, v.effective_from, v.activated_at, v.activated_by) for v in book.versions()
    ]
    return sheet(screen, "policies", columns, rows)


@router.get("/admin/policy/diff")
def diff(screen: Auditor, old: str = "", new: str = "") -> Response:
    """What differs between two of them."""
    if not old or not new:
        return screen.go("/console/admin/policy", screen.speech.say(N_("Choose two versions to compare.")), tone="note")
    rows = _differences(screen, old, new)
    book = screen.product.policies
    known = {one.hash: one for one in book.versions()}
    active = book.active(screen.product.store.now()).hash
    return screen.page("admin_policy_diff.html", rows=rows, old=known[old], new=known[new], active=active)


@router.get("/admin/policy/diff.csv")
def diff_csv(screen: Auditor, old: str = "", new: str = "") -> Response:
    """The same as a file."""
    rows = _differences(screen, old, new) if old and new else []
    return sheet(screen, "policy-diff", [N_("Where"), N_("Before"), N_("After")], rows)


@router.get("/admin/policy/{hash}")
def version(screen: Auditor, hash: str) -> Response:
    """What one version says."""
    bundle = _bundle(screen, hash)
    content = bundle.model_dump(mode="json", exclude={"name", "hash"})
    sections = [(name, json.dumps(part, ensure_ascii=False, indent=2)) for name, part in content.items()]
    return screen.page("admin_policy_version.html", bundle=bundle, sections=sections)


def _differences(screen: Screen, old: str, new: str) -> list[tuple[str, str, str]]:
    return [(path, _told(a), _told(b)) for path, a, b in loader.diff(_bundle(screen, old), _bundle(screen, new))]


def _bundle(screen: Screen, digest: str) -> PolicyBundle:
    if digest not in {v.hash for v in screen.product.policies.versions()}:
        raise NotFound("policy version", digest)
    return screen.product.policies.get(digest)


def _told(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
