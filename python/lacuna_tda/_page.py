"""One page on which points, barcode and diagram are linked."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core

if TYPE_CHECKING:
    from ._barcode import Barcode

_MOST_POINTS = 10_000
# The shortest edges, which the slider of scale draws.
_MOST_EDGES = 20_000


def page(barcode: "Barcode", points: Any, title: str) -> str:
    """The page as text: see :meth:`lacuna_tda.Barcode.to_html`."""
    if barcode.n > _MOST_POINTS:
        raise ValueError(f"a page shows up to {_MOST_POINTS} points, and these are {barcode.n}")
    template, style, script = _core.page()
    counts = ", ".join(
        f"{len(bars)} bar{'' if len(bars) == 1 else 's'} in dimension {dim}"
        for dim, bars in enumerate(barcode.diagrams)
    )
    about = f"{barcode.n} points, metric {barcode.metric}: {counts}."
    from . import __version__

    parts = {
        "{{TITLE}}": html.escape(title),
        "{{ABOUT}}": html.escape(about),
        "{{FOOT}}": f"Made with lacuna_tda {__version__}.",
        "{{STYLE}}": style,
        "{{SCRIPT}}": script,
        # A script's text ends where a tag would begin.
        "{{DATA}}": json.dumps(_data(barcode, points), separators=(",", ":")).replace(
            "<", "\\u003c"
        ),
    }
    # In one pass: what was filled in may look like a placeholder.
    return re.sub("{{[A-Z]+}}", lambda found: parts[found.group()], template)


def _data(barcode: "Barcode", points: Any) -> dict[str, Any]:
    rounded = lambda array: [[_number(x) for x in row] for row in array]
    data: dict[str, Any] = {
        "n": barcode.n,
        "bars": [rounded(bars) for bars in barcode.diagrams],
        "edges": barcode.simplices and [edges.tolist() for edges in barcode.simplices],
        "cycles": _cycles(barcode),
        **dict.fromkeys(("points", "axes", "nearest"), None),
        "whole": False,
        "threshold": _number(barcode.threshold),
    }
    if points is None:
        return data
    if hasattr(points, "detach"):
        points = points.detach().cpu()
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or len(points) != barcode.n:
        raise ValueError(
            f"points of shape {points.shape} are not the {barcode.n} that the barcode is of"
        )
    places, data["axes"] = _in_sight(points)
    data["points"] = rounded(places)
    if barcode.metric in _LENGTHS:
        lengths, ends, data["whole"] = _shortest(points, barcode.metric)
        data["nearest"] = {"ends": ends.ravel().tolist(), "lengths": [_number(x) for x in lengths]}
    return data


def _number(x: float) -> float | None:
    """A number with the digits that a page needs; None never dies."""
    return float(f"{x:.7g}") if np.isfinite(x) else None


def _cycles(barcode: "Barcode") -> dict[str, Any]:
    """The cycles under the places of their bars."""
    found: dict[str, Any] = {}
    for cycle in barcode.cycles or []:
        bars = barcode.diagram(1)
        same = np.flatnonzero((bars[:, 0] == cycle.birth) & (bars[:, 1] == cycle.death))
        place = next((str(i) for i in same if str(i) not in found), None)
        if place is not None:
            found[place] = cycle.edges.tolist()
    return found


def _in_sight(points: np.ndarray) -> tuple[np.ndarray, str]:
    """Where points are drawn, and what the axes are: their own coordinates, up to three, or else
    the three principal axes."""
    features = points.shape[1]
    if features <= 3:
        # Around their middle, so that rounding keeps what tells points apart.
        middle = points - (points.min(0) + points.max(0)) / 2
        padded = np.pad(middle, ((0, 0), (0, max(0, 2 - features))))
        return padded, "The coordinates as they are"
    centred = points - points.mean(0)
    _, size, axes = np.linalg.svd(centred, full_matrices=False)
    share = 100 * (size[:3] ** 2).sum() / max((size**2).sum(), 1e-300)
    held = f"{share:.0f} % of the variance of {features} coordinates"
    words = f"The three principal axes, which hold {held}"
    return centred @ axes[:3].T, words


_LENGTHS = {
    "euclidean": lambda d: np.sqrt((d**2).sum(-1)),
    "sqeuclidean": lambda d: (d**2).sum(-1),
    "cityblock": lambda d: np.abs(d).sum(-1),
    "chebyshev": lambda d: np.abs(d).max(-1, initial=0),
}


def _shortest(points: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray, bool]:
    """The shortest edges, ascending: lengths, ends, and whether these are all."""
    lengths, ends, waiting = [], [], 0
    for i in range(1, len(points)):
        lengths.append(_LENGTHS[metric](points[:i] - points[i]))
        ends.append(np.column_stack([np.arange(i), np.full(i, i)]))
        waiting += i
        if waiting > 8 * _MOST_EDGES or i == len(points) - 1:
            all_lengths, all_ends = np.concatenate(lengths), np.concatenate(ends)
            order = np.argsort(all_lengths, kind="stable")[:_MOST_EDGES]
            lengths, ends, waiting = [all_lengths[order]], [all_ends[order]], len(order)
    if not lengths:
        return np.empty(0), np.empty((0, 2), np.int64), True
    whole = len(lengths[0]) == len(points) * (len(points) - 1) // 2
    return lengths[0], ends[0], whole
