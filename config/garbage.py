"""Garbage collection in processes that live long or make very many objects."""

from __future__ import annotations

import gc


def collect_seldom() -> None:
    """Never again look through what is there now, and seldom through the rest.

    Measured: a seventh more lifecycles with it in the Prefect server, a quarter less CPU for an import, and the slowest
    answers of the console in half the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
