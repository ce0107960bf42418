"""The functions that compute."""

from __future__ import annotations

import math
import warnings
from typing import Any, Callable, Iterable

import numpy as np

from . import _core
from ._barcode import Barcode, Cycle

_SYNONYMS = {"l2": "euclidean", "manhattan": "cityblock", "l1": "cityblock", "max": "chebyshev"}


def _numbers(x: Any, what: str) -> np.ndarray:
    """An array of f32 or f64, without a copy where it is one; complains about anything else."""
    if isinstance(x, (str, bytes)):
        raise TypeError(f"{what} must be an array of numbers, not text")
    if hasattr(x, "detach"):  # a torch tensor
        x = x.detach().cpu()
    array = np.asarray(x)
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype.kind in "biu" or array.dtype == np.float16:
        return array.astype(np.float64 if array.dtype.itemsize > 2 else np.float32)
    if array.dtype == object:
        raise ValueError(f"{what} is ragged, or holds other things than numbers")
    raise TypeError(f"{what} holds {array.dtype}: real numbers are needed")


def _lower(square: np.ndarray) -> "_core.Cloud":
    """A distance matrix, checked as the engine's own readers check it."""
    if square.ndim == 1:  # condensed, as scipy's pdist gives it: the upper triangle, row by row
        n = (1 + math.isqrt(1 + 8 * len(square))) // 2
        if n * (n - 1) // 2 != len(square):
            raise ValueError(f"{len(square)} distances are not those of all pairs of some points")
        full = np.zeros((n, n), square.dtype)
        full[np.triu_indices(n, 1)] = square
        return _core.Cloud.lower(n, full.T[np.tril_indices(n, -1)].astype(np.float32))
    if square.ndim != 2 or square.shape[0] != square.shape[1]:
        raise ValueError(f"a distance matrix must be square, not of shape {square.shape}")
    if np.diagonal(square).any():
        raise ValueError("the distance matrix has numbers other than 0 on its diagonal")
    apart = ~np.isclose(square, square.T, rtol=1e-6, atol=0, equal_nan=True)
    if apart.any():
        i, j = np.argwhere(apart)[0]
        raise ValueError(
            f"the distance matrix is not symmetric: ({i},{j}) is {square[i, j]}, "
            f"({j},{i}) is {square[j, i]}"
        )
    n = len(square)
    return _core.Cloud.lower(n, square[np.tril_indices(n, -1)].astype(np.float32))


def _graph(matrix: Any) -> "_core.Cloud":
    """A sparse matrix of scipy: what is not stored never becomes an edge."""
    matrix = matrix.tocoo()
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"a sparse distance matrix must be square, not of shape {matrix.shape}")
    i, j, d = matrix.row, matrix.col, matrix.data
    if (d[i == j] != 0).any():
        raise ValueError("the sparse matrix has numbers other than 0 on its diagonal")
    off = i != j
    i, j, d = (a[off] for a in (i, j, d))
    return _core.Cloud.graph(
        matrix.shape[0], i.astype(np.uint32), j.astype(np.uint32), d.astype(np.float32)
    )


def _cloud(x: Any, metric: str) -> "_core.Cloud":
    """One cloud of whatever kind."""
    if hasattr(x, "tocoo"):
        return _graph(x)
    array = _numbers(x, "a cloud")
    if metric == "precomputed":
        return _lower(array)
    if array.ndim != 2:
        raise ValueError(f"a cloud must have the shape (points, features), not {array.shape}")
    if array.dtype == np.float32:
        return _core.Cloud.points(array)
    cloud, merged = _core.Cloud.points_f64(array, "euclidean" if metric == "knn-hops" else metric)
    if merged:
        warnings.warn(
            f"{merged} points became equal to others when they were rounded to 32 bits",
            stacklevel=4,
        )
    return cloud


_USUAL = {
    "dim": 1,
    "k": 14,
    "max_points": None,
    "cycles": 0,
    "edges": False,
    "engine": "auto",
    "adapter": None,
    "threads": None,
    "progress": None,
}


def _asked(metric: str, threshold: float | None, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a call as the core takes them."""
    unknown = sorted(set(options) - set(_USUAL))
    if unknown:
        raise TypeError(f"unknown argument '{unknown[0]}'")
    endless = threshold is None or math.isinf(threshold)
    return {
        **_USUAL,
        **options,
        "metric": "euclidean" if metric == "precomputed" else metric,
        "threshold": None if endless else float(threshold),
        "progress": _told(options.get("progress")),
    }


def _told(progress: Any) -> Callable[[int, int], None] | None:
    """What is called with the steps that are done, and how many there are."""
    if progress is None or callable(progress):
        return progress
    if progress is True:
        from tqdm.auto import tqdm

        bar = tqdm(total=0, leave=False)

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.n = done
            bar.refresh()

        return show
    raise TypeError("progress must be a function of (done, total), or True for a bar of tqdm")


def _result(found: Any, metric: str, threshold: float | None) -> Barcode:
    cycles = found.cycles()
    return Barcode(
        diagrams=found.diagrams(),
        n=found.n,
        metric=metric,
        threshold=math.inf if threshold is None else float(threshold),
        sampled_from=found.sampled_from,
        simplices=found.edges(),
        cycles=None if cycles is None else [Cycle(*c) for c in cycles],
    )


def barcode(
    x: Any,
    dim: int = 1,
    *,
    metric: str = "euclidean",
    threshold: float | None = None,
    k: int = 14,
    max_points: int | None = None,
    cycles: int = 0,
    edges: bool = False,
    engine: str = "auto",
    adapter: str | None = None,
    threads: int | None = None,
    progress: Any = None,
) -> Barcode:
    """The barcode of one cloud.

    Parameters
    ----------
    x
        Points of shape (points, features); with ``metric="precomputed"`` distances, as a square
        matrix or as ``scipy.spatial.distance.pdist`` gives them; or a sparse matrix of scipy, of
        which only the stored pairs ever become edges. Arrays of float32 whose rows follow each
        other are not copied. Points of float64 are rounded to float32 after what the metric does
        not see was taken off, so that points close together and far from the origin stay apart.
    dim
        Highest dimension, 0 to 3.
    metric
        ``euclidean``, ``sqeuclidean``, ``cityblock``, ``chebyshev``, ``cosine``, ``correlation``,
        ``knn-hops`` or ``precomputed``.
    threshold
        Longest edge that enters; the whole filtration if it is not given or infinite.
    k
        Nearest neighbours in the graph of ``knn-hops``, the point itself among them.
    max_points
        More points than this are replaced by so many of them, by farthest-point sampling.
    cycles
        So many cycles that stand for the longest bars of dimension 1 come along.
    edges
        The simplices that make each bar come along, in dimensions 0 to 2.
    engine
        ``auto`` (the GPU where there is a real one), ``cpu`` or ``gpu``.
    adapter
        The GPU, by a part of its name, its place in :func:`devices` or its PCI address.
    threads
        Threads of the native engine; else ``LACUNA_THREADS``, ``RAYON_NUM_THREADS``,
        ``OMP_NUM_THREADS``, or all cores.
    progress
        A function that is called now and then with the steps that are done and how many there are,
        or True for a bar of tqdm. What it raises ends the computation.

    Raises
    ------
    ValueError
        The input or an option makes no sense.
    MemoryError
        The cloud is larger than the engine or the memory takes.
    RuntimeError
        The GPU failed, or there is none.
    """
    metric = _SYNONYMS.get(metric, metric)
    options = dict(dim=dim, k=k, max_points=max_points, cycles=cycles, edges=edges)
    options |= dict(engine=engine, adapter=adapter, threads=threads, progress=progress)
    asked = _asked(metric, threshold, options)
    if not hasattr(x, "tocoo") and metric != "precomputed":
        x = _numbers(x, "a cloud")
        if x.dtype == np.float32 and x.ndim == 2:
            return _result(_core.barcodes_of_points(x, asked)[0], metric, threshold)
    return _result(_core.barcodes([_cloud(x, metric)], asked)[0], metric, threshold)


def barcodes(
    clouds: Any,
    dim: int = 1,
    *,
    metric: str = "euclidean",
    threshold: float | None = None,
    **options: Any,
) -> list[Barcode]:
    """The barcodes of many clouds in one call, which is far faster than one call for each.

    ``clouds`` is an array of shape (clouds, points, features), of which float32 is not copied, or a
    list of whatever :func:`barcode` takes; sizes may differ. The other arguments are those of
    :func:`barcode`.
    """
    metric = _SYNONYMS.get(metric, metric)
    asked = _asked(metric, threshold, {"dim": dim, **options})
    if hasattr(clouds, "dtype") and getattr(clouds, "ndim", 0) == 3 and metric != "precomputed":
        array = _numbers(clouds, "the clouds")
        if array.dtype == np.float32:
            found = _core.barcodes_of_batch(array, asked)
            return [_result(f, metric, threshold) for f in found]
    found = _core.barcodes([_cloud(x, metric) for x in clouds], asked)
    return [_result(f, metric, threshold) for f in found]


def betti_numbers(x: Any, scale: float, dim: int = 1, **options: Any) -> list[int]:
    """The Betti numbers of one cloud at a scale, by dimension.

    They are those of the complex of all simplices of diameter at most ``scale``. Nothing beyond that scale is computed. The other arguments are
    those of :func:`barcode`.
    """
    metric = options.pop("metric", "euclidean")
    metric = _SYNONYMS.get(metric, metric)
    asked = _asked(metric, options.pop("threshold", None), {"dim": dim, **options})
    return _core.betti_numbers([_cloud(x, metric)], float(scale), asked)[0]


def betti_curve(x: Any, dim: int = 1, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """The Betti number of dimension ``dim`` over all scales, as :meth:`Barcode.betti_curve` gives
    it. The other arguments are those of :func:`barcode`.
    """
    return barcode(x, dim, **options).betti_curve(dim)


def cycles(x: Any, count: int = 1, **options: Any) -> list[Cycle]:
    """Cycles that stand for the ``count`` longest bars of dimension 1, the longest first. The other
    arguments are those of :func:`barcode`.
    """
    return barcode(x, cycles=count, **options).cycles or []


def devices() -> list[dict[str, Any]]:
    """The GPUs of this machine, real ones first.

    Each has a name, a backend, whether it is software, and the most points of one cloud.
    """
    names = ("name", "backend", "software", "max_points")
    return [dict(zip(names, found)) for found in _core.devices()]
