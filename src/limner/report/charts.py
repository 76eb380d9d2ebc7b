"""Charts as SVG elements, without a library or script.

`templates/parts.html` renders them. The page's style sheet sets colors and fonts by the class of
each series.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 428, 26, 208  # the plot area
NAMES = 124  # left edge of the plot area if names are left of it

Value = TypeVar("Value")

TAIL = 0.99
"""Quantile of caption lengths; longer captions are counted in the last bar."""


@dataclass(frozen=True)
class Series(Generic[Value]):
    """Named values, and their CSS class."""

    name: str
    style: str
    values: Sequence[Value]


@dataclass(frozen=True)
class Mark:
    """An SVG element with its text and tooltip."""

    tag: str
    attributes: Mapping[str, str]
    text: str = ""
    tip: str = ""


@dataclass(frozen=True)
class Chart:
    """A figure; `about` is its text alternative, `legend` its series."""

    heading: str
    about: str
    legend: Sequence[Series[Any]]
    marks: Sequence[Mark]
    height: float = HEIGHT
    width: float = WIDTH


@dataclass(frozen=True)
class Axis:
    """A linear axis from one pixel to another, with its ticks."""

    ticks: Sequence[float]
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        low, high = self.ticks[0], self.ticks[-1]
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers from at most `low` to at least `high`.

    >>> ticks(0.3, 3.9), ticks(2, 2)
    ([0, 1, 2, 3, 4], [2.0, 2.5])
    """
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(n * power for n in (1, 2, 5, 10) if n * power * count >= span * 0.999)
    step = int(step) if step >= 1 else step
    first = math.floor(low / step)
    last = max(math.ceil(high / step), first + 1)
    return [k * step for k in range(first, last + 1)]


def line_chart(
    heading: str, lines: Sequence[Series[tuple[float, float]]], x_label: str, y_label: str
) -> Chart | None:
    """A line chart; lines of fewer than two points are omitted, None if all are.

    >>> chart = line_chart("Loss", [Series("loss", "model", [(0, 3.0), (1, 1.5)])], "epoch", "nats")
    >>> chart.marks[-1].attributes["d"], chart.about
    ('M44.0,26.0 L428.0,208.0', 'loss from 3.0 to 1.5')
    """
    lines = [line for line in lines if len(line.values) > 1]
    if not lines:
        return None
    xs, ys = zip(*(point for line in lines for point in line.values), strict=True)
    x, y = Axis(ticks(min(xs), max(xs)), LEFT, RIGHT), Axis(ticks(min(ys), max(ys)), BOTTOM, TOP)
    paths = [
        _mark(
            "path", line.style, d="M" + " L".join(f"{x(a):.1f},{y(b):.1f}" for a, b in line.values)
        )
        for line in lines
    ]
    about = "; ".join(
        f"{line.name} from {line.values[0][1]:.1f} to {line.values[-1][1]:.1f}" for line in lines
    )
    marks = [*_rows(y, y_label), *_columns(x, x_label), *paths]
    return Chart(heading, about, lines, marks)


def length_chart(series: Sequence[Series[int]]) -> Chart:
    """Histogram of caption lengths in words, with the bars of all series side by side."""
    lengths = [np.sort(one.values).astype(int) for one in series]
    first = min(each[0] for each in lengths)
    last = max(int(np.quantile(each, TAIL, method="lower")) for each in lengths)
    names = [str(length) for length in range(first, last + 1)]
    names[-1] += "+" if max(each[-1] for each in lengths) > last else ""
    counts = [np.bincount(each.clip(max=last) - first, minlength=len(names)) for each in lengths]
    shares = [100 * each / each.sum() for each in counts]

    y = Axis(ticks(0, max(each.max() for each in shares)), BOTTOM, TOP)
    slot = (RIGHT - LEFT) / len(names)
    width = 0.8 * slot / len(series)
    every = math.ceil(len(names) / 14)  # labels do not overlap
    marks = _rows(y, "% of the captions")
    for i, name in enumerate(names):
        left = LEFT + (i + 0.1) * slot
        if i % every == 0 or i == len(names) - 1:
            marks.append(_text(left + 0.4 * slot, BOTTOM + 16, name, "middle"))
        for j, (one, share) in enumerate(zip(series, shares, strict=True)):
            tip, top = f"{one.name}, {name} words: {share[i]:.1f} %", y(share[i])
            place = {"x": left + j * width, "y": top, "width": width, "height": BOTTOM - top}
            marks.append(_mark("rect", one.style, tip, **place))
    marks.append(_text(RIGHT, BOTTOM + 34, "words", "end"))
    return Chart("Caption lengths", "% of the captions, by number of words", series, marks)


def paired_bars(
    heading: str, names: Sequence[str], series: Sequence[Series[float]], label: str
) -> Chart:
    """Horizontal bars, grouped by name."""
    slot = 22
    floor = TOP + slot * len(names)
    x = Axis(ticks(0, max(max(bars.values) for bars in series)), NAMES, RIGHT)
    marks = _columns(x, label, floor)
    for i, name in enumerate(names):
        marks.append(_text(NAMES - 8, TOP + (i + 0.68) * slot, name, "end"))
        for j, bars in enumerate(series):
            height, width = 0.72 * slot / len(series), x(bars.values[i]) - NAMES
            top = TOP + (i + 0.14) * slot + j * height
            tip = f"{name}, {bars.name}: {bars.values[i]:.1f} %"
            place = {"x": NAMES, "y": top, "width": width, "height": height}
            marks.append(_mark("rect", bars.style, tip, **place))
    return Chart(heading, f"{label}: {', '.join(names)}", series, marks, floor + 42)


def interval_chart(heading: str, rows: Sequence[Series[float]]) -> Chart:
    """Values with intervals: each series is (value, low, high)."""
    slot = 34
    floor = TOP + slot * len(rows)
    x = Axis(ticks(0, max(max(row.values) for row in rows)), NAMES + 16, RIGHT)
    marks = _columns(x, "score and its 95 % interval", floor)
    for i, row in enumerate(rows):
        middle = TOP + (i + 0.5) * slot
        at, low, high = map(x, row.values)
        marks += [
            _text(NAMES + 4, middle + 4, row.name, "end"),
            _mark("line", row.style, x1=low, x2=high, y1=middle, y2=middle),
            _mark("circle", row.style, cx=at, cy=middle, r=5.5),
            _text(at, middle - 9, f"{row.values[0]:.1f}", "middle"),
        ]
    about = "; ".join(f"{row.name} {row.values[0]:.1f}" for row in rows)
    return Chart(heading, about, (), marks, floor + 42)


def _rows(y: Axis, label: str) -> list[Mark]:
    """A grid line and a number at each tick of an upright axis, its label above."""
    marks = [_text(0, 12, label)]
    for tick in y.ticks:
        marks.append(_mark("line", "grid", x1=LEFT, x2=RIGHT, y1=y(tick), y2=y(tick)))
        marks.append(_text(LEFT - 7, y(tick) + 4, f"{tick:,.5g}", "end"))
    return marks


def _columns(x: Axis, label: str, floor: float = BOTTOM) -> list[Mark]:
    """Ticks and label of a horizontal axis."""
    marks = [_text(RIGHT, floor + 34, label, "end")]
    for tick in x.ticks:
        marks.append(_mark("line", "grid", x1=x(tick), x2=x(tick), y1=TOP, y2=floor))
        marks.append(_text(x(tick), floor + 16, f"{tick:,.5g}", "middle"))
    return marks


def _mark(tag: str, style: str, tip: str = "", **attributes: float | str) -> Mark:
    texts = {k: v if isinstance(v, str) else f"{v:.1f}" for k, v in attributes.items()}
    return Mark(tag, {"class": style, **texts}, tip=tip)


def _text(x: float, y: float, text: str, anchor: str = "start") -> Mark:
    return Mark("text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}, text)
