"""`complaints up`: the whole system in the foreground."""

from __future__ import annotations

import signal
import time

from config.settings import load_settings
from deployments.commands.output import out
from deployments.stack.supervisor import Stack


def up() -> None:
    """Start the whole system and stay; Ctrl-C stops it.

    PostgreSQL (embedded, unless COMPLAINTS_DATABASE_URL is set), the Prefect server, the workers and the web process.
    What dies is started again. Logs are in `log/` of the state folder.
    """
    began = time.monotonic()
    stack = Stack(load_settings(), say=lambda line: out.print(f"  {line}", highlight=False))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _interrupt())
    out.print(f"Starting on {stack.home}")
    try:
        with stack:
            announce(stack, time.monotonic() - began)
            stack.watch()
    except KeyboardInterrupt:
        pass
    out.print("Stopped.")


def _interrupt() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # stopping is under way; a second Ctrl-C changes nothing
    raise KeyboardInterrupt


def announce(stack: Stack, seconds: float) -> None:
    """Say where everything is."""
    urls = stack.urls()
    user, password = stack.settings.prefect_auth().split(":", 1)
    out.print(f"[bold green]Ready in {seconds:.1f} s.[/bold green]")
    out.print(f"  API        {urls['api']}  (documentation: {urls['docs']})", highlight=False)
    out.print(f"  Health     {urls['health']}", highlight=False)
    out.print(f"  Prefect UI {urls['prefect']}  (sign in with {user}:{password})", highlight=False)
    out.print(f"  State      {stack.home}  (logs in log/, letters in outgoing/)", highlight=False)
    out.print("Ctrl-C stops it.")
