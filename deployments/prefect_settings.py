"""Settings of Prefect for each kind of process, and why.

Figures: CPU seconds per lifecycle (7 tasks, 2 human steps) on two cores, from `bench/prefect_floor.py`.
"""

from __future__ import annotations

#: For the server process.
SERVER: dict[str, str] = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}

#: For the worker processes.
WORKER: dict[str, str] = {
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_WORKER_PREFETCH_SECONDS": "0",
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
}

#: For every process that only calls the API.
CLIENT: dict[str, str] = {
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "WARNING",
}

#: For PostgreSQL (`alter system set`). Prefect's database alone also gets `synchronous_commit = off`.
POSTGRES: dict[str, str] = {
    "shared_buffers": "256MB",
    "max_connections": "200",
    "jit": "off",
}
