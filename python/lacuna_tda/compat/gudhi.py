"""``from lacuna_tda.compat.gudhi import RipsPersistence, RipsComplex`` in place of GUDHI's classes.

``RipsPersistence`` is that of ``gudhi.sklearn``; ``RipsComplex`` makes a tree that answers what is
asked about persistence, and knows no simplices. The field is Z/2 unless it is given, where GUDHI's
own default is Z/11; other fields are refused with a ValueError. Of both classes the length of an
edge is a diameter, as in GUDHI.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Sequence

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from .._barcode import Barcode
from .._compute import barcode, barcodes
from ..sklearn import threads_of
from ._distances import only_two, upper_entries
from .gph import generators

_INPUTS = (
    "point cloud",
    "full distance matrix",
    "lower distance matrix",
    "distance coo_matrix",
)


def _lower(matrix: Any) -> np.ndarray:
    """A symmetric matrix of the lower triangle, which is given as a matrix or as a list of rows."""
    n = len(matrix)
    square = np.zeros((n, n))
    for i, row in enumerate(matrix):
        if len(row) < i:
            raise ValueError(f"row {i} of the lower triangle has {len(row)} numbers, not {i}")
        square[i, :i] = np.asarray(row)[:i]
    return square + square.T


def _without_diagonal(graph: Any) -> Any:
    """A sparse matrix without its diagonal, which says nothing here."""
    row, column, data = upper_entries(graph)
    off = row != column
    coo = graph.tocoo()
    return type(coo)((data[off], (row[off], column[off])), shape=coo.shape)


class RipsPersistence(TransformerMixin, BaseEstimator):
    """The diagrams of many clouds.

    ``homology_dimensions`` is one dimension or a list; ``input_type`` says what the clouds are;
    ``num_collapses`` changes no bar and nothing here. ``n_jobs`` sets the threads as joblib counts
    them.
    """

    def __init__(
        self,
        homology_dimensions: int | Sequence[int],
        threshold: float = math.inf,
        input_type: str = "point cloud",
        num_collapses: int | str = "auto",
        homology_coeff_field: int = 2,
        n_jobs: int | None = None,
    ):
        self.homology_dimensions = homology_dimensions
        self.threshold = threshold
        self.input_type = input_type
        self.num_collapses = num_collapses
        self.homology_coeff_field = homology_coeff_field
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> "RipsPersistence":
        """Nothing is learnt."""
        return self

    def transform(self, X: Any, y: Any = None) -> list[Any]:
        """For each cloud its diagram, float64, shape (bars, 2), or a list of them by dimension."""
        only_two(self.homology_coeff_field, "homology_coeff_field")
        if self.input_type not in _INPUTS:
            raise ValueError(f"input_type '{self.input_type}': use one of {', '.join(_INPUTS)}")
        single = np.ndim(self.homology_dimensions) == 0
        dims = [int(d) for d in np.atleast_1d(self.homology_dimensions)]
        clouds = list(X)
        if self.input_type in ("lower distance matrix", "full distance matrix"):
            clouds = [_lower(cloud) for cloud in clouds]
        elif self.input_type == "distance coo_matrix":
            clouds = [_without_diagonal(cloud) for cloud in clouds]
        points = self.input_type == "point cloud"
        found = barcodes(
            clouds,
            max(dims),
            metric="euclidean" if points else "precomputed",
            threshold=self.threshold,
            threads=threads_of(self.n_jobs),
        )
        of = lambda bars: [bars.diagram(d).astype(np.float64) for d in dims]
        return [of(bars)[0] if single else of(bars) for bars in found]

    def get_feature_names_out(self, input_features: Any = None) -> list[str]:
        """``H0``, ``H1`` and so on."""
        return [f"H{d}" for d in np.atleast_1d(self.homology_dimensions)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


class RipsComplex:
    """A Rips complex of points or of a distance matrix, of which the lower triangle is read."""

    def __init__(
        self,
        *,
        points: Any = (),
        distance_matrix: Any = (),
        max_edge_length: float = math.inf,
        sparse: float | None = None,
    ):
        if sparse is not None:
            raise ValueError("sparse: approximate Rips complexes are not computed")
        self._points = len(points) > 0
        self._cloud = np.asarray(points) if self._points else _lower(distance_matrix)
        self._longest = max_edge_length

    def create_simplex_tree(self, max_dimension: int = 1) -> "SimplexTree":
        """The complex up to simplices of a dimension, of which persistence can be asked."""
        return SimplexTree(self._cloud, self._points, self._longest, max_dimension)


class SimplexTree:
    """The bars of a Rips complex, and the simplices that make them, as GUDHI's tree gives them."""

    def __init__(self, cloud: np.ndarray, points: bool, longest: float, dimension: int):
        self._cloud, self._points, self._longest = cloud, points, longest
        self._dimension = dimension
        self._found: Barcode | None = None
        self._least = 0.0

    def dimension(self) -> int:
        """The highest dimension of a simplex that was asked for."""
        return self._dimension

    def compute_persistence(
        self,
        homology_coeff_field: int = 2,
        min_persistence: float = 0.0,
        persistence_dim_max: bool = False,
    ) -> None:
        """Computes bars longer than ``min_persistence`` of the dimensions below that of the complex. In the highest dimension nothing is filled, and
        ``persistence_dim_max`` is refused there."""
        only_two(homology_coeff_field, "homology_coeff_field")
        if persistence_dim_max and self._dimension > 0:
            raise ValueError(
                "persistence_dim_max=True: bars of the highest dimension of a truncated complex "
                "are not computed"
            )
        if min_persistence < 0:
            raise ValueError("min_persistence: bars of no length are not kept")
        self._least = min_persistence
        self._found = barcode(
            self._cloud,
            max(self._dimension - 1, 0),
            metric="euclidean" if self._points else "precomputed",
            threshold=self._longest,
            edges=True,
        )

    def persistence(self, *given: Any, **options: Any) -> list[tuple[int, tuple[float, float]]]:
        """The bars as (dimension, (birth, death)), the highest dimension first, and of each the
        longest; the arguments are those of :meth:`compute_persistence`."""
        self.compute_persistence(*given, **options)
        found = []
        for dim in range(self._bars().dim, -1, -1):
            bars = self.persistence_intervals_in_dimension(dim).tolist()
            found += [(dim, (b, e)) for b, e in sorted(bars, key=lambda of: of[0] - of[1])]
        return found

    def persistence_intervals_in_dimension(self, dimension: int) -> np.ndarray:
        """Births and deaths of a dimension: float64, shape (bars, 2)."""
        found = self._bars()
        if dimension > found.dim:
            return np.empty((0, 2))
        bars = found.diagram(dimension).astype(np.float64)
        return bars[bars[:, 1] - bars[:, 0] > self._least]

    def flag_persistence_generators(self) -> tuple[np.ndarray, list, np.ndarray, list]:
        """The simplices that make bars, as :func:`lacuna_tda.compat.gph.generators` gives them."""
        found = self._bars()
        long = [found.lengths(d) > self._least for d in range(found.dim + 1)]
        kept = lambda all_of: [of[which] for of, which in zip(all_of, long)]
        simplices = None if found.simplices is None else kept(found.simplices)
        return generators(replace(found, diagrams=kept(found.diagrams), simplices=simplices))

    def _bars(self) -> Barcode:
        if self._found is None:
            raise RuntimeError("compute_persistence() must be called first")
        return self._found
