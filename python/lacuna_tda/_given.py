"""What the functions take: points, distances, graphs, and how they become clouds of the engine."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np

from . import _core

_SYNONYMS = {"l2": "euclidean", "manhattan": "cityblock", "l1": "cityblock", "max": "chebyshev"}
# The engine's lengths are never negative. Where some are, it gets the places of all lengths in
# their order, as the floating-point numbers from the smallest normal one on.
_FIRST = 0x0080_0000


class Given(NamedTuple):
    """A cloud as the engine takes it, and what its lengths stand for if they are not its own."""

    cloud: _core.Cloud
    levels: np.ndarray | None = None

    def threshold(self, threshold: float | None) -> float | None:
        """A threshold in the engine's lengths."""
        if self.levels is None or threshold is None:
            return threshold
        place = int(np.searchsorted(self.levels, np.float32(threshold), "right"))
        return float(_stand_ins(np.array([place - 1]))[0]) if place > 0 else 0.0

    def values(self, lengths: np.ndarray) -> np.ndarray:
        """The lengths that were given, of the engine's."""
        if self.levels is None:
            return lengths
        finite = np.isfinite(lengths)
        found = np.full(lengths.shape, np.inf, np.float32)
        found[finite] = self.levels[lengths[finite].astype(np.float32).view(np.int32) - _FIRST]
        return found


def _stand_ins(places: np.ndarray) -> np.ndarray:
    return (places.astype(np.int32) + _FIRST).view(np.float32)


def metric_of(name: str) -> str:
    """A metric by the name that the engine has for it."""
    if not isinstance(name, str):
        raise TypeError(f"metric={name!r}: the name of a metric is needed")
    return _SYNONYMS.get(name, name)


def numbers(x: Any, what: str) -> np.ndarray:
    """An array of f32 or f64, without a copy where it is one; complains about anything else."""
    if isinstance(x, (str, bytes)):
        raise TypeError(f"{what} must be an array of numbers, not text")
    if np.ma.is_masked(x):
        raise ValueError(f"{what} has masked entries: drop these rows first")
    if hasattr(x, "detach"):  # a torch tensor
        x = x.detach().cpu()
        x = x.float() if str(x.dtype) == "torch.bfloat16" else x
    elif hasattr(x, "to_numpy"):  # a table of pandas, whose missing numbers are not finite
        x = x.to_numpy()
        if x.dtype == object:
            try:
                x = np.where(x == x, x, np.nan).astype(np.float64)
            except (TypeError, ValueError):
                pass
    array = np.asarray(x)
    if array.dtype in (np.float32, np.float64) and array.dtype.isnative:
        return array
    if array.dtype.kind == "f" and array.dtype.itemsize > 2:
        return array.astype(np.float64)
    if array.dtype.kind in "biu" or array.dtype == np.float16:
        return array.astype(np.float64 if array.dtype.itemsize > 2 else np.float32)
    if array.dtype == object:
        raise ValueError(f"{what} is ragged, or holds other things than numbers")
    raise TypeError(f"{what} holds {array.dtype}: real numbers are needed")


def cloud_of(x: Any, metric: str) -> Given:
    """One cloud of whatever kind."""
    if hasattr(x, "tocoo"):
        return _graph(x)
    array = numbers(x, "a cloud")
    if metric == "precomputed":
        return _condensed(array) if array.ndim == 1 else _square(array)
    if array.ndim != 2:
        raise ValueError(f"a cloud must have the shape (points, features), not {array.shape}")
    if array.dtype == np.float32:
        return Given(_core.Cloud.points(array))
    cloud, merged = _core.Cloud.points_f64(array, "euclidean" if metric == "knn-hops" else metric)
    if merged:
        warnings.warn(
            f"{merged} points became equal to others when they were rounded to 32 bits",
            stacklevel=5,
        )
    return Given(cloud)


def _condensed(upper: np.ndarray) -> Given:
    """Distances as SciPy's ``pdist`` gives them: the upper triangle, row by row."""
    n = (1 + math.isqrt(1 + 8 * len(upper))) // 2
    if n * (n - 1) // 2 != len(upper):
        raise ValueError(f"{len(upper)} distances are not those of all pairs of some points")
    full = np.zeros((n, n), upper.dtype)
    full[np.triu_indices(n, 1)] = upper
    return _matrix(full.T, np.zeros(n))


def _square(square: np.ndarray) -> Given:
    if square.ndim != 2 or square.shape[0] != square.shape[1]:
        raise ValueError(f"a distance matrix must be square, not of shape {square.shape}")
    apart = _apart(square, square.T, square.dtype)
    if apart.any():
        i, j = np.argwhere(apart)[0]
        raise ValueError(
            f"the distance matrix is not symmetric: ({i},{j}) is {square[i, j]}, "
            f"({j},{i}) is {square[j, i]}"
        )
    return _matrix(square, np.diagonal(square))


def _apart(a: np.ndarray, b: np.ndarray, dtype: Any) -> np.ndarray:
    """Which lengths differ by more than rounding explains: that of a table with few digits, or that
    of squares, out of which some packages compute distances."""
    with np.errstate(invalid="ignore", over="ignore"):
        largest = np.abs(a[np.isfinite(a)]).max(initial=0).astype(np.float64)
        squares = np.abs(a.astype(np.float64) ** 2 - b.astype(np.float64) ** 2)
        rounding = squares <= 64 * np.finfo(dtype).eps * largest**2
        alike = rounding | np.isclose(a, b, rtol=1e-6, atol=0, equal_nan=True)
    return ~alike


def _narrow(lengths: np.ndarray) -> np.ndarray:
    """Lengths in single precision, unless that makes one infinite or nothing."""
    with np.errstate(over="ignore", under="ignore"):
        narrow = lengths.astype(np.float32)
    lost = (np.isinf(narrow) & np.isfinite(lengths)) | ((narrow == 0) & (lengths != 0))
    if lost.any():
        length = float(lengths[np.argmax(lost)])
        by = "1e-20" if abs(length) > 1 else "1e20"
        raise ValueError(
            f"a distance of {length:g} is beyond the numbers of 32 bits: multiply all by {by}"
        )
    return narrow


def _matrix(square: np.ndarray, births: np.ndarray) -> Given:
    """The lower triangle of a matrix, with the lengths at which its points enter."""
    ends = np.tril_indices(len(square), -1)
    lower = _narrow(square[ends])
    lower, later, levels = _engine_lengths(lower, ends, _narrow(births))
    return Given(_core.Cloud.lower(len(square), lower, later), levels)


def _graph(matrix: Any) -> Given:
    """A sparse matrix of scipy: pairs that are not stored never become edges, and stored numbers on
    the diagonal are the lengths at which vertices enter."""
    matrix = matrix.tocoo(copy=True)
    matrix.sum_duplicates()
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"a sparse distance matrix must be square, not of shape {matrix.shape}")
    i, j, d = matrix.row, matrix.col, _narrow(numbers(matrix.data, "the matrix"))
    births = np.zeros(matrix.shape[0], np.float32)
    births[i[i == j]] = d[i == j]
    off = i != j
    i, j, d = (a[off] for a in (i, j, d))
    # Of a pair that both triangles hold the upper entry counts.
    order = np.lexsort((i > j, np.minimum(i, j), np.maximum(i, j)))
    i, j, d = (a[order] for a in (i, j, d))
    twice = np.zeros(len(i), bool)
    twice[1:] = (i[1:] == j[:-1]) & (j[1:] == i[:-1])
    again = np.flatnonzero(twice)
    apart = _apart(d[again - 1], d[again], np.float32)
    if apart.any():
        at = again[np.argmax(apart)]
        raise ValueError(
            f"the sparse matrix is not symmetric: ({i[at - 1]},{j[at - 1]}) is {d[at - 1]}, "
            f"({i[at]},{j[at]}) is {d[at]}"
        )
    i, j, d = (a[~twice] for a in (i, j, d))
    d, later, levels = _engine_lengths(d, (i, j), births)
    ends = i.astype(np.uint32), j.astype(np.uint32)
    return Given(_core.Cloud.graph(matrix.shape[0], *ends, d, later), levels)


def _engine_lengths(
    lengths: np.ndarray, ends: tuple[np.ndarray, np.ndarray], births: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Lengths and births that the engine takes, and what they stand for if they are others."""
    if not births.any():
        if not (lengths < 0).any():
            return lengths, None, None
    elif not ((lengths < 0).any() or (births < 0).any()):
        return lengths, births, None
    both = np.concatenate([lengths, births])
    if np.isnan(both).any():
        raise ValueError("a distance is not a number")
    early = lengths < np.maximum(births[ends[0]], births[ends[1]])
    if early.any():
        at = int(np.argmax(early))
        i, j = int(ends[0][at]), int(ends[1][at])
        raise ValueError(
            f"the distance between {i} and {j} is {lengths[at]}, and these points are born at "
            f"{births[i]} and {births[j]}: no edge enters before its ends (a negative length needs "
            "earlier births on the diagonal)"
        )
    levels, places = np.unique(both, return_inverse=True)
    stand_ins = _stand_ins(places.ravel())
    stand_ins[np.isinf(both)] = np.inf
    return stand_ins[: len(lengths)], stand_ins[len(lengths) :], levels
