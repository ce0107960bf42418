"""Distance matrices as the packages that are stood for make and read them."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np


def only_two(coeff: int, name: str = "coeff") -> None:
    """Refuses fields other than Z/2."""
    if coeff != 2:
        raise ValueError(f"{name}={coeff}: this engine computes over Z/2 alone, which is {name}=2")


def check_square(matrix: Any) -> None:
    """Refuses a distance matrix, dense or sparse, that is not square."""
    if len(matrix.shape) != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError("Distance matrix is not square")


def mirrored(square: np.ndarray) -> np.ndarray:
    """A matrix whose lower triangle is that of the upper one, which is all that is read."""
    square = np.asarray(square)
    check_square(square)
    upper = np.triu(square, 1)
    return upper + upper.T + np.diag(np.diagonal(square))


def upper_entries(matrix: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and numbers of a sparse matrix with every pair once, row <= column.

    Where both triangles hold a pair, the upper one is read.
    """
    coo = matrix.tocoo()
    row, column = np.minimum(coo.row, coo.col), np.maximum(coo.row, coo.col)
    # Of equal pairs the one of the upper triangle comes first, and the first one stays.
    order = np.lexsort((coo.row > coo.col, column, row))
    row, column, data = row[order], column[order], coo.data[order]
    first = np.ones(len(row), bool)
    first[1:] = (row[1:] != row[:-1]) | (column[1:] != column[:-1])
    return row[first], column[first], data[first]


def pairwise(
    points: Any, metric: str | Callable[..., float], params: dict[str, Any] | None = None
) -> np.ndarray:
    """All distances between points, float64: by SciPy, or by scikit-learn for metrics of its own."""
    points = np.asarray(points, np.float64)
    if points.ndim != 2:
        raise ValueError(f"points must have the shape (points, features), not {points.shape}")
    params = params or {}
    small = len(points) * points.size < 1 << 20
    if metric in ("euclidean", "l2") and not params and small:
        return np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
    try:
        from scipy.spatial.distance import pdist, squareform
    except ImportError as why:
        raise ValueError(f"the metric {metric!r} needs SciPy, which is not installed") from why
    names = {"l2": "euclidean", "l1": "cityblock", "manhattan": "cityblock"}
    metric = names.get(metric, metric) if isinstance(metric, str) else metric
    try:
        return squareform(pdist(points, metric, **params))
    except ValueError:
        try:
            from sklearn.metrics.pairwise import PAIRWISE_DISTANCE_FUNCTIONS, pairwise_distances
        except ImportError:
            raise
        if metric not in PAIRWISE_DISTANCE_FUNCTIONS:
            raise
        return pairwise_distances(points, metric=metric, **params)
