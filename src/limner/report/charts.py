"""Charts as SVG, in a few lines each, so that a page needs no library and no script.

Colours and fonts come from the page's style sheet: a series names its class there.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 428, 26, 208  # of the field inside the axes
NAMES = 124  # where the field begins when names stand at its left


@dataclass(frozen=True)
class Line:
    """A curve through points (x, y)."""

    name: str
    style: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Bars:
    """A value for each name that the chart has."""

    name: str
    style: str
    values: Sequence[float]


@dataclass(frozen=True)
class Span:
    """A value, and the interval that it lies in."""

    name: str
    style: str
    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """Round numbers in a row, from one pixel to another."""

    ticks: Sequence[float]
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        low, high = self.ticks[0], self.ticks[-1]
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers, about so many, from below `low` to above `high`.

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


def line_chart(heading: str, lines: Sequence[Line], x_label: str, y_label: str) -> str:
    """Curves over one axis; those of fewer than two points are left out, "" if all are.

    >>> chart = line_chart("Loss", [Line("loss", "model", [(0, 3.0), (1, 1.5)])], "epoch", "nats")
    >>> chart.count("<path"), "M44.0,26.0 L428.0,208.0" in chart
    (1, True)
    """
    lines = [line for line in lines if len(line.points) > 1]
    if not lines:
        return ""
    xs, ys = zip(*(point for line in lines for point in line.points), strict=True)
    x, y = Axis([*ticks(min(xs), max(xs))], LEFT, RIGHT), Axis(ticks(min(ys), max(ys)), BOTTOM, TOP)
    paths = (
        f'<path class="{line.style}" d="M'
        + " L".join(f"{x(a):.1f},{y(b):.1f}" for a, b in line.points)
        + '"/>'
        for line in lines
    )
    ends = "; ".join(
        f"{line.name} from {line.points[0][1]:.1f} to {line.points[-1][1]:.1f}" for line in lines
    )
    field = _rows(y, y_label) + _columns(x, x_label) + "".join(paths)
    return _figure(heading, ends, _legend(lines), field, HEIGHT)


def bar_chart(
    heading: str, names: Sequence[str], series: Sequence[Bars], x_label: str, y_label: str
) -> str:
    """Upright bars, those of all series side by side over each name."""
    y = Axis(ticks(0, max(max(bars.values) for bars in series)), BOTTOM, TOP)
    slot = (RIGHT - LEFT) / len(names)
    every = math.ceil(len(names) / 14)  # that names do not touch
    marks = []
    for i, name in enumerate(names):
        left = LEFT + (i + 0.1) * slot
        if i % every == 0 or i == len(names) - 1:
            marks.append(_text(left + 0.4 * slot, BOTTOM + 16, name, "middle"))
        for j, bars in enumerate(series):
            width, top = 0.8 * slot / len(series), y(bars.values[i])
            label = f"{bars.name}, {name} {x_label}: {bars.values[i]:.1f} %"
            marks.append(_bar(bars.style, left + j * width, top, width, BOTTOM - top, label))
    marks.append(_text(RIGHT, BOTTOM + 34, x_label, "end"))
    about = f"{y_label}, by {x_label}"
    return _figure(heading, about, _legend(series), _rows(y, y_label) + "".join(marks), HEIGHT)


def paired_bars(heading: str, names: Sequence[str], series: Sequence[Bars], label: str) -> str:
    """Lying bars, those of all series one under the other beside each name."""
    slot = 22
    floor = TOP + slot * len(names)
    x = Axis(ticks(0, max(max(bars.values) for bars in series)), NAMES, RIGHT)
    marks = []
    for i, name in enumerate(names):
        marks.append(_text(NAMES - 8, TOP + (i + 0.68) * slot, name, "end"))
        for j, bars in enumerate(series):
            height, width = 0.72 * slot / len(series), x(bars.values[i]) - NAMES
            top = TOP + (i + 0.14) * slot + j * height
            tip = f"{name}, {bars.name}: {bars.values[i]:.1f} %"
            marks.append(_bar(bars.style, NAMES, top, width, height, tip))
    field = _columns(x, label, floor) + "".join(marks)
    return _figure(heading, f"{label}: {', '.join(names)}", _legend(series), field, floor + 42)


def interval_chart(heading: str, spans: Sequence[Span]) -> str:
    """Values in a column, each with its interval."""
    slot = 34
    floor = TOP + slot * len(spans)
    highest = max(max(span.interval[1], span.value) for span in spans)
    x = Axis(ticks(0, highest), NAMES + 16, RIGHT)
    marks = []
    for i, span in enumerate(spans):
        middle = TOP + (i + 0.5) * slot
        low, high = span.interval
        marks.append(
            _text(NAMES + 4, middle + 4, span.name, "end")
            + f'<line class="{span.style}" x1="{x(low):.1f}" x2="{x(high):.1f}" '
            f'y1="{middle}" y2="{middle}"/>'
            f'<circle class="{span.style}" cx="{x(span.value):.1f}" cy="{middle}" r="5.5"/>'
            + _text(x(span.value), middle - 9, f"{span.value:.1f}", "middle")
        )
    said = "; ".join(f"{span.name} {span.value:.1f}" for span in spans)
    field = _columns(x, "score and its 95 % interval", floor) + "".join(marks)
    return _figure(heading, said, "", field, floor + 42)


def _figure(heading: str, about: str, legend: str, field: str, height: float) -> str:
    return (
        f'<figure class="chart"><figcaption><h3>{escape(heading)}</h3>{legend}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img">'
        f"<title>{escape(f'{heading}: {about}')}</title>{field}</svg></figure>"
    )


def _legend(series: Iterable[Line | Bars]) -> str:
    keys = "".join(f'<li class="{one.style}">{escape(one.name)}</li>' for one in series)
    return f'<ul class="legend">{keys}</ul>'


def _rows(y: Axis, label: str) -> str:
    """A grid line and a number at each tick of an upright axis, its label above."""
    return _text(0, 12, label) + "".join(
        f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
        + _text(LEFT - 7, y(tick) + 4, f"{tick:,.5g}", "end")
        for tick in y.ticks
    )


def _columns(x: Axis, label: str, floor: float = BOTTOM) -> str:
    """The same of a lying axis, its label below."""
    return _text(RIGHT, floor + 34, label, "end") + "".join(
        f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP}" y2="{floor}"/>'
        + _text(x(tick), floor + 16, f"{tick:,.5g}", "middle")
        for tick in x.ticks
    )


def _bar(style: str, x: float, y: float, width: float, height: float, tip: str) -> str:
    return (
        f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}">'
        f"<title>{escape(tip)}</title></rect>"
    )


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
