"""`complaints up`: the whole system in the foreground."""

from __future__ import annotations

import signal
import time
from contextlib import suppress

from config.settings import load_settings
from deployments.commands.output import out
from deployments.stack.supervisor import Stack

_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def up() -> None:
    """Start the whole system and stay; Ctrl-C stops it.

    PostgreSQL (embedded, unless COMPLAINTS_DATABASE_URL is set), the Prefect server, the workers and the web process.
    What dies is started again. Logs are in `log/` of the state folder.
    """
    began = time.monotonic()
    stack = Stack(load_settings(), say=lambda line: out.print(f"  {line}", highlight=False, soft_wrap=True))
    for number in _ENDINGS:
        signal.signal(number, lambda *_: _interrupt())
    out.print(f"Starting on {stack.home}", highlight=False, soft_wrap=True)
    with suppress(KeyboardInterrupt), stack:
        announce(stack, time.monotonic() - began)
        stack.watch()
    out.print("Stopped.")


def _interrupt() -> None:
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)  # stopping is under way; a second Ctrl-C changes nothing
    raise KeyboardInterrupt


def announce(stack: Stack, seconds: float) -> None:
    """Say where everything is."""
    urls = stack.urls()
    rows = {
        "Console": urls["console"],
        "Portal": urls["portal"],
        "API": f"{urls['api']}  (documentation: {urls['docs']})",
        "Health": urls["health"],
        "Prefect UI": f"{urls['prefect']}  (user complaints, password in secrets/prefect_password)",
        "State": f"{stack.home}  (logs in log/, letters in outgoing/)",
    }
    out.print(f"[bold green]Ready in {seconds:.1f} s.[/bold green]")
    for name, where in rows.items():
        out.print(f"  {name:10} {where}", highlight=False, soft_wrap=True)
    if stack.first_admin is not None:
        login, password = stack.first_admin
        out.print("[bold]First sign-in at the console, shown this once:[/bold]")
        out.print(f"  login      {login}\n  password   {password}  (to be changed at once)", highlight=False)
    out.print("Ctrl-C stops it.")
