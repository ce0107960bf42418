"""Filtrations of weighted points, whose balls grow from a radius below 0 on.

After Anai and others, DTM-based filtrations (Abel Symposia 15, 2020): the ball of a point of weight
``w`` has the radius ``(t^p - w^p)^(1/p)`` from ``t = w`` on. Lengths here are diameters, so weights
count twice.
"""

from __future__ import annotations

import math

import numpy as np


def weights_of(
    distances: np.ndarray, weights: object, params: dict | None
) -> tuple[np.ndarray, float]:
    """The lengths at which points enter, and the exponent.

    ``weights`` are the points' own, or ``"DTM"``: for each point the mean power ``r`` of its
    distances to ``n_neighbors`` nearest ones and to itself.
    """
    distances = np.asarray(distances, np.float64)
    params = {"p": 1, "r": 2, "n_neighbors": 3, **(params or {})}
    if params["p"] not in (1, 2, math.inf):
        raise NotImplementedError(f"p={params['p']}: 1, 2 and infinity are computed")
    if isinstance(weights, str):
        if weights != "DTM":
            raise ValueError(
                f"'{weights}' passed for `weights` but the only allowed string is 'DTM'"
            )
        near = distances.copy()
        np.fill_diagonal(near, np.inf)
        count = params["n_neighbors"]
        if count >= len(near):
            raise ValueError(f"n_neighbors={count}: there are {len(near) - 1} other points")
        near = np.sort(near, axis=1)[:, :count]
        return 2 * ((near ** params["r"]).sum(1) / (count + 1)) ** (1 / params["r"]), params["p"]
    own = np.asarray(weights, np.float64).ravel()
    if len(own) != len(distances):
        raise ValueError(f"{len(own)} weights are given for {len(distances)} points")
    if (own < 0).any():
        raise ValueError("weights must not be negative")
    return own, params["p"]


def weighted(distances: np.ndarray, weights: np.ndarray, p: float) -> np.ndarray:
    """The lengths at which the balls of two points meet, and on the diagonal those at which points
    enter. Both points have to be there first."""
    a, b = weights[:, None], weights[None, :]
    both = np.maximum(a, b)
    if p == 1:
        meet = distances + (a + b) / 2
    elif p == 2:
        with np.errstate(divide="ignore", invalid="ignore"):
            meet = distances**2 + (a + b) ** 2 / 4
            meet = np.sqrt(meet * (distances**2 + (a - b) ** 2 / 4)) / distances
        # One ball holds the other's centre when that enters.
        meet = np.where(distances <= np.sqrt(np.abs(a**2 - b**2)) / 2, both, meet)
        meet = np.where(np.isinf(distances), np.inf, meet)
    else:
        meet = distances
    lengths = np.maximum(meet, both)
    np.fill_diagonal(lengths, weights)
    return lengths
