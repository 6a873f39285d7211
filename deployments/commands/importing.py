"""The import of a file of complaints: in batches, each of them durable, good rows taken and bad rows named."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from channels import mapping
from channels.reader import BadRow, Reader, Row
from complaints.domain.errors import InvalidInput
from complaints.services import intake
from config.garbage import collect_seldom
from config.wiring import app, wall_clock
from deployments.commands.output import OPERATOR, AsJson, emit, err, facts, out, table

#: Bad rows that are shown; all of them are in the file of --errors.
_SHOWN = 20


@dataclass
class Tally:
    """What became of the rows so far."""

    taken: int = 0
    known: int = 0
    bad: int = 0


def import_file(
    file: Annotated[Path, typer.Argument(help="CSV or JSON lines.")],
    map_: Annotated[
        str, typer.Option("--map", help="Mapping: generic, cfpb, or the path of a .toml file.")
    ] = "generic",
    source: Annotated[
        str, typer.Option(help="Name of the system the rows are from; ids are unique within it. Empty: the mapping's.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every row, take none.")] = False,
    encoding: Annotated[str | None, typer.Option(help="E.g. gb18030; without it, found out.")] = None,
    batch: Annotated[int, typer.Option(min=1, max=2000, help="Rows in one transaction.")] = 200,
    errors: Annotated[bool, typer.Option("--errors", help="Write the bad rows to <file>.errors.csv.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take complaints from a file. It may be repeated: rows that were taken before are known and left alone.

    Exit code 0: all rows are good; 2: some are bad, the others were taken; 1: nothing was, the file cannot be used.
    """
    the, tally, shown = app(), Tally(), list[BadRow]()
    collect_seldom()  # thousands of rows live as long as their batch
    began = time.perf_counter()
    with ExitStack() as stack:
        reader = stack.enter_context(_open(file, map_, encoding, source, the.settings.time_zone))
        report = stack.enter_context(_ErrorFile(file) if errors else ExitStack())
        progress = stack.enter_context(_progress(as_json))
        job = progress.add_task(file.name, total=reader.size)
        for rows in _batches(reader, batch):
            good = [row.new for row in rows if isinstance(row, Row)]
            bad = [row for row in rows if isinstance(row, BadRow)]
            if good and not dry_run:
                with the.bulk_store.work(OPERATOR) as work:
                    answers = intake.submit_many(work, good, the.classifier, bulk=True)
                tally.known += sum(not answer.new for answer in answers)
                tally.taken += sum(answer.new for answer in answers)
            elif dry_run:
                tally.taken += len(good)
            tally.bad += len(bad)
            shown += bad[: _SHOWN - len(shown)]
            if isinstance(report, _ErrorFile):
                report.write(bad)
            progress.update(job, completed=reader.position, description=f"{file.name}: {tally.taken + tally.known:,}")
    _tell(file, tally, shown, reader.encoding, time.perf_counter() - began, dry_run, as_json)
    if tally.bad:
        sys.exit(2)


def _open(file: Path, map_: str, encoding: str | None, source: str, zone: str) -> Reader:
    chosen = mapping.load(map_)
    if source:
        try:
            chosen = mapping.MappingFile.model_validate(chosen.model_dump() | {"source": source})
        except ValueError:
            raise InvalidInput("at most 32 small letters, digits, dashes and underscores", "--source") from None
    return Reader(file, chosen, now=wall_clock(), zone=zone, encoding=encoding)


def _batches(rows: Iterable[Row | BadRow], size: int) -> Iterator[list[Row | BadRow]]:
    left = iter(rows)
    while some := list(islice(left, size)):
        yield some


def _progress(quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, transient=True, disable=quiet)


class _ErrorFile:
    """`<file>.errors.csv`: line, column and message of every bad row. UTF-8 with mark, so that Excel reads it."""

    def __init__(self, file: Path) -> None:
        self._file = file.with_name(f"{file.name}.errors.csv").open("w", encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(("line", "column", "message"))

    def __enter__(self) -> _ErrorFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, rows: Iterable[BadRow]) -> None:
        """Add `rows`."""
        self._writer.writerows((row.line, row.column, row.message) for row in rows)


def _tell(
    file: Path, tally: Tally, shown: list[BadRow], encoding: str, seconds: float, dry_run: bool, as_json: bool
) -> None:
    total = tally.taken + tally.known + tally.bad
    result: dict[str, Any] = asdict(tally) | {
        "rows": total,
        "rows_per_second": round(total / seconds, 1),
        "encoding": encoding,
        "dry_run": dry_run,
    }
    if as_json:
        emit(result | {"first_bad": [asdict(row) for row in shown]}, True)
        return
    names = {"good" if dry_run else "taken": tally.taken, "known before": tally.known, "bad": tally.bad}
    out.print(facts(file.name, names | {"rows per second": result["rows_per_second"], "encoding": encoding}))
    if shown:
        rest = f" (the first {len(shown)} of {tally.bad})" if tally.bad > len(shown) else ""
        rows = [(row.line, row.column, row.message) for row in shown]
        out.print(table(f"Bad rows{rest}", ("line", "column", "what is wrong"), rows))
