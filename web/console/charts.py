"""Pictures of figures as SVG, made here: bars, stacked bars, lines, Pareto, sparkline.

Colours come from classes (`dash.css`), so dark mode needs nothing more; series differ by pattern, dash and mark as well
as by colour; every picture has a name for screen readers, and every bar and point tells its value as a title.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup, escape

from web.language import Speech

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 44, 14, 44
_WIDE, _HIGH = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
#: No more labels than this stand below a picture.
_LABELS = 12
_MARKS = ("circle", "square", "triangle", "cross")
Say = Callable[[float], str]


@dataclass(frozen=True)
class Series:
    """One named row of values, one for each label; None leaves a gap."""

    name: str
    values: Sequence[float | None]


def scale(values: Iterable[float | None]) -> list[float]:
    """Round numbers from 0 to at least the highest value, about four steps: 0, 25, 50, 75, 100.

    Where all values are counts, so are the steps: nobody complains half a time.
    """
    known = [v for v in values if v is not None]
    most, counts = max(known, default=0), all(isinstance(v, int) for v in known)
    if most <= 0:
        return [0.0, 1.0]
    rough = max(most / 4, 1) if counts else most / 4
    unit = 10.0 ** floor(log10(rough))
    step = next(s for f in (1, 2, 2.5, 5, 10) if (s := unit * f) >= rough and not (counts and s % 1))
    return [step * n for n in range(ceil(most / step - 1e-9) + 1)]


def stacked(speech: Speech, title: str, labels: Sequence[str], series: Sequence[Series], say: Say) -> Markup:
    """Bars on top of each other; with one series plain bars."""
    totals = [sum((s.values[n] or 0) for s in series) for n in range(len(labels))]
    ticks = scale(totals)
    drawn = [_axes(ticks, labels, say)]
    width = _step(labels) * 0.7
    for n, label in enumerate(labels):
        at, base = _middle(labels, n) - width / 2, 0.0
        for kind, one in enumerate(series):
            value = one.values[n] or 0
            if value:
                top = _y(base + value, ticks)
                named = _named(speech, label, one, say(value))
                drawn.append(_bar(at, top, width, _y(base, ticks) - top, kind, named))
            base += value
        if base and len(labels) <= _LABELS:
            drawn.append(_text(_middle(labels, n), _y(base, ticks) - 4, say(base), "value"))
    return _picture(title, drawn, series)


def lines(speech: Speech, title: str, labels: Sequence[str], series: Sequence[Series], say: Say) -> Markup:
    """A line per series, each with its own dash and mark."""
    ticks = scale(v for s in series for v in s.values)
    drawn = [_axes(ticks, labels, say)]
    for kind, one in enumerate(series):
        points = [(_middle(labels, n), _y(v, ticks), labels[n], v) for n, v in enumerate(one.values) if v is not None]
        drawn.append(_line([(x, y) for x, y, _, _ in points], f"l{kind % 4}"))
        few = len(points) <= 40
        drawn += [_mark(x, y, kind, _named(speech, label, one, say(v))) for x, y, label, v in points if few]
    return _picture(title, drawn, series, lines_only=True)


def pareto(speech: Speech, title: str, rows: Sequence[tuple[str, int]], total: int, say: Say, share: Say) -> Markup:
    """Bars in falling order, and the line of their cumulative share (right hand scale, 0 to 100 %)."""
    labels = [name for name, _ in rows]
    ticks = scale(n for _, n in rows)
    drawn = [_axes(ticks, labels, say)]
    width, sum_so_far, points = _step(labels) * 0.7, 0, []
    for n, (name, number) in enumerate(rows):
        sum_so_far += number
        top = _y(number, ticks)
        middle = _middle(labels, n)
        drawn.append(_bar(middle - width / 2, top, width, _y(0, ticks) - top, 0, speech.pair(name, say(number))))
        drawn.append(_text(middle, top - 4, say(number), "value"))
        points.append((middle, _y(sum_so_far / max(total, 1), [0, 1]), name, sum_so_far / max(total, 1)))
    drawn.append(_line([(x, y) for x, y, _, _ in points], "l1"))
    drawn += [_mark(x, y, 1, speech.pair(name, share(part))) for x, y, name, part in points]
    for tick in (0, 0.5, 1):
        drawn.append(_text(WIDTH - _RIGHT + 6, _y(tick, [0, 1]) + 4, share(tick), "tick start"))
    return _picture(title, drawn, [])


def _named(speech: Speech, label: str, one: Series, value: str) -> str:
    """What a bar or point tells: of what, of which series, how much."""
    return speech.pair(speech.series(filter(None, (label, one.name))), value)


def spark(title: str, values: Sequence[float]) -> Markup:
    """A small line without axes, for beside a number."""
    most = max(values, default=0) or 1
    step = 100 / max(len(values) - 1, 1)
    points = [(n * step, 22 - 20 * v / most) for n, v in enumerate(values)]
    return Markup('<svg class="spark" viewBox="0 0 100 24" role="img" aria-label="{}">{}</svg>').format(
        title, _line(points, "l0")
    )


def _picture(title: str, drawn: Sequence[Markup], series: Sequence[Series], *, lines_only: bool = False) -> Markup:
    body = Markup("").join(drawn)
    legend = Markup("")
    if len(series) > 1:
        entries = [
            Markup("<li>{}{}</li>").format(_swatch(kind, lines_only), one.name) for kind, one in enumerate(series)
        ]
        legend = Markup('<ul class="legend" aria-hidden="true">{}</ul>').format(Markup("").join(entries))
    return Markup(
        '<svg class="chart" viewBox="0 0 {w} {h}" role="img" aria-label="{t}"><title>{t}</title>{b}</svg>{l}'
    ).format(w=WIDTH, h=HEIGHT, t=title, b=body, l=legend)


def _swatch(kind: int, lines_only: bool) -> Markup:
    inner = (
        _line([(0, 6), (24, 6)], f"l{kind % 4}") + _mark(12, 6, kind, "")
        if lines_only
        else _bar(6, 0, 12, 12, kind, "")
    )
    return Markup('<svg class="swatch" viewBox="0 0 24 12">{}</svg>').format(inner)


#: Hatching laid over the colours of the second, third and fourth series; once in a page.
PATTERNS = Markup(
    '<svg class="hidden" aria-hidden="true" focusable="false"><defs>'
    '<pattern id="h1" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path class="hatch" d="M0 0V6"/></pattern><pattern id="h2" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<circle class="dot" cx="2.5" cy="2.5" r="1"/></pattern>'
    '<pattern id="h3" width="6" height="6" patternUnits="userSpaceOnUse"><path class="hatch" d="M0 3H6"/></pattern>'
    "</defs></svg>"
)


def _axes(ticks: Sequence[float], labels: Sequence[str], say: Say) -> Markup:
    drawn = []
    for tick in ticks:
        y = _y(tick, ticks)
        drawn.append(Markup('<path class="rule" d="M{} {:.1f}H{}"/>').format(_LEFT, y, WIDTH - _RIGHT))
        drawn.append(_text(_LEFT - 6, y + 4, say(tick), "tick end"))
    every = ceil(len(labels) / _LABELS) or 1
    for n in range(0, len(labels), every):
        for row, words in enumerate(_two_lines(labels[n], _step(labels) * every)):
            drawn.append(_text(_middle(labels, n), HEIGHT - _BOTTOM + 18 + 13 * row, words, "tick"))
    return Markup("").join(drawn)


def _two_lines(label: str, room: float) -> list[str]:
    """A label on at most two lines of `room`; what does not fit ends in an ellipsis (its title tells all of it)."""
    first, *words = label.split(" ")
    lines = [first]
    for word in words:
        longer = f"{lines[-1]} {word}"
        if _long(longer) <= room or len(lines) == 2:
            lines[-1] = longer
        else:
            lines.append(word)
    return [_cut(line, room) for line in lines]


def _cut(line: str, room: float) -> str:
    while _long(line) > room and len(line) > 2:
        line = f"{line.rstrip('…')[:-1]}…"
    return line


def _long(words: str) -> float:
    """About how wide small text is: Chinese characters are twice as wide."""
    return sum(11 if ord(sign) > 0x2E80 else 6 for sign in words)


def _step(labels: Sequence[str]) -> float:
    return _WIDE / max(len(labels), 1)


def _middle(labels: Sequence[str], n: int) -> float:
    return _LEFT + _step(labels) * (n + 0.5)


def _y(value: float, ticks: Sequence[float]) -> float:
    return _TOP + _HIGH * (1 - value / ticks[-1])


def _text(x: float, y: float, words: str, kind: str) -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(kind, x, y, words)


def _bar(x: float, y: float, width: float, height: float, kind: int, named: str) -> Markup:
    box = Markup('x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"').format(x, y, width, height)
    over = Markup('<rect {} fill="url(#h{})"/>').format(box, kind % 4) if kind % 4 else Markup("")
    return Markup('<g><rect class="s{}" {}/>{}{}</g>').format(kind % 4, box, over, _title(named))


def _line(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    path = " ".join(f"{'L' if n else 'M'}{x:.1f} {y:.1f}" for n, (x, y) in enumerate(points))
    return Markup('<path class="line {}" d="{}"/>').format(kind, path)


def _mark(x: float, y: float, kind: int, named: str) -> Markup:
    shape = _MARKS[(kind + kind // 4) % 4]  # the fifth line has the colour of the first, but not its mark
    path = {
        "circle": f"M{x - 3.5:.1f} {y:.1f}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0",
        "square": f"M{x - 3:.1f} {y - 3:.1f}h6v6h-6z",
        "triangle": f"M{x:.1f} {y - 4:.1f}l4 7h-8z",
        "cross": f"M{x - 3:.1f} {y - 1:.1f}h2v-2h2v2h2v2h-2v2h-2v-2h-2z",
    }[shape]
    return Markup('<path class="mark m{}" d="{}">{}</path>').format(kind % 4, path, _title(named))


def _title(named: str) -> Markup:
    return Markup("<title>{}</title>").format(escape(named)) if named else Markup("")
