"""``from lacuna_tda.compat.torch_topological import VietorisRipsComplex`` in place of that of
``torch_topological.nn``. It takes the same arguments and returns the same things."""

from __future__ import annotations

import math
from collections import namedtuple
from typing import Any

import numpy as np
import torch

from .._compute import barcodes
from ..torch import pairing

try:
    from torch_topological.nn.data import PersistenceInformation
except ImportError:
    PersistenceInformation = namedtuple(  # type: ignore[misc,no-redef]
        "PersistenceInformation", ["pairing", "diagram", "dimension"], defaults=[None]
    )


class VietorisRipsComplex(torch.nn.Module):
    """Diagrams of clouds, with gradients.

    ``dim`` is the highest dimension, ``p`` the exponent of the Minkowski distance, ``threshold``
    the longest edge, and ``keep_infinite_features`` keeps bars that never die. ``n_threads`` sets
    the threads. Coefficients other than Z/2 are refused.
    """

    def __init__(
        self,
        dim: int = 1,
        p: float = 2,
        threshold: float = math.inf,
        keep_infinite_features: bool = False,
        n_threads: int | None = None,
        coeff: int = 2,
    ):
        super().__init__()
        if coeff != 2:
            raise ValueError(
                f"coeff={coeff}: this engine computes over Z/2 alone, which is coeff=2"
            )
        self.dim = dim
        self.p = p
        self.threshold = threshold
        self.keep_infinite_features = keep_infinite_features
        self.n_threads = n_threads if n_threads is None or n_threads > 0 else None

    def forward(self, x: Any, treat_as_distances: bool = False) -> list[Any]:
        """The diagrams of one cloud, shape (points, features), as a list by dimension, or of many,
        shape (clouds, points, features) or a list, as a list of such lists.

        With ``treat_as_distances`` the clouds are matrices of distances.
        """
        many = isinstance(x, (list, tuple)) or x.ndim == 3
        clouds = [torch.as_tensor(cloud) for cloud in x] if many else [torch.as_tensor(x)]
        if not treat_as_distances:
            clouds = [torch.cdist(cloud, cloud, p=self.p) for cloud in clouds]
        # Of a distance that rounding made unlike in both directions the upper one is read.
        squares = [cloud.detach().cpu().numpy() for cloud in clouds]
        squares = [np.triu(square, 1) + np.triu(square, 1).T for square in squares]
        options = dict(threshold=self.threshold, threads=self.n_threads)
        found = barcodes(squares, self.dim, metric="precomputed", edges=True, **options)
        result = [
            [self._information(cloud, barcode, d) for d in range(self.dim + 1)]
            for cloud, barcode in zip(clouds, found)
        ]
        return result if many else result[0]

    def _information(self, distances: torch.Tensor, barcode: Any, dim: int) -> Any:
        ends = barcode.edges(dim)
        kept = ends[:, 2] >= 0
        order = np.flatnonzero(kept)
        if self.keep_infinite_features:
            order = np.concatenate([order, np.flatnonzero(~kept)])
        rows = pairing(barcode, dim)[order]
        ends = torch.from_numpy(ends[order]).to(distances.device)
        upper = lambda i, j: distances[torch.minimum(i, j), torch.maximum(i, j)]
        birth = upper(ends[:, 0], ends[:, 1])
        birth = torch.zeros_like(birth) if dim == 0 else birth
        dies = ends[:, 2] >= 0
        death = torch.full_like(birth, math.inf)
        death[dies] = upper(ends[dies, 2], ends[dies, 3])
        return PersistenceInformation(rows, torch.stack([birth, death], 1), dim)
