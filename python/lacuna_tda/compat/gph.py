"""``from lacuna_tda.compat.gph import ripser_parallel`` in place of giotto-ph's function.

It takes the same arguments and returns the same dictionary, with generators. Coefficients other
than Z/2 (``coeff``) are refused with a ValueError. Points that enter after ``thresh`` have no bar.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

import numpy as np

from .._barcode import Barcode
from .._compute import barcode
from ._distances import mirrored, only_two, pairwise, upper_entries
from ._weights import weighted, weights_of


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
    :func:`generators`. Of a distance matrix the upper triangle is read, and numbers on its diagonal
    are the lengths at which points enter; both may be negative. ``weights`` (an array, or
    ``"DTM"``) makes a filtration of weighted points. ``collapse_edges`` changes no bar and nothing
    here; a negative ``n_threads`` stands for all cores.
    """
    only_two(coeff)
    if nearest_neighbors_params:
        raise ValueError("nearest_neighbors_params: give the neighbours' sparse matrix instead")
    if return_generators and collapse_edges:
        raise NotImplementedError("collapse_edges and return_generators cannot be combined")
    options: dict[str, Any] = {"threshold": thresh, "edges": return_generators}
    options["metric"] = "precomputed"
    options["threads"] = n_threads if n_threads > 0 else None
    if metric == "precomputed":
        X = X if hasattr(X, "tocoo") else mirrored(X)
    else:
        X = X.toarray() if hasattr(X, "tocoo") else np.asarray(X)
        if metric != "euclidean" or metric_params or weights is not None:
            X = pairwise(X, metric, metric_params)
        else:
            options["metric"] = "euclidean"
    if weights is not None:
        X = weighted_lengths(X, weights, weight_params)
    elif hasattr(X, "tocoo"):
        X = upper_graph(X)
    if not X.shape[0]:
        return {"dgms": [np.empty((0, 2), np.float32) for _ in range(maxdim + 1)]}
    if return_generators:
        # Of edges of one length the package lets those of the last points enter first.
        found = _forwards(barcode(_backwards(X, options["metric"]), maxdim, **options))
    else:
        found = barcode(X, maxdim, **options)
    found = in_their_order(found)
    result: dict[str, Any] = {"dgms": found.diagrams}
    if return_generators:
        result["gens"] = generators(found)
    return result


def _backwards(X: Any, metric: str) -> Any:
    """The same with the points in the opposite order."""
    if hasattr(X, "tocoo"):
        coo = X.tocoo()
        last = coo.shape[0] - 1
        return type(coo)((coo.data, (last - coo.row, last - coo.col)), shape=coo.shape)
    return X[::-1, ::-1] if metric == "precomputed" else X[::-1]


def _forwards(found: Barcode) -> Barcode:
    """The edges of such a barcode by the points' own numbers."""
    own = lambda edges: np.where(edges < 0, edges, found.n - 1 - edges)
    edges = found.simplices
    return replace(found, simplices=None if edges is None else [own(of) for of in edges])


def in_their_order(found: Barcode) -> Barcode:
    """The same with the bars as the packages have them: in dimension 0 in the order of their
    deaths, above with the last born first."""
    orders = [np.argsort(found.diagram(0)[:, 1], kind="stable")]
    orders += [np.arange(len(bars))[::-1] for bars in found.diagrams[1:]]
    arrays = lambda all_of: [of[order] for of, order in zip(all_of, orders)]
    cocycles = found.cocycles and [
        [of[i] for i in order] if of else of for of, order in zip(found.cocycles, orders)
    ]
    return replace(
        found,
        diagrams=arrays(found.diagrams),
        simplices=None if found.simplices is None else arrays(found.simplices),
        cocycles=cocycles,
    )


def upper_graph(graph: Any) -> Any:
    """A sparse matrix with every pair once. Its shape may end with the last entries."""
    row, column, data = upper_entries(graph)
    n = max(graph.shape)
    return type(graph.tocoo())((data, (row, column)), shape=(n, n))


def weighted_lengths(X: Any, weights: Any, params: dict[str, Any] | None) -> np.ndarray:
    """The lengths of weighted points; pairs that a sparse matrix lacks never get an edge."""
    if hasattr(X, "tocoo"):
        row, column, data = upper_entries(X)
        dense = np.full((max(X.shape),) * 2, np.inf)
        dense[row, column] = dense[column, row] = data
        X = dense
    X = X.copy()
    np.fill_diagonal(X, 0)
    own, p = weights_of(X, weights, params)
    return weighted(X, own, p)


def generators(found: Barcode) -> tuple[np.ndarray, list, np.ndarray, list]:
    """The simplices that make bars, in giotto-ph's four parts, all int64.

    The first part has a row for each finite bar of dimension 0: the vertex and the two ends of the
    edge that ends it. The second has, for each higher dimension, rows of the edge of the birth and
    the edge of the death. The third holds the vertices of the bars of dimension 0 that never die,
    the fourth the edges of the births of those of higher dimensions. The larger vertex of an edge
    comes first. Rows follow the order of the diagrams. Of two components that are born together
    either may be the one that ends, and giotto-ph may name the other.
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
