"""The REST API, under `/api/v1`."""

from __future__ import annotations

from fastapi import APIRouter

from web.api import actions, attachments, complaints, operations, people, tasks
from web.api.present import PREFIX

router = APIRouter(prefix=PREFIX)
for _part in (complaints, actions, tasks, attachments, people, operations):
    router.include_router(_part.router)
