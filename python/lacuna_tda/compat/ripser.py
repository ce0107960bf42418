"""``from lacuna_tda.compat.ripser import ripser`` in place of ripser.py's function.

It takes the same arguments and returns the same dictionary. Three things are refused with a
ValueError: coefficients other than Z/2 (``coeff``), cocycles (``do_cocycles=True``), and points
that are born later than at 0 (numbers on the diagonal of a distance matrix).
"""

from __future__ import annotations

import warnings
from typing import Any, Callable

import numpy as np

from .._compute import barcode
from ._distances import pairwise, square_of


def greedy_order(distances: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Farthest-point sampling from point 0 on: the first of the farthest points is next.

    Returns the points in the order of their choice, the rows of their distances, and the covering
    radius, within which every point has a chosen one.
    """
    chosen, to_chosen = [0], distances[0].copy()
    for _ in range(1, most):
        chosen.append(int(np.argmax(to_chosen)))
        np.minimum(to_chosen, distances[chosen[-1]], out=to_chosen)
    return np.array(chosen), distances[chosen], float(to_chosen.max())


def ripser(
    X: Any,
    maxdim: int = 1,
    thresh: float = np.inf,
    coeff: int = 2,
    distance_matrix: bool = False,
    do_cocycles: bool = False,
    metric: str | Callable[..., float] = "euclidean",
    n_perm: int | None = None,
) -> dict[str, Any]:
    """The barcode of ``X`` as ripser.py returns it.

    The keys are ``dgms`` (an array of shape (bars, 2), float64, for each dimension), ``cocycles``
    (empty lists), ``num_edges`` (edges that entered), ``dperm2all`` (distances of the points that
    were looked at to all points), ``idx_perm`` (their numbers) and ``r_cover`` (the covering radius
    of a sample, else 0).

    Raises ValueError for what the module's documentation names, and for input that makes no sense.
    """
    if coeff != 2:
        raise ValueError(f"coeff={coeff}: this engine computes over Z/2 alone, which is coeff=2")
    if do_cocycles:
        raise ValueError("do_cocycles=True: this engine finds cycles, not cocycles")
    sparse = hasattr(X, "tocoo")
    if not sparse:
        X = np.asarray(X)
        if X.ndim == 2 and not distance_matrix:
            if X.shape[0] == X.shape[1]:
                warnings.warn(
                    "the input matrix is square, and its rows are taken for points: "
                    "distance_matrix=True reads distances",
                    stacklevel=2,
                )
            elif X.shape[0] < X.shape[1]:
                warnings.warn(
                    "there are more columns than rows, and each row is taken for a point",
                    stacklevel=2,
                )
    if sparse:
        if n_perm is not None:
            raise ValueError("a sparse matrix cannot be sampled: drop n_perm")
        if X.shape[0] != X.shape[1]:
            raise ValueError("Distance matrix is not square")
        found = barcode(X, maxdim, threshold=thresh)
        coo = X.tocoo()
        entered = int(((coo.row < coo.col) & (coo.data <= thresh)).sum())
        n, shown, order, radius = X.shape[0], X, np.arange(X.shape[0]), 0.0
    else:
        distances = square_of(X) if distance_matrix else pairwise(X, metric)
        n = len(distances)
        shown, order, radius = distances, np.arange(n), 0.0
        if n_perm is not None:
            if n_perm > n:
                raise ValueError(
                    f"{n_perm} points in greedy permutation is greater than the {n} that are given"
                )
            if n_perm < 1:
                raise ValueError(f"n_perm is {n_perm}: Should be a strictly positive number")
            order, shown, radius = greedy_order(distances, n_perm)
            distances = shown[:, order]
        found = barcode(distances, maxdim, metric="precomputed", threshold=thresh)
        upper = distances[np.triu_indices(len(distances), 1)]
        end = distances.max(1).min() if np.isinf(thresh) and len(distances) else thresh
        entered = int((upper <= end).sum())
    return {
        "dgms": [d.astype(np.float64) for d in found.diagrams],
        "cocycles": [[] for _ in found.diagrams],
        "num_edges": entered,
        "dperm2all": shown,
        "idx_perm": order,
        "r_cover": radius,
    }
