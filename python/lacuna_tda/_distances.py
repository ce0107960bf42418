"""Distances between diagrams."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import _core


def _diagram(bars: Any) -> np.ndarray:
    if hasattr(bars, "diagrams"):
        raise TypeError("a diagram is needed: give barcode.diagram(1), or of another dimension")
    array = np.asarray(bars, np.float64)
    if not array.size:
        return np.empty((0, 2))
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"a diagram must have the shape (bars, 2), not {array.shape}")
    if np.isnan(array).any() or not np.isfinite(array[:, 0]).all():
        raise ValueError("a diagram holds births that are not finite, or a death that is no number")
    if (array[:, 1] < array[:, 0]).any():
        raise ValueError("a diagram holds a bar that dies before it is born")
    return array


def _endless(a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    """How far bars that never die are apart, paired in the order of their births; None if there
    are more in one diagram than in the other."""
    births = [np.sort(bars[np.isinf(bars[:, 1]), 0]) for bars in (a, b)]
    return np.abs(births[0] - births[1]) if len(births[0]) == len(births[1]) else None


def wasserstein(a: Any, b: Any, order: float = 2.0) -> float:
    """The Wasserstein distance of an order, 1 or more, between two diagrams of one dimension, each
    of shape (bars, 2).

    It is the least sum of powers of distances over all ways to pair bars with each other and with
    the diagonal, and the root of that sum; distances are by the maximum norm. Bars that never die
    are paired in the order of their births; it is infinite if they have different numbers of such bars. Exact.
    """
    if not (math.isfinite(order) and order >= 1):
        raise ValueError(f"order={order}: a finite number, 1 or more, is needed")
    a, b = _diagram(a), _diagram(b)
    endless = _endless(a, b)
    if endless is None:
        return math.inf
    finite = _core.wasserstein(a, b, float(order))
    return float((finite**order + (endless**order).sum()) ** (1 / order))


def bottleneck(a: Any, b: Any) -> float:
    """The bottleneck distance between two diagrams of one dimension, each of shape (bars, 2).

    It is the least distance within which every bar can be paired with one of the other diagram or
    with the diagonal, by the maximum norm. Bars that never die are paired in the order of their
    births; it is infinite if they have different numbers of such bars. Exact.
    """
    a, b = _diagram(a), _diagram(b)
    endless = _endless(a, b)
    if endless is None:
        return math.inf
    return float(max(_core.bottleneck(a, b), endless.max(initial=0)))
