"""The plot: CPU time that an answer costs each server, as bars on a logarithmic scale."""

from collections.abc import Iterator, Sequence
from html import escape
from math import log10
from pathlib import Path
from statistics import median

from measure import Case
from workbench import DECK

_FIGURE = "CPU us/req"
_WIDTH, _LEFT, _RIGHT, _BAR, _TITLE = 860, 230, 130, 20, 44
_OURS, _THEIRS = "#2563eb", "#9ca3af"

Bars = list[tuple[str, float]]


def save(cases: Sequence[Case], file: Path) -> None:
    """A panel for each case of hits; nothing if there is none."""
    panels = {case.name: _bars(case) for case in cases if _is_drawn(case)}
    if panels:
        file.write_text("\n".join(_drawn(panels)) + "\n")


def _is_drawn(case: Case) -> bool:
    return " hit" in case.name and any(figure.name == _FIGURE for figure in case.figures)


def _bars(case: Case) -> Bars:
    """Cheapest first."""
    column = [figure.name for figure in case.figures].index(_FIGURE)
    found = {side: median(row[column] for row in rows) for side, rows in case.sides.items()}
    return sorted(found.items(), key=lambda pair: pair[1])


def _drawn(panels: dict[str, Bars]) -> Iterator[str]:
    height = sum(_TITLE + _BAR * len(bars) for bars in panels.values()) + 50
    values = [value for bars in panels.values() for _, value in bars]
    low, high = log10(min(values)) - 0.3, log10(max(values))

    def width(value: float) -> float:
        return (log10(max(value, 1e-3)) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        ' font-family="system-ui, sans-serif" font-size="13">'
    )
    yield f'<rect width="{_WIDTH}" height="{height}" fill="white"/>'
    top = 26
    yield _text(
        12, top, "Microseconds of CPU for an answer (logarithmic; shorter is better)", "bold"
    )
    for name, bars in panels.items():
        yield _text(12, top + 28, name, "600")
        top += _TITLE - 8
        for side, value in bars:
            yield from _bar(top, side, value, width(value))
            top += _BAR
        top += 8
    yield "</svg>"


def _bar(top: int, side: str, value: float, width: float) -> Iterator[str]:
    colour = _OURS if side.startswith(DECK) else _THEIRS
    yield _text(_LEFT - 8, top + 14, side, "normal", "end")
    place = f'x="{_LEFT}" y="{top + 3}" width="{width:.1f}" height="{_BAR - 6}"'
    yield f'<rect {place} fill="{colour}"/>'
    yield _text(_LEFT + width + 6, top + 14, f"{value:,.1f}", "normal")


def _text(x: float, y: float, text: str, weight: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y}" font-weight="{weight}" text-anchor="{anchor}"'
        f' fill="#111827">{escape(text)}</text>'
    )
