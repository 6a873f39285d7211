"""The console under load: 50 people at work on 1,000,000 complaints, database and web process on two cores.

    python -m bench.console --home /some/folder --seconds 60

`--home` is a folder that `bench.console_data` filled; without it a smaller company is made first. Each person asks for
a page, reads for some seconds, asks for the next; lists look for new work every five seconds as the script in the
page does. Times are those of the whole answer as the browser's side of the connection sees it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx

from bench import console_data
from bench.product import ROOT, Row, free_port, p95
from deployments.stack import embedded_postgres

#: What people open, how often, and the target in milliseconds (p95); dashboards are for those who lead.
PAGES = {
    "inbox": (34, 150.0),
    "complaint": (36, 150.0),
    "search": (20, 300.0),
    "dashboard": (60, 500.0),
}
_VIEWS = ["mine", "team", "unassigned", "near", "waiting", "all"]
_WORDS = [
    "退款",
    "洗衣机",
    "王芳 12",
    "heater",
    "insurance claim",
    "Anna Berg",
    "断网",
    "charged twice",
    "Order 4711",
    "保险理赔材料",
]
_DASHBOARDS = ["", "/timeliness", "/causes", "/satisfaction"]
#: Seconds that somebody reads before the next page, on average.
READS = 6.0
POLLS = 5.0
_REFERENCE = re.compile(r"/console/complaints/(C\d\d-\d{6,}-\d)")


@contextmanager
def serving(home: Path, cores: list[int]) -> Iterator[str]:
    """PostgreSQL and the web process on `cores`; the address of the latter."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)  # children inherit it
    server = embedded_postgres.start(home / "database")
    port = free_port()
    env = os.environ | {
        "COMPLAINTS_HOME": str(home / "web"),
        "COMPLAINTS_DATABASE_URL": server.dsn("complaints"),
        "COMPLAINTS_WEB_PORT": str(port),
        "COMPLAINTS_PREFECT_API": "http://127.0.0.1:9/api",
    }
    web = subprocess.Popen([sys.executable, "-m", "web"], cwd=ROOT, env=env)
    os.sched_setaffinity(0, sorted(mine - set(cores)) or cores)
    try:
        base = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                httpx.get(f"{base}/console/sign-in", timeout=2)
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield base
    finally:
        web.send_signal(signal.SIGTERM)
        web.wait(20)
        server.stop()
        os.sched_setaffinity(0, mine)


async def signed_in(client: httpx.AsyncClient, login: str) -> httpx.Response:
    """What comes of login and password, in the page that asks for them."""
    page = await client.get("/console/sign-in", params={"next": "/console/inbox"})
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    return await client.post("/console/sign-in", data=hidden | {"login": login, "password": console_data.PASSWORD})


class Person:
    """Somebody at the console."""

    def __init__(self, base: str, login: str, times: dict[str, list[float]]) -> None:
        self.login, self.times = login, times
        self.client = httpx.AsyncClient(base_url=base, timeout=30)
        self.chance = random.Random(login)
        self.seen: list[str] = []
        self.place = "/console/inbox"

    async def sign_in(self) -> None:
        """Password, session."""
        answer = await signed_in(self.client, self.login)
        assert answer.status_code == 303, (self.login, answer.status_code)

    async def work(self, until: float) -> None:
        """Open pages, read them; look for new work in between."""
        await asyncio.sleep(self.chance.uniform(0, READS))
        while time.monotonic() < until:
            await self.open()
            reads = self.chance.uniform(0.5, 1.5) * READS
            while reads > 0 and time.monotonic() < until:
                await asyncio.sleep(min(reads, POLLS))
                reads -= POLLS
                if reads > 0 and self.place.startswith("/console/inbox"):
                    await self.ask("pulse", self.place.replace("/inbox", "/inbox/pulse", 1))
        await self.client.aclose()

    async def open(self) -> None:
        """One page."""
        pages = [page for page in PAGES if page != "dashboard" or not self.login.startswith("agent")]
        page = self.chance.choices(pages, [PAGES[page][0] for page in pages])[0]
        if page == "complaint" and not self.seen:
            page = "inbox"
        if page == "inbox":
            self.place = f"/console/inbox?view={self.chance.choice(_VIEWS)}"
        elif page == "complaint":
            self.place = f"/console/complaints/{self.chance.choice(self.seen)}"
        elif page == "search":
            self.place = f"/console/inbox?view=all&q={quote(self.chance.choice(_WORDS))}"
        else:
            self.place = f"/console/dashboards{self.chance.choice(_DASHBOARDS)}"
        html = await self.ask(page, self.place)
        self.seen = (_REFERENCE.findall(html) + self.seen)[:100]

    async def ask(self, kind: str, path: str) -> str:
        """One request, timed."""
        began = time.perf_counter()
        answer = await self.client.get(path)
        self.times[kind].append((time.perf_counter() - began) * 1000)
        assert answer.status_code in (200, 204, 304), (path, answer.status_code, answer.text[:300])
        return answer.text


async def crowd(base: str, people: int, seconds: float) -> dict[str, list[float]]:
    """Everybody at work for so long; milliseconds by kind of page."""
    times: dict[str, list[float]] = defaultdict(list)
    logins = ["manager", *[f"lead-{t}" for t in ("orders", "payments", "credit", "service")]]
    logins += [f"agent{n}" for n in range(people - len(logins))]
    crew = [Person(base, login, times) for login in logins]
    for person in crew:
        await person.sign_in()
    began = time.monotonic()
    await asyncio.gather(*[person.work(began + seconds) for person in crew])
    return times


async def first_load(base: str) -> float:
    """Kilobytes, compressed, that a browser fetches for its first inbox: page, styles, scripts."""
    async with httpx.AsyncClient(base_url=base, timeout=30, follow_redirects=True) as client:
        page = await signed_in(client, "agent0")
        size = page.num_bytes_downloaded
        for path in set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)):
            size += (await client.get(path)).num_bytes_downloaded
    return size / 1000


def measure(home: Path, people: int = 50, seconds: float = 60) -> tuple[list[Row], dict[str, dict[str, float]]]:
    """The figures of the console."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    with serving(home, cores) as base:
        asyncio.run(crowd(base, people, 25))  # caches of a system that has been up for a while
        times = asyncio.run(crowd(base, people, seconds))
        load = asyncio.run(first_load(base))
    rows = [
        Row(
            f"{page} page, {people} people at work, p95",
            p95(times[page]),
            "ms",
            f"≤ {most:.0f}",
            p95(times[page]) <= most,
        )
        for page, (_, most) in PAGES.items()
    ]
    rows.append(Row("first load of the inbox, compressed", load, "kB", "≤ 200", load <= 200))
    more = {
        kind: {"count": float(len(found)), "median": sorted(found)[len(found) // 2], "worst": max(found)}
        for kind, found in times.items()
    }
    return rows, more


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--home", type=Path, default=None)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--people", type=int, default=50)
    options = parser.parse_args()
    home = options.home
    if home is None:
        home = Path(tempfile.mkdtemp(prefix="complaints-console-"))
        with console_data.company(home) as desk:
            console_data.staff(desk)
            console_data.fill(desk, 100_000, 10_000)
    rows, more = measure(home, options.people, options.seconds)
    for row in rows:
        print(f"{'✓' if row.met else '✗'} {row.name:55} {row.value:10.2f} {row.unit:12} must be {row.target}")
    for name, values in more.items():
        print(f"  {name}: " + ", ".join(f"{k} {v:.1f}" for k, v in sorted(values.items())))
    print(json.dumps({r.name: round(r.value, 2) for r in rows}))


if __name__ == "__main__":
    main()
