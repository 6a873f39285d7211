"""`python -m deployments.warm_worker --pool complaints --name warm-1`: one worker process, as the supervisor starts it.

SIGTERM or SIGINT drains it (exit code 0); a second one ends it at once.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import threading
from types import FrameType

from deployments.warm_worker.flows import preload
from deployments.warm_worker.worker import WarmWorker


def main() -> int:
    """Run until told to stop."""
    options = _options()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if not os.environ.get("PREFECT_API_URL"):
        raise SystemExit("PREFECT_API_URL is not set: give the address of the Prefect server's API.")
    for package in options.preload:
        preload(package)
    gc.collect()
    gc.freeze()  # what was imported lives as long as the process: do not look at it in every collection
    gc.set_threshold(20_000, 20, 20)
    return _serve(options)


def _serve(options: argparse.Namespace) -> int:
    # The engine would install its own SIGTERM handler on the main thread, so the loop lives in another one.
    failure: list[BaseException] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    worker: list[WarmWorker] = []

    async def work() -> None:
        worker.append(
            WarmWorker(
                options.pool,
                work_queues=options.queue,
                name=options.name,
                heartbeat_interval_seconds=10,
                concurrency=options.concurrency,
                drain=options.drain,
                poll=options.poll,
            )
        )
        ready.set()
        await worker[0].start()

    def body() -> None:
        try:
            loop.run_until_complete(work())
        except BaseException as error:
            failure.append(error)
        finally:
            ready.set()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if not worker or worker[0]._stopping.is_set():
            os._exit(128 + number)
        loop.call_soon_threadsafe(worker[0].stop)

    thread = threading.Thread(target=body, name="warm-worker")
    thread.start()
    ready.wait()
    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    while thread.is_alive():
        thread.join(0.5)
    if failure:
        logging.getLogger("complaints.worker").critical("the worker ended: %r", failure[0], exc_info=failure[0])
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deployments.warm_worker", description=__doc__)
    parser.add_argument("--pool", default="complaints", help="work pool (created if missing)")
    parser.add_argument("--name", default=f"warm-{os.getpid()}", help="unique in the pool")
    parser.add_argument("--queue", action="append", default=[], help="only this queue; may be repeated")
    parser.add_argument("--concurrency", type=int, default=20, help="segments at a time")
    parser.add_argument("--drain", type=float, default=8.0, help="seconds to finish segments after SIGTERM")
    parser.add_argument("--poll", type=float, default=2.0, help="seconds between polls when nothing happens")
    parser.add_argument("--preload", action="append", default=None, help="packages to import first (default: flows)")
    options = parser.parse_args()
    options.preload = options.preload if options.preload is not None else ["flows"]
    return options


if __name__ == "__main__":
    raise SystemExit(main())
