"""Settings of Prefect and PostgreSQL for each kind of process, each with its reason and, where measured, its effect.

Effects are shares of the CPU time of one lifecycle (7 tasks, 2 human steps; `bench/prefect_floor.py --set NAME=VALUE`
weighs one), measured side by side on a machine that did other work too: read them to ± 5 points.
"""

from __future__ import annotations

#: For the server process.
SERVER: dict[str, str] = {
    # No telemetry.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # Loads every suspended run every 5 s: 3.2 CPU-s per pass at 20,000. Our gates have no time-out in Prefect.
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
    # Evaluates each event against automations. We have none: our clock escalates. On: see the next one.
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    # Stores each event with all its resources. Off: the Events page of Prefect's screens stays empty; runs, their
    # states, task runs, logs and live updates are kept elsewhere and stay. On, with triggers: server + 20 to 30 %,
    # PostgreSQL + 20 to 30 %, and most of the bytes.
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    # Task runs are built from events; one at a time is one transaction each. An interval below 1 is cut to 0 and burns
    # a core.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    # Ended runs go after the retention period (90 days); off by default, and the database would grow for ever.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    # Connections beyond the pool are closed after use: each costs a password, a look at all types, and the plans of its
    # statements anew. The default is 5; a segment of each of two workers' twenty slots may ask at once.
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "20",
    # Clients keep connections; the default of 5 s closes them under calls that are just being sent.
    "PREFECT_SERVER_API_KEEPALIVE_TIMEOUT": "60",
}

#: For the worker processes.
WORKER: dict[str, str] = {
    "DO_NOT_TRACK": "1",
    # Two log lines per task and two per segment would be shipped to the server and stored.
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # A run is claimed when its time has come, not before: PENDING runs hold slots.
    "PREFECT_WORKER_PREFETCH_SECONDS": "0",
    # One request per client less; the versions are pinned.
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
    # Without an API address fail, instead of starting a private SQLite server.
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    # Segments run in two dozen threads, and the C library would give each a heap of its own: 213 instead of 227 MB
    # after a backlog of a thousand complaints.
    "MALLOC_ARENA_MAX": "2",
}

#: For every other process that loads Prefect and calls the API.
CLIENT: dict[str, str] = {
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
}

#: For PostgreSQL (`alter system set`). Prefect's database alone also gets `synchronous_commit = off`: it can be rebuilt
#: from ours, and a lifecycle has some 25 commits in it.
POSTGRES: dict[str, str] = {
    "shared_buffers": "256MB",
    "max_connections": "200",
    # Prefect's queries are many and small; compiling the larger ones costs more than running them.
    "jit": "off",
}

# Weighed and left out, no effect beyond the noise: uvloop with httptools for the server, a rarer garbage collection.
