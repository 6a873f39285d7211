"""`complaints up`: the whole system in the foreground."""

from __future__ import annotations

import signal
import time
from contextlib import suppress

from complaints.services import signin
from config.settings import load_settings
from deployments.commands.output import say
from deployments.stack.supervisor import Stack

#: Said where a command stays.
STOPS = "Ctrl-C stops it."
_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def up() -> None:
    """Start the whole system and stay; Ctrl-C stops it.

    PostgreSQL (embedded, unless COMPLAINTS_DATABASE_URL is set), the Prefect server, the workers and the web process.
    What dies is started again. Logs are in `log/` of the state folder.
    """
    began = time.monotonic()
    stack = Stack(load_settings(), say=say_if_heard)
    for number in _ENDINGS:
        signal.signal(number, lambda *_: _interrupt())
    say(f"Starting on {stack.home}")
    with suppress(KeyboardInterrupt), stack:
        announce(stack, f"Ready in {time.monotonic() - began:.1f} s.")
        say(STOPS)
        stack.watch()
    say("Stopped.")


def say_if_heard(line: str) -> None:
    """Say what the supervisor says. That nobody hears it, on a full disk or in a broken pipe (rich makes an exit of
    that), is no reason to stop what runs.
    """
    with suppress(OSError, SystemExit):
        say(f"  {line}")


def _interrupt() -> None:
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)  # stopping is under way; a second Ctrl-C changes nothing
    raise KeyboardInterrupt


def announce(stack: Stack, headline: str) -> None:
    """Say how far things are, and where everything is."""
    urls = stack.urls()
    rows = {
        "Console": urls["console"],
        "Portal": urls["portal"],
        "API": f"{urls['api']}  (documentation: {urls['docs']})",
        "Health": urls["health"],
        "Prefect UI": f"{urls['prefect']}  (user complaints, password in secrets/prefect_password)",
        "State": f"{stack.home}  (logs in log/, letters in outgoing/)",
    }
    say(headline, "bold green")
    for name, where in rows.items():
        say(f"  {name:10} {where}")
    if stack.first_admin is not None:
        login, password = stack.first_admin
        say("First sign-in at the console, shown this once:", "bold")
        say(f"  login      {login}\n  password   {password}  (to be changed within {signin.TEMPORARY.days} days)")
