"""Ports for servers that tests start: each test process has its own range, so that two never pick the same."""

from __future__ import annotations

import itertools
import os
import socket

_SIZE = 400
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_numbers = itertools.count(os.getpid() % _SIZE)


def free_port() -> int:
    """A port nobody listens on, and none given out before in this process (until the range is used up)."""
    for number in itertools.islice(_numbers, _SIZE):
        port = 15_000 + _worker * _SIZE + number % _SIZE
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise RuntimeError("all ports of this test process are in use")
