"""`python -m deployments.warm_worker --pool complaints --name warm-1`: one worker process, as the supervisor starts it.

SIGTERM or SIGINT drains it (exit code 0); a second one ends it at once.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import threading
import time
from types import FrameType

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError

from config.garbage import collect_seldom
from deployments.warm_worker.flows import preload
from deployments.warm_worker.worker import WarmWorker

_log = logging.getLogger("complaints.worker")


def main() -> int:
    """Run until told to stop."""
    options = _options()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if not os.environ.get("PREFECT_API_URL"):
        raise SystemExit("PREFECT_API_URL is not set: give the address of the Prefect server's API.")
    for package in options.preload:
        preload(package)
    collect_seldom()
    return _serve(options)


def _serve(options: argparse.Namespace) -> int:
    # The engine would install its own SIGTERM handler on the main thread, so the loop lives in another one.
    serving = _Serving(options)
    thread = threading.Thread(target=serving.run, name="warm-worker")
    thread.start()
    serving.ready.wait()
    signal.signal(signal.SIGTERM, serving.on_signal)
    signal.signal(signal.SIGINT, serving.on_signal)
    while not serving.finished.wait(0.5):
        pass
    if serving.failure is not None:
        _log.critical("the worker ended: %r", serving.failure, exc_info=serving.failure)
    thread.join(1.0)
    if thread.is_alive():  # a call that blocks in a thread cannot be ended: its segment has been handed back
        _log.warning("left a blocking call behind")
        logging.shutdown()
        os._exit(0)
    return 0 if serving.failure is None else 1


class _Serving:
    """The worker on a loop of its own."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self.worker = WarmWorker(
            options.pool,
            work_queues=options.queue,
            name=options.name,
            heartbeat_interval_seconds=10,
            concurrency=options.concurrency,
            drain=options.drain,
            poll=options.poll,
            share=options.share,
        )
        self.ready, self.finished = threading.Event(), threading.Event()
        self.failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = False

    def run(self) -> None:
        try:
            asyncio.run(self._work())
        except BaseException as error:
            self.failure = error
        finally:
            self.ready.set()
            self.finished.set()

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.ready.set()
        await self._until_registered()
        await self.worker.start()
        self.finished.set()

    async def _until_registered(self) -> None:
        """Wait for the server and its pool: both may be starting beside us. What then still lacks is made, or told."""
        options, until = self._options, time.monotonic() + self._options.wait
        async with get_client() as client:
            while not self._told and time.monotonic() < until:
                try:
                    await client._client.get(f"/work_pools/{options.pool}")
                except (httpx.HTTPError, PrefectHTTPStatusError):
                    await asyncio.sleep(0.2)
                else:
                    return

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._told or self._loop is None:
            os._exit(128 + number)
        self._told = True
        self._loop.call_soon_threadsafe(self.worker.stop)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deployments.warm_worker", description=__doc__)
    parser.add_argument("--pool", default="complaints", help="work pool (created if missing)")
    parser.add_argument("--name", default=f"warm-{os.getpid()}", help="unique in the pool")
    parser.add_argument("--queue", action="append", default=[], help="only this queue; may be repeated")
    parser.add_argument("--concurrency", type=int, default=20, help="segments at a time")
    parser.add_argument("--drain", type=float, default=8.0, help="seconds to finish segments after SIGTERM")
    parser.add_argument("--poll", type=float, default=2.0, help="seconds between the pool's polls at rest")
    parser.add_argument("--wait", type=float, default=0.0, help="seconds to wait for the server and its pool")
    parser.add_argument("--share", type=_share, default=(1, 1), help="2/3: second of three workers of this pool")
    parser.add_argument("--preload", action="append", default=None, help="packages to import first (default: flows)")
    options = parser.parse_args()
    options.preload = options.preload if options.preload is not None else ["flows"]
    return options


def _share(text: str) -> tuple[int, int]:
    number, _, of = text.partition("/")
    if not (number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 2/3")
    return int(number), int(of)


if __name__ == "__main__":
    raise SystemExit(main())
