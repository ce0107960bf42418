"""``from lacuna_tda.compat.gph import ripser_parallel`` in place of giotto-ph's function.

It takes the same arguments and returns the same dictionary, with generators. These are refused with
a ValueError: coefficients other than Z/2 (``coeff``), points that are born later than at 0 (numbers
on the diagonal of a distance matrix, ``weights``), and negative distances.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from .._barcode import Barcode
from .._compute import barcode
from ._distances import pairwise, square_of


def ripser_parallel(
    X: Any,
    maxdim: int = 1,
    thresh: float = np.inf,
    coeff: int = 2,
    metric: str | Callable[..., float] = "euclidean",
    metric_params: dict[str, Any] | None = None,
    nearest_neighbors_params: dict[str, Any] | None = None,
    weights: Any = None,
    weight_params: dict[str, Any] | None = None,
    collapse_edges: bool = False,
    n_threads: int = 1,
    return_generators: bool = False,
) -> dict[str, Any]:
    """The barcode of ``X`` as giotto-ph returns it.

    ``dgms`` holds an array of shape (bars, 2), float32, for each dimension. With
    ``return_generators=True`` the key ``gens`` holds the simplices that make the bars: see
    :func:`generators`. ``collapse_edges`` changes no bar and nothing here; a negative ``n_threads``
    stands for all cores.
    """
    if coeff != 2:
        raise ValueError(f"coeff={coeff}: this engine computes over Z/2 alone, which is coeff=2")
    if weights is not None:
        raise ValueError("weights: points that are born later than at 0 are not computed")
    if metric_params or nearest_neighbors_params or weight_params:
        raise ValueError("metric_params, nearest_neighbors_params and weight_params are not taken")
    if return_generators and collapse_edges:
        raise NotImplementedError("collapse_edges and return_generators cannot be combined")
    options = dict(threshold=thresh, edges=return_generators)
    options["threads"] = n_threads if n_threads > 0 else None
    if hasattr(X, "tocoo"):
        found = barcode(X, maxdim, **options)
    elif metric == "precomputed":
        square = square_of(X)
        # Only the upper triangle is read.
        upper = np.triu(square, 1)
        found = barcode(upper + upper.T, maxdim, metric="precomputed", **options)
    elif metric == "euclidean":
        found = barcode(X, maxdim, **options)
    else:
        found = barcode(pairwise(X, metric), maxdim, metric="precomputed", **options)
    result: dict[str, Any] = {"dgms": found.diagrams}
    if return_generators:
        result["gens"] = generators(found)
    return result


def generators(found: Barcode) -> tuple[np.ndarray, list, np.ndarray, list]:
    """The simplices that make bars, in giotto-ph's four parts, all int64.

    The first part has a row for each finite bar of dimension 0: the vertex and the two ends of the
    edge that ends it. The second has, for each higher dimension, rows of the edge of the birth and
    the edge of the death. The third holds the vertices of the bars of dimension 0 that never die,
    the fourth the edges of the births of those of higher dimensions. The larger vertex of an edge
    comes first. Rows follow the order of the diagrams.
    """

    def larger_first(ends: np.ndarray) -> np.ndarray:
        return np.sort(ends, axis=-1)[..., ::-1]

    finite_higher, endless_higher = [], []
    for dim in range(1, found.dim + 1):
        edges = found.edges(dim)
        dies = edges[:, 2] >= 0
        birth, death = larger_first(edges[:, :2]), larger_first(edges[:, 2:])
        finite_higher.append(np.concatenate([birth, death], 1)[dies])
        endless_higher.append(birth[~dies])
    edges = found.edges(0)
    dies = edges[:, 2] >= 0
    finite = np.concatenate([edges[dies, :1], larger_first(edges[dies, 2:])], 1)
    return finite, finite_higher, edges[~dies, 0], endless_higher
