"""``from lacuna_tda.compat.gtda import VietorisRipsPersistence, WeightedRipsPersistence`` in place
of giotto-tda's classes.

They take the same arguments and return the same arrays. Coefficients other than Z/2 (``coeff``) are
refused with a ValueError.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, Callable, Sequence

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._compute import barcodes
from ..sklearn import threads_of
from ._distances import mirrored, only_two, pairwise
from .gph import upper_graph, weighted_lengths


class _Persistence(TransformerMixin, BaseEstimator):
    """What both classes share."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

    def _longest(self) -> float:
        raise NotImplementedError

    def fit(self, X: Any, y: Any = None) -> Any:
        """Checks the parameters and the clouds, and sets ``infinity_values_``."""
        only_two(self.coeff)
        if any(not isinstance(d, (int, np.integer)) or d < 0 for d in self.homology_dimensions):
            raise ValueError(
                f"homology_dimensions={self.homology_dimensions}: whole numbers, 0 or more"
            )
        if self.infinity_values is not None and not isinstance(self.infinity_values, Real):
            raise TypeError("infinity_values must be a number or None")
        self.homology_dimensions_ = sorted(self.homology_dimensions)
        for cloud in X:
            self._cloud(cloud)
        given = self.infinity_values
        self.infinity_values_ = self._longest() if given is None else given
        return self

    def transform(self, X: Any, y: Any = None) -> np.ndarray:
        """The bars of every cloud as triples (birth, death, dimension): float64, shape (clouds,
        bars, 3).

        Clouds with fewer bars of a dimension than others are padded with triples of no length, at
        the smallest birth of that dimension.
        """
        check_is_fitted(self)
        dims = self.homology_dimensions_
        found = barcodes(
            [self._cloud(cloud) for cloud in X],
            max(dims),
            metric="precomputed",
            threshold=self._longest(),
            threads=threads_of(self.n_jobs),
        )
        by_dim = [[self._bars(bars.diagram(d), d) for bars in found] for d in dims]
        return np.concatenate([_padded(bars, d) for bars, d in zip(by_dim, dims)], axis=1)

    def _bars(self, bars: np.ndarray, dim: int) -> np.ndarray:
        bars = bars.astype(np.float64)
        if dim == 0:
            # In the order of deaths.
            bars = bars[np.argsort(bars[:, 1], kind="stable")]
            endless = np.flatnonzero(np.isinf(bars[:, 1]))
            if self.reduced_homology and len(endless):
                bars = np.delete(bars, endless[np.argmin(bars[endless, 0])], axis=0)
        bars[np.isinf(bars[:, 1]), 1] = self.infinity_values_
        return bars[bars[:, 0] < bars[:, 1]]

    def fit_transform_plot(self, X: Any, y: Any = None, sample: int = 0, **plot: Any) -> np.ndarray:
        """Fits, transforms, and draws the diagram of one cloud with plotly."""
        found = self.fit_transform(X, y)
        self.plot(found, sample=sample, **plot).show()
        return found

    @staticmethod
    def plot(
        Xt: np.ndarray,
        sample: int = 0,
        homology_dimensions: Sequence[int] | None = None,
        plotly_params: dict[str, Any] | None = None,
    ) -> Any:
        """The diagram of one cloud as a figure of plotly, which has to be installed."""
        import plotly.graph_objects as go

        bars = np.asarray(Xt)[sample]
        bars = bars[bars[:, 0] < bars[:, 1]]
        dims = homology_dimensions
        dims = sorted(set(bars[:, 2].astype(int))) if dims is None else dims
        end = float(bars[np.isfinite(bars[:, 1]), 1].max(initial=1.0))
        figure = go.Figure(go.Scatter(x=[0, end], y=[0, end], mode="lines", showlegend=False))
        for dim in dims:
            of = bars[bars[:, 2] == dim]
            figure.add_scatter(x=of[:, 0], y=of[:, 1], mode="markers", name=f"H{dim}")
        figure.update_layout(xaxis_title="birth", yaxis_title="death")
        for part, change in (plotly_params or {}).items():
            {"traces": figure.update_traces, "layout": figure.update_layout}[part](change)
        return figure


def _padded(bars: list[np.ndarray], dim: int) -> np.ndarray:
    """The bars of one dimension of all clouds in one array."""
    width = max(1, max(map(len, bars), default=1))
    least = min((float(of[:, 0].min()) for of in bars if len(of)), default=0.0)
    padded = np.full((len(bars), width, 3), [least, least, dim], np.float64)
    for row, of in zip(padded, bars):
        row[: len(of), :2] = of
    return padded


class VietorisRipsPersistence(_Persistence):
    """Bars of the Vietoris-Rips filtrations of many clouds, distance matrices or sparse ones."""

    def __init__(
        self,
        metric: str | Callable[..., float] = "euclidean",
        metric_params: dict[str, Any] = {},  # as scikit-learn wants it: kept as it is given
        homology_dimensions: Sequence[int] = (0, 1),
        collapse_edges: bool = False,
        coeff: int = 2,
        max_edge_length: float = math.inf,
        infinity_values: float | None = None,
        reduced_homology: bool = True,
        n_jobs: int | None = None,
    ):
        self.metric = metric
        self.metric_params = metric_params
        self.homology_dimensions = homology_dimensions
        self.collapse_edges = collapse_edges
        self.coeff = coeff
        self.max_edge_length = max_edge_length
        self.infinity_values = infinity_values
        self.reduced_homology = reduced_homology
        self.n_jobs = n_jobs

    def _longest(self) -> float:
        return self.max_edge_length

    def _cloud(self, X: Any) -> Any:
        return _lengths(X, self.metric, self.metric_params)


class WeightedRipsPersistence(_Persistence):
    """Bars of the filtrations of weighted points: see ``lacuna_tda.compat._weights``.

    ``weights`` is ``"DTM"`` or a function of a cloud that returns its weights.
    """

    def __init__(
        self,
        metric: str | Callable[..., float] = "euclidean",
        metric_params: dict[str, Any] = {},  # as scikit-learn wants it: kept as it is given
        homology_dimensions: Sequence[int] = (0, 1),
        weights: str | Callable[[Any], np.ndarray] = "DTM",
        weight_params: dict[str, Any] = {},
        collapse_edges: bool = False,
        coeff: int = 2,
        max_edge_weight: float = math.inf,
        infinity_values: float | None = None,
        reduced_homology: bool = True,
        n_jobs: int | None = None,
    ):
        self.metric = metric
        self.metric_params = metric_params
        self.homology_dimensions = homology_dimensions
        self.weights = weights
        self.weight_params = weight_params
        self.collapse_edges = collapse_edges
        self.coeff = coeff
        self.max_edge_weight = max_edge_weight
        self.infinity_values = infinity_values
        self.reduced_homology = reduced_homology
        self.n_jobs = n_jobs

    def _longest(self) -> float:
        return self.max_edge_weight

    def _cloud(self, X: Any) -> Any:
        weights = self.weights(X) if callable(self.weights) else self.weights
        numbers = X.data if hasattr(X, "tocoo") else np.asarray(X)
        if not np.isfinite(numbers).all():
            raise ValueError("Input contains infinite numbers or NaN")
        try:
            lengths = _lengths(X, self.metric, self.metric_params)
            return weighted_lengths(lengths, weights, self.weight_params)
        except NotImplementedError as why:
            raise ValueError(str(why)) from why


def _lengths(X: Any, metric: str | Callable[..., float], params: dict[str, Any]) -> Any:
    """The distances of a cloud, as a matrix or a sparse one."""
    if metric == "precomputed":
        return upper_graph(X) if hasattr(X, "tocoo") else mirrored(X)
    X = X.toarray() if hasattr(X, "tocoo") else np.asarray(X)
    return pairwise(X, metric, params)
