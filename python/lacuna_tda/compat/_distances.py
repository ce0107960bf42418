"""Distance matrices as the packages that are stood for make them."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np


def square_of(matrix: Any) -> np.ndarray:
    """A dense distance matrix that has been checked.

    Raises ValueError if it is not square, or if numbers on its diagonal say that points are born
    later than at 0.
    """
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError("Distance matrix is not square")
    if np.diagonal(matrix).any():
        raise ValueError("numbers on the diagonal, the births of points, must be 0 here")
    return matrix


def pairwise(points: Any, metric: str | Callable[..., float]) -> np.ndarray:
    """All distances between points: by SciPy for the metrics that it knows and for functions."""
    points = np.asarray(points)
    if points.ndim != 2:
        raise ValueError(f"points must have the shape (points, features), not {points.shape}")
    if metric in ("euclidean", "l2"):
        squares = ((points[:, None] - points[None]) ** 2).sum(-1) if points.size < 1 << 16 else None
        if squares is not None:
            return np.sqrt(squares)
    try:
        from scipy.spatial.distance import pdist, squareform
    except ImportError as why:
        raise ValueError(f"the metric {metric!r} needs SciPy, which is not installed") from why
    names = {"l2": "euclidean", "l1": "cityblock", "manhattan": "cityblock"}
    return squareform(pdist(points, names.get(metric, metric)))
