"""`python -m web --host 127.0.0.1 --port 8080`: the web process."""

from __future__ import annotations

import argparse
import threading

import uvicorn

from config.garbage import collect_seldom
from config.wiring import app
from web.app import create_app


def main() -> None:
    """Serve until stopped; requests in flight are finished first."""
    settings = app().settings
    parser = argparse.ArgumentParser(prog="python -m web", description="REST API, console and portal.")
    parser.add_argument("--host", default=settings.host, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=settings.web_port, help="port to listen on (default: %(default)s)")
    given = parser.parse_args()
    served = create_app(app())
    collect_seldom()
    # the lexicons take half a second: the first who submits must not wait for them, nor we, should the database be away
    threading.Thread(target=lambda: app().classifier, name="lexicons", daemon=True).start()
    uvicorn.run(
        served,
        host=given.host,
        port=given.port,
        log_level=settings.log_level.lower(),
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,  # a list looks for news every few seconds: no new connection for that
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
