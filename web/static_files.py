"""Style sheets, scripts and pictures: read once, compressed once, addressed by their content so they never go stale."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from complaints.domain.errors import NotFound

_FOLDER = Path(__file__).resolve().parent / "static"
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_YEAR = 31_536_000


@dataclass(frozen=True)
class StaticFile:
    """One file, plain and compressed."""

    kind: str
    data: bytes
    packed: bytes
    mark: str


@cache
def files() -> dict[str, StaticFile]:
    """All files by name."""
    found = {}
    for path in sorted(_FOLDER.iterdir()):
        data = path.read_bytes()
        mark = hashlib.sha256(data).hexdigest()[:12]
        found[path.name] = StaticFile(_KINDS[path.suffix], data, gzip.compress(data, mtime=0), mark)
    return found


def address(name: str) -> str:
    """Where a page finds the file; changes with its content."""
    return f"/static/{name}?v={files()[name].mark}"


router = APIRouter(tags=["static"])


@router.get("/static/{name}", name="static", include_in_schema=False)
def static(request: Request, name: str) -> Response:
    """One file, for a year when asked for by its present content."""
    file = files().get(name)
    if file is None:
        raise NotFound("file", name)
    fresh = request.query_params.get("v") == file.mark
    headers = {
        "Cache-Control": f"public, max-age={_YEAR}, immutable" if fresh else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, media_type=file.kind, headers={**headers, "Content-Encoding": "gzip"})
    return Response(file.data, media_type=file.kind, headers=headers)
