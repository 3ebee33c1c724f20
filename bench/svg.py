"""A line plot as SVG: x logarithmic, y linear from 0."""

import math
from collections.abc import Mapping, Sequence
from html import escape

Point = tuple[float, float]

WIDTH, HEIGHT = 640, 380
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 62, 50
NAMES_PER_LINE = 3
COLORS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7d5ba6", "#8a6d3b")
STYLE = (
    "text{font:12px sans-serif;fill:#333}.t{font-size:15px}.g{stroke:#ddd}polyline{fill:none;stroke-width:2}"
)


def nice_step(top: float, steps: int = 5) -> float:
    """1, 2 or 5 times a power of ten, so that about `steps` of them reach `top`."""
    power = 10.0 ** math.floor(math.log10(top / steps))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * steps >= top)


def short(value: float) -> str:
    """12000 as 12k."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


class _Scale:
    """From values to places on the paper."""

    def __init__(self, points: Sequence[Point]) -> None:
        xs = [math.log(x) for x, _ in points]
        self.left, self.span = min(xs), (max(xs) - min(xs)) or 1.0
        self.step = nice_step(max(y for _, y in points) or 1.0)
        self.top = self.step * math.ceil((max(y for _, y in points) or 1.0) / self.step)

    def x(self, value: float) -> float:
        return LEFT + (math.log(value) - self.left) / self.span * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)


def _axes(scale: _Scale, xs: Sequence[float], x_label: str) -> list[str]:
    bottom = HEIGHT - BOTTOM
    parts = []
    for number in range(round(scale.top / scale.step) + 1):
        value = number * scale.step
        y = scale.y(value)
        parts.append(f'<line class="g" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{short(value)}</text>')
    for value in xs:
        parts.append(
            f'<text x="{scale.x(value):.1f}" y="{bottom + 18}" text-anchor="middle">{short(value)}</text>'
        )
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>')
    return parts


def plot(title: str, x_label: str, series: Mapping[str, Sequence[Point]]) -> str:
    """The text of an SVG file. Every x must be above 0."""
    scale = _Scale([point for points in series.values() for point in points])
    xs = sorted({x for points in series.values() for x, _ in points})
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f'<style>{STYLE}</style><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text class="t" x="{LEFT}" y="20">{escape(title)}</text>',
        *_axes(scale, xs, x_label),
    ]
    for number, (name, points) in enumerate(series.items()):
        color = COLORS[number % len(COLORS)]
        places = [(scale.x(x), scale.y(y)) for x, y in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline stroke="{color}" points="{line}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in places]
        below, beside = divmod(number, NAMES_PER_LINE)
        x, y = LEFT + beside * 190, 37 + below * 15
        parts.append(f'<text x="{x}" y="{y}" style="fill:{color}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])
