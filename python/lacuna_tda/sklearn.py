"""Barcodes as a transformer of scikit-learn, which has to be installed."""

from __future__ import annotations

import math
from typing import Any, Sequence

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from ._compute import barcode, barcodes


class RipsTransformer(TransformerMixin, BaseEstimator):
    """The diagrams of many clouds.

    Parameters
    ----------
    dims
        Dimensions, each 0 to 3; or one alone, of which :meth:`transform` then returns plain
        diagrams, as the vectorisations of GUDHI and persim take them in a pipeline.
    metric, threshold, k, max_points, engine
        As in :func:`lacuna_tda.barcode`.
    keep_infinite
        Whether bars that never die are kept, with the death ``inf``. Vectorisations take finite
        ones alone.
    n_jobs
        Threads: None leaves them to ``LACUNA_THREADS``, ``RAYON_NUM_THREADS``, ``OMP_NUM_THREADS``
        or all cores; a negative number counts from all cores down, -1 being all.
    """

    def __init__(
        self,
        dims: int | Sequence[int] = (0, 1),
        metric: str = "euclidean",
        threshold: float = math.inf,
        k: int = 14,
        max_points: int | None = None,
        keep_infinite: bool = False,
        engine: str = "auto",
        n_jobs: int | None = None,
    ):
        self.dims = dims
        self.metric = metric
        self.threshold = threshold
        self.k = k
        self.max_points = max_points
        self.keep_infinite = keep_infinite
        self.engine = engine
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> "RipsTransformer":
        """Checks the parameters; nothing is learnt."""
        dims = np.atleast_1d(self.dims)
        if not len(dims) or any(d != int(d) or not 0 <= d <= 3 for d in dims):
            raise ValueError(f"dims={self.dims}: whole numbers from 0 to 3 are needed")
        barcode([[0.0]], 0, metric=self.metric, engine="cpu")  # which names metrics that are known
        self.dims_ = [int(d) for d in dims]
        return self

    def transform(self, X: Any, y: Any = None) -> list[Any]:
        """For each cloud of ``X`` its diagrams, one array of shape (bars, 2) for each of ``dims``,
        or a single array if that is one number.

        ``X`` is an array of shape (clouds, points, features), or a list of whatever
        :func:`lacuna_tda.barcode` takes.
        """
        dims = getattr(self, "dims_", None) or self.fit(X).dims_
        found = barcodes(
            X,
            max(dims),
            metric=self.metric,
            threshold=self.threshold,
            k=self.k,
            max_points=self.max_points,
            engine=self.engine,
            threads=threads_of(self.n_jobs),
        )
        kept = lambda d: d if self.keep_infinite else d[np.isfinite(d[:, 1])]
        if np.ndim(self.dims) == 0:
            return [kept(bars.diagram(dims[0])) for bars in found]
        return [[kept(bars.diagram(d)) for d in dims] for bars in found]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """``H0``, ``H1`` and so on: what the lists of diagrams hold."""
        return np.array([f"H{d}" for d in np.atleast_1d(self.dims)], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


def threads_of(n_jobs: int | None) -> int | None:
    """Threads for a number of jobs as joblib counts them; None stays None."""
    if n_jobs is None:
        return None
    if n_jobs == 0:
        raise ValueError("n_jobs must not be 0")
    if n_jobs > 0:
        return n_jobs
    import os

    return max(1, (os.cpu_count() or 1) + 1 + n_jobs)
