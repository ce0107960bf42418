"""The functions that compute."""

from __future__ import annotations

import math
import os
import sys
import tempfile
from typing import Any, Callable

import numpy as np

from . import _core
from ._barcode import Barcode, Cycle
from ._given import Given, cloud_of, metric_of, numbers

_USUAL = {
    "dim": 1,
    "k": 14,
    "max_points": None,
    "cycles": 0,
    "edges": False,
    "cocycles": False,
    "engine": "auto",
    "adapter": None,
    "threads": None,
    "progress": None,
}


def _asked(metric: str, threshold: float | None, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a call as the core takes them."""
    if threshold is not None and (math.isnan(threshold) or threshold == -math.inf):
        raise ValueError(f"threshold={threshold}: a number, or None for the whole filtration")
    unknown = sorted(set(options) - set(_USUAL))
    if unknown:
        raise TypeError(f"unknown argument '{unknown[0]}'")
    whole = {"dim": 0, "k": 1, "cycles": 0, "max_points": 1, "threads": 1}
    for name, least in whole.items():
        value = options.get(name, _USUAL[name])
        if value is None and _USUAL[name] is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name}={value!r}: a whole number, {least} or more, is needed")
        options = {**options, name: int(value)}
    adapter = options.get("adapter")
    options = {
        **options,
        "edges": bool(options.get("edges")),
        "cocycles": bool(options.get("cocycles")),
        "adapter": None if adapter is None else str(adapter),
    }
    if options.get("max_points") and (
        options["edges"] or options["cocycles"] or options.get("cycles")
    ):
        raise ValueError("cycles, cocycles and edges cannot be combined with max_points")
    if options.get("engine") != "cpu":
        _quiet_drivers()
    return {
        **_USUAL,
        **options,
        "metric": "euclidean" if metric == "precomputed" else metric,
        "threshold": None if threshold is None or math.isinf(threshold) else float(threshold),
        "progress": _told(options.get("progress")),
    }


def _quiet_drivers() -> None:
    """On a machine without a desktop Mesa complains, once per driver, that this is not set."""
    if sys.platform == "linux":
        os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())


def _told(progress: Any) -> Callable[[int, int], None] | None:
    """What is called with the steps that are done, and how many there are."""
    if progress is None or progress is False:
        return None
    if callable(progress):
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


def _result(found: Any, given: Given | None, metric: str, threshold: float | None) -> Barcode:
    """What the engine found, in the lengths that were given."""
    values = given.values if given is not None else lambda lengths: lengths

    def cycle(birth: float, death: float, edges: np.ndarray) -> Cycle:
        birth, death = values(np.array([birth, death], np.float32)).tolist()
        return Cycle(birth, death, edges)

    cycles = found.cycles()
    # Lengths that may be negative obey no triangle inequality, so nothing follows from a radius.
    named = given is None or given.levels is None
    radius = found.covering_radius if named else None
    return Barcode(
        diagrams=[values(diagram) for diagram in found.diagrams()],
        n=found.n,
        metric=metric,
        threshold=math.inf if threshold is None else float(threshold),
        sampled_from=found.sampled_from,
        covering_radius=radius,
        simplices=found.edges(),
        cycles=None if cycles is None else [cycle(*of) for of in cycles],
        cocycles=found.cocycles(),
    )


def _of_clouds(
    clouds: list[Given], metric: str, threshold: float | None, asked: dict[str, Any]
) -> list[Barcode]:
    """The barcodes of clouds; those whose lengths are stood for have thresholds of their own."""
    if all(given.levels is None for given in clouds):
        found = _core.barcodes([given.cloud for given in clouds], asked)
    else:
        own = [{**asked, "threshold": given.threshold(asked["threshold"])} for given in clouds]
        found = [_core.barcodes([given.cloud], of)[0] for given, of in zip(clouds, own)]
    return [_result(f, given, metric, threshold) for f, given in zip(found, clouds)]


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
    cocycles: bool = False,
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
        which only the stored pairs ever become edges. Numbers on the diagonal of either are the
        lengths at which points enter: entry (i, j) must be at least entries (i, i) and (j, j).
        Lengths may be negative. Arrays of float32 whose rows follow each other are not copied. From
        points of float64 a common offset, which changes no distance, is subtracted before they are
        rounded to float32.
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
        More points than this are replaced by so many of them, by farthest-point sampling;
        :meth:`Barcode.certain` says what is known of the others.
    cycles
        Number of representative cycles to return, for the longest bars of dimension 1.
    edges
        The simplices that make each bar come along.
    cocycles
        A cocycle for each bar of dimension 1 and above comes along. In dimension 1 this takes a
        little longer than the bars do, in dimension 2 a hundred times as long.
    engine
        ``auto`` (the GPU where there is a real one), ``cpu`` or ``gpu``.
    adapter
        The GPU, by a part of its name, its place in :func:`devices` or its PCI address.
    threads
        Threads where the processor computes; else ``LACUNA_THREADS``, ``RAYON_NUM_THREADS``,
        ``OMP_NUM_THREADS``, or all cores.
    progress
        A function of (done, total), called several times a second, or True for a bar of tqdm. Both
        numbers begin anew with every phase of the work, and a short call does not call it. What it
        raises ends the computation.

    Raises
    ------
    ValueError
        The input or an option makes no sense.
    MemoryError
        The cloud is larger than the engine or the memory takes.
    RuntimeError
        The GPU failed, or there is none.
    """
    metric = "precomputed" if hasattr(x, "tocoo") else metric_of(metric)
    options: dict[str, Any] = dict(dim=dim, k=k, max_points=max_points, cycles=cycles, edges=edges)
    options |= dict(cocycles=cocycles, engine=engine, adapter=adapter)
    asked = _asked(metric, threshold, {**options, "threads": threads, "progress": progress})
    if not hasattr(x, "tocoo") and metric != "precomputed":
        x = numbers(x, "a cloud")
        if x.dtype == np.float32 and x.ndim == 2:
            return _result(_core.barcodes_of_points(x, asked)[0], None, metric, threshold)
    return _of_clouds([cloud_of(x, metric)], metric, threshold, asked)[0]


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
    metric = metric_of(metric)
    asked = _asked(metric, threshold, {"dim": dim, **options})
    if hasattr(clouds, "dtype") and getattr(clouds, "ndim", 0) == 3 and metric != "precomputed":
        array = numbers(clouds, "the clouds")
        if array.dtype == np.float32:
            found = _core.barcodes_of_batch(array, asked)
            return [_result(f, None, metric, threshold) for f in found]
    if hasattr(clouds, "ndim") and clouds.ndim == 2 and metric != "precomputed":
        raise ValueError("one cloud has two dimensions: use barcode, or give a list of clouds")
    given = []
    for place, cloud in enumerate(clouds):
        try:
            given.append(cloud_of(cloud, metric))
        except (TypeError, ValueError) as why:
            raise type(why)(f"cloud {place}: {why}") from why
    return _of_clouds(given, metric, threshold, asked)


def betti_numbers(x: Any, scale: float, dim: int = 1, **options: Any) -> list[int]:
    """The Betti numbers of one cloud at a scale, by dimension.

    They are those of the complex of all simplices of diameter at most ``scale``. Nothing beyond
    that scale is computed. The other arguments are those of :func:`barcode`.
    """
    if not math.isfinite(scale):
        raise ValueError(f"scale={scale}: a finite number is needed")
    metric = metric_of(options.pop("metric", "euclidean"))
    asked = _asked(metric, options.pop("threshold", None), {"dim": dim, **options})
    given = cloud_of(x, metric)
    if given.levels is not None:
        asked["threshold"] = given.threshold(asked["threshold"])
    at = given.threshold(float(scale))
    assert at is not None
    return _core.betti_numbers([given.cloud], at, asked)[0]


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
    _quiet_drivers()
    names = ("name", "backend", "software", "max_points")
    return [dict(zip(names, found)) for found in _core.devices()]
