"""The REST API, under `/api/v1`."""

from __future__ import annotations

from fastapi import APIRouter

from web.api import actions, attachments, clocks, complaints, operations, people, tasks, track
from web.api.present import PREFIX

router = APIRouter(prefix=PREFIX)
for _part in (complaints, actions, tasks, attachments, clocks, people, operations, track):
    router.include_router(_part.router)
