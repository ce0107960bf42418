"""``from lacuna_tda.compat.ripser import ripser`` in place of ripser.py's function.

:func:`ripser`, :class:`Rips`, :func:`lower_star_img` and :func:`correlation_to_distance` take the
same arguments and return the same things. Coefficients other than Z/2 (``coeff``) are refused with
a ValueError.
"""

from __future__ import annotations

import warnings
from typing import Any, Callable

import numpy as np

from .._compute import barcode
from ._distances import check_square, mirrored, only_two, pairwise
from .gph import in_their_order

try:
    from sklearn.base import TransformerMixin
except ImportError:

    class TransformerMixin:  # type: ignore[no-redef]
        """What stands for scikit-learn's class where that is not installed."""


def get_greedy_perm(distances: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray, float]:
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
    (for each dimension a list with one array for each bar: rows of vertices and the coefficient 1;
    empty without ``do_cocycles`` and in dimension 0), ``num_edges`` (edges that entered),
    ``dperm2all`` (distances of the points that were looked at to all points), ``idx_perm`` (their
    numbers) and ``r_cover`` (the covering radius of a sample, else 0).

    Numbers on the diagonal of a distance matrix are the lengths at which points enter; those that
    enter after ``thresh`` have no bar.

    Raises ValueError for ``coeff`` other than 2, and for input that makes no sense.
    """
    only_two(coeff)
    wanted: dict[str, Any] = {"threshold": thresh, "cocycles": do_cocycles and maxdim > 0}
    if hasattr(X, "tocoo") and not distance_matrix:
        X = X.toarray()
    if hasattr(X, "tocoo"):
        if n_perm is not None:
            raise ValueError("a sparse matrix cannot be sampled: drop n_perm")
        check_square(X)
        coo = X.tocoo(copy=True)
        coo.sum_duplicates()
        # The upper triangle is what is read.
        kept = coo.row <= coo.col
        ends = coo.row[kept], coo.col[kept]
        found = barcode(type(coo)((coo.data[kept], ends), shape=coo.shape), maxdim, **wanted)
        entered = int(((coo.row < coo.col) & (coo.data <= thresh)).sum())
        shown, order, radius = X, np.arange(X.shape[0]), 0.0
    else:
        X = np.asarray(X)
        if X.ndim == 2 and not distance_matrix:
            _warn_about_shape(X)
        distances = X if distance_matrix else pairwise(X, metric)
        check_square(distances)
        shown, order, radius = distances, np.arange(len(distances)), 0.0
        if n_perm is not None:
            if n_perm > len(distances):
                raise ValueError(
                    f"The number of points in greedy permutation is greater than the "
                    f"{len(distances)} that are given: n_perm is {n_perm}"
                )
            if n_perm < 1:
                raise ValueError(f"n_perm is {n_perm}: Should be a strictly positive number")
            order, shown, radius = get_greedy_perm(distances, n_perm)
            distances = shown[:, order]
        distances = mirrored(distances)
        found = barcode(distances, maxdim, metric="precomputed", **wanted)
        upper = distances[np.triu_indices(len(distances), 1)]
        end = distances.max(1).min() if np.isinf(thresh) and len(distances) else thresh
        entered = int((upper <= end).sum())
    found = in_their_order(found)
    cocycles: list[list[np.ndarray]] = found.cocycles or [[] for _ in found.diagrams]
    one = lambda simplices: np.column_stack([order[simplices], np.ones(len(simplices), np.int64)])
    return {
        "dgms": [d.astype(np.float64) for d in found.diagrams],
        "cocycles": [[one(simplices) for simplices in of_dim] for of_dim in cocycles],
        "num_edges": entered,
        "dperm2all": shown,
        "idx_perm": order,
        "r_cover": radius,
    }


def _warn_about_shape(X: np.ndarray) -> None:
    """Warns of an array that may not be meant as one point in each row."""
    if X.shape[0] == X.shape[1]:
        warnings.warn(
            "The input matrix is square, but the distance_matrix flag is off: its rows are taken "
            "for points",
            stacklevel=3,
        )
    elif X.shape[0] < X.shape[1]:
        warnings.warn(
            "The input has more columns than rows, and each row is taken for a point",
            stacklevel=3,
        )


def lower_star_img(img: np.ndarray) -> np.ndarray:
    """The bars of dimension 0, float64, of the sublevel sets of an image: a pixel enters at its
    value, and an edge to each of its 8 neighbours with the later of the two."""
    from scipy.sparse import coo_matrix

    img = np.asarray(img)
    if img.ndim != 2:
        raise ValueError(f"an image has rows and columns, and the shape {img.shape} is given")
    pixels = np.arange(img.size).reshape(img.shape)
    # Every pair of neighbours once: to the right, below, and along both diagonals.
    pairs = [
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:-1, :], np.s_[1:, :]),
        (np.s_[:-1, :-1], np.s_[1:, 1:]),
        (np.s_[:-1, 1:], np.s_[1:, :-1]),
    ]
    row = np.concatenate([pixels.ravel(), *(pixels[a].ravel() for a, _ in pairs)])
    column = np.concatenate([pixels.ravel(), *(pixels[b].ravel() for _, b in pairs)])
    later = np.concatenate([img.ravel(), *(np.maximum(img[a], img[b]).ravel() for a, b in pairs)])
    graph = coo_matrix((later, (row, column)), shape=(img.size, img.size))
    return in_their_order(barcode(graph, 0)).diagram(0).astype(np.float64)


def correlation_to_distance(C: Any, check_input: bool = True) -> np.ndarray:
    """The distances ``sqrt(2 (1 - C))`` between unit vectors of these correlations.

    With ``check_input``, correlations that cannot be are refused with a ValueError, and those that
    are off by rounding are mended with a RuntimeWarning.
    """
    C = np.asarray(C, np.float64)
    if check_input:
        if C.ndim != 2:
            raise ValueError(f"Input must be a 2D matrix: it has {C.ndim} dimensions")
        if C.shape[0] != C.shape[1]:
            raise ValueError(f"Matrix must be square: its shape is {C.shape}")
        if not np.allclose(C, C.T):
            raise ValueError("Matrix must be symmetric")
        most = np.abs(C).max(initial=0)
        if most > 1.05:
            raise ValueError(f"{most} is significantly outside the valid correlation bounds")
        if most > 1:
            warnings.warn(
                f"{most} is slightly outside the valid correlation bounds, and counts as 1",
                RuntimeWarning,
                stacklevel=2,
            )
        if not np.allclose(np.diagonal(C), 1):
            warnings.warn(
                "diagonal elements deviate from 1.0, and count as 1", RuntimeWarning, stacklevel=2
            )
    distances = np.sqrt(np.maximum(2 * (1 - C), 0))
    np.fill_diagonal(distances, 0)
    return distances


class Rips(TransformerMixin):
    """:func:`ripser` as a transformer of scikit-learn. What the last call found is in ``dgms_``,
    ``cocycles_``, ``num_edges_``, ``dperm2all_``, ``idx_perm_``, ``r_cover_`` and ``metric_``."""

    def __init__(
        self,
        maxdim: int = 1,
        thresh: float = np.inf,
        coeff: int = 2,
        do_cocycles: bool = False,
        n_perm: int | None = None,
        verbose: bool = True,
    ):
        self.maxdim = maxdim
        self.thresh = thresh
        self.coeff = coeff
        self.do_cocycles = do_cocycles
        self.n_perm = n_perm
        self.verbose = verbose
        self.dgms_: list[np.ndarray] | None = None
        self.cocycles_: list[list[np.ndarray]] | None = None
        self.dperm2all_: Any = None
        self.metric_: Any = None
        self.num_edges_: int | None = None
        self.idx_perm_: np.ndarray | None = None
        self.r_cover_ = 0.0
        if verbose:
            print(f"Rips(maxdim={maxdim}, thresh={thresh}, coeff={coeff}, n_perm={n_perm})")

    def fit(self, X: Any, y: Any = None) -> "Rips":
        """Nothing is learnt."""
        return self

    def transform(
        self,
        X: Any,
        distance_matrix: bool = False,
        metric: str | Callable[..., float] = "euclidean",
    ) -> list[np.ndarray]:
        """The diagrams of ``X``."""
        wanted = (self.maxdim, self.thresh, self.coeff, distance_matrix, self.do_cocycles)
        result = ripser(X, *wanted, metric=metric, n_perm=self.n_perm)
        for key, value in result.items():
            setattr(self, f"{key}_", value)
        self.metric_ = metric
        return result["dgms"]

    def fit_transform(
        self,
        X: Any,
        distance_matrix: bool = False,
        metric: str | Callable[..., float] = "euclidean",
    ) -> list[np.ndarray]:
        """The diagrams of ``X``."""
        return self.transform(X, distance_matrix, metric)

    def plot(self, diagrams: Any = None, *args: Any, **kwargs: Any) -> None:
        """Draws diagrams, by default those that were found last, by persim's function."""
        try:
            from persim import plot_diagrams
        except ImportError as why:
            raise ImportError("Rips.plot needs persim: pip install persim") from why
        plot_diagrams(self.dgms_ if diagrams is None else diagrams, *args, **kwargs)
