"""What a computation returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Cycle(NamedTuple):
    """A cycle that stands for a bar of dimension 1.

    ``edges`` has shape (edges, 2), int64: pairs of point numbers. Every point is on an even number
    of them.
    """

    birth: float
    death: float
    edges: np.ndarray


@dataclass(frozen=True, eq=False)
class Barcode:
    """The bars of every dimension from 0 to the highest that was asked for.

    Bars of length zero are left out. Within a dimension they are ordered by birth, then by death; a
    bar that never dies has the death ``inf``.
    """

    diagrams: list[np.ndarray]
    """``diagrams[d]`` holds the bars of dimension d: shape (bars, 2), float32."""
    n: int
    """Number of points that were looked at."""
    metric: str
    """How the distances were made."""
    threshold: float
    """Longest edge that entered; ``inf`` is the whole filtration."""
    sampled_from: int | None = None
    """Number of points that were given, if the bars are those of a sample of them."""
    covering_radius: float | None = None
    """How far the given point is that is farthest from that sample, if the metric obeys the triangle
    inequality; see :meth:`certain`."""
    simplices: list[np.ndarray] | None = None
    """Of every bar the simplices that make it, if ``edges=True`` was given; see :meth:`edges`."""
    cycles: list[Cycle] | None = None
    """Cycles of the longest bars of dimension 1, if ``cycles=K`` was given."""
    cocycles: list[list[np.ndarray]] | None = None
    """Of every dimension a cocycle for each bar, if ``cocycles=True`` was given: its simplices,
    shape (simplices, dimension + 1), int64. There are none in dimension 0."""

    @property
    def dim(self) -> int:
        """The highest dimension that was computed."""
        return len(self.diagrams) - 1

    def diagram(self, dim: int) -> np.ndarray:
        """Births and deaths of dimension ``dim``: shape (bars, 2), float32."""
        if not 0 <= dim <= self.dim:
            raise ValueError(f"dimension {dim} was not computed: there are 0 to {self.dim}")
        return self.diagrams[dim]

    def edges(self, dim: int) -> np.ndarray:
        """The simplices that make each bar: shape (bars, 4), int64.

        The first two columns are the ends of the edge at the birth (in dimension 0 twice the vertex
        whose component the bar is), the last two the ends of the edge at the death, or -1 where the
        bar never dies. A birth and a death are the lengths of these edges, which is what gradients
        need.

        Raises ValueError if the barcode was computed without ``edges=True``.
        """
        if self.simplices is None:
            raise ValueError("the barcode was computed without edges: give edges=True")
        self.diagram(dim)
        return self.simplices[dim]

    def certain(self, dim: int) -> np.ndarray:
        """Which bars of dimension ``dim`` are certainly bars of all points that were given: shape
        (bars,), bool.

        All are if no sample was taken. Of a sample with the covering radius r those longer than
        2 r are: each begins and ends at most 2 r earlier than it is shown, and every bar of all
        points that is longer than 2 r is among the sample's. Where the metric has no such bound,
        none is. Of a distance matrix the triangle inequality is assumed.
        """
        bars = self.diagram(dim)
        if self.sampled_from is None:
            return np.ones(len(bars), bool)
        if self.covering_radius is None:
            return np.zeros(len(bars), bool)
        seen = np.minimum(bars[:, 1], self.threshold) - bars[:, 0]
        return (seen > 2 * self.covering_radius) | (self.covering_radius == 0)

    def lengths(self, dim: int) -> np.ndarray:
        """Death minus birth of every bar of dimension ``dim``: shape (bars,), float32."""
        bars = self.diagram(dim)
        return bars[:, 1] - bars[:, 0]

    def betti_numbers(self, scale: float) -> list[int]:
        """How many bars of each dimension are alive at a scale: birth <= scale < death."""
        return [int(((b[:, 0] <= scale) & (scale < b[:, 1])).sum()) for b in self.diagrams]

    def betti_curve(self, dim: int) -> tuple[np.ndarray, np.ndarray]:
        """The Betti number of dimension ``dim`` as a step function.

        Returns ``scales`` and ``values``: ``values[i]`` holds from ``scales[i]`` on; before the
        first scale it is 0.
        """
        bars = self.diagram(dim)
        ends = bars[:, 1][np.isfinite(bars[:, 1])]
        at = np.concatenate([bars[:, 0], ends])
        by = np.concatenate([np.ones(len(bars), np.int64), -np.ones(len(ends), np.int64)])
        scales, place = np.unique(at, return_inverse=True)
        steps = np.zeros(len(scales), np.int64)
        np.add.at(steps, place.ravel(), by)
        return scales, np.cumsum(steps)

    def plot(self, ax=None, dims=None):
        """Draws the bars with matplotlib, which has to be installed, and returns the axes.

        ``dims`` chooses dimensions; all are drawn if it is not given.
        """
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1] if ax is None else ax
        dims = range(self.dim + 1) if dims is None else dims
        least, end = _limits(self)
        row = 0
        for d in dims:
            bars = self.diagram(d)
            bars = bars[np.argsort(bars[:, 0], kind="stable")]
            rows = np.arange(row, row + len(bars))
            ax.hlines(rows, bars[:, 0], np.minimum(bars[:, 1], end), color=f"C{d}", label=f"H{d}")
            row += len(bars)
        ax.set(xlim=(least, end), xlabel="diameter", yticks=[])
        ax.legend(loc="lower right")
        return ax

    def to_html(self, points=None, title: str = "Barcode") -> str:
        """One self-contained page on which points, barcode and diagram are linked: what is pointed
        at in one shows in all.

        ``points`` are those of the barcode, shape (points, features); with more than three
        coordinates their principal axes are drawn. With ``edges=True`` the barcode has the edges of
        its bars to show, with ``cycles=K`` the cycles of the longest. A page holds up to 10,000
        points.
        """
        from ._page import page

        return page(self, points, title)

    def _repr_svg_(self) -> str:
        """The bars as a drawing, which notebooks show."""
        return _svg(self)

    def __repr__(self) -> str:
        counts = ", ".join(f"H{d}: {len(b)}" for d, b in enumerate(self.diagrams))
        return f"<Barcode of {self.n} points: {counts}>"


def _limits(barcode: Barcode) -> tuple[float, float]:
    """From where to where bars are drawn: a little beyond their largest end, and from 0 on unless
    some begin before."""
    ends = np.concatenate([b[np.isfinite(b)] for b in barcode.diagrams])
    least, most = float(ends.min(initial=0)), float(ends.max(initial=min(0, ends.min(initial=0))))
    return least, most + 0.05 * ((most - least) or 1.0)


_COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"]


def _svg(barcode: Barcode, width: int = 560, most: int = 60) -> str:
    """The longest bars of each dimension, the first born on top."""
    least, end = _limits(barcode)
    parts, y = [], 8
    for d, bars in enumerate(barcode.diagrams):
        shown = bars[np.argsort(-(np.minimum(bars[:, 1], end) - bars[:, 0]), kind="stable")[:most]]
        shown = shown[np.argsort(shown[:, 0], kind="stable")]
        of = f" (the longest {most} of {len(bars)})" if len(bars) > most else ""
        parts.append(f'<text x="8" y="{y + 10}">H{d}{of}</text>')
        y += 18
        for birth, death in shown:
            ends = (min(float(v), end) for v in (birth, death))
            x0, x1 = (8 + (width - 16) * (v - least) / (end - least) for v in ends)
            colour = _COLOURS[d % len(_COLOURS)]
            parts.append(f'<path d="M{x0:.1f} {y}H{max(x1, x0 + 1):.1f}" stroke="{colour}"/>')
            y += 5
        y += 10
    style = 'font-family="sans-serif" font-size="12" stroke-width="3" fill="currentColor"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" '
        f'viewBox="0 0 {width} {y}" {style}>{"".join(parts)}</svg>'
    )
