"""Diagrams that carry gradients to the points, for PyTorch, which has to be installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ._compute import barcodes

_NORMS = {"euclidean": 2.0, "l2": 2.0, "cityblock": 1.0, "manhattan": 1.0, "l1": 1.0}
_NORMS |= {"chebyshev": float("inf"), "max": float("inf")}


def vietoris_rips(
    x: Any,
    dim: int = 1,
    *,
    metric: str = "euclidean",
    threshold: float | None = None,
    infinite: bool = False,
    **options: Any,
) -> list[Any]:
    """The diagrams of a cloud, as tensors that carry gradients.

    A birth or a death is the length of one edge, and its gradient goes to the two ends of that
    edge. The engine computes with float32 which edges these are; the lengths are then taken in
    ``x``'s own type.

    Parameters
    ----------
    x
        Points, shape (points, features); with ``metric="precomputed"`` distances, shape (points,
        points). Three dimensions, or a list, are many clouds, which are computed in one call.
    dim
        Highest dimension, 0 to 3.
    metric
        ``euclidean``, ``cityblock``, ``chebyshev`` or ``precomputed``.
    threshold
        Longest edge that enters; the whole filtration if it is not given.
    infinite
        Whether bars that never die are kept, with the death ``inf``.
    options
        Other arguments of :func:`lacuna_tda.barcode`, such as ``threads``.

    Returns
    -------
    One tensor of shape (bars, 2) for each dimension, on the device and of the type of ``x``; of
    many clouds a list of such lists. Births of dimension 0 are 0; those of distances
    are the entries on the diagonal, with gradients.
    """
    x = torch.as_tensor(x) if isinstance(x, np.ndarray) else x
    many = isinstance(x, (list, tuple)) or x.ndim == 3
    clouds = [torch.as_tensor(cloud) for cloud in x] if many else [x]
    for cloud in clouds:
        if not cloud.is_floating_point():
            raise TypeError(f"a cloud of {cloud.dtype} carries no gradients: float is needed")
        if cloud.ndim != 2:
            raise ValueError(
                f"a cloud must have two dimensions, not the shape {tuple(cloud.shape)}"
            )
    if metric != "precomputed" and metric not in _NORMS:
        raise ValueError(f"gradients of the metric '{metric}' are not known")
    numbers = [cloud.detach().cpu().numpy() for cloud in clouds]
    found = barcodes(numbers, dim, metric=metric, threshold=threshold, edges=True, **options)
    result = [
        [_diagram(cloud, barcode, d, metric, infinite) for d in range(dim + 1)]
        for cloud, barcode in zip(clouds, found)
    ]
    return result if many else result[0]


def pairing(barcode: Any, dim: int) -> np.ndarray:
    """The simplices that make the bars of a dimension: rows of a vertex and the two ends of an edge
    in dimension 0, of the ends of two edges above; -1 stands for a death that never comes."""
    edges = barcode.edges(dim)
    return edges[:, 1:] if dim == 0 else edges


def _diagram(
    cloud: torch.Tensor, barcode: Any, dim: int, metric: str, infinite: bool
) -> torch.Tensor:
    edges = barcode.edges(dim)
    if not infinite:
        edges = edges[edges[:, 2] >= 0]
    ends = torch.from_numpy(np.ascontiguousarray(edges)).to(cloud.device)
    birth = _lengths(cloud, ends[:, 0], ends[:, 1], metric)
    dies = ends[:, 2] >= 0
    death = torch.full_like(birth, float("inf"))
    death[dies] = _lengths(cloud, ends[dies, 2], ends[dies, 3], metric)
    return torch.stack([birth, death], 1)


def _lengths(cloud: torch.Tensor, i: torch.Tensor, j: torch.Tensor, metric: str) -> torch.Tensor:
    if metric == "precomputed":
        return cloud[i, j]
    # The norm's gradient at 0 is 0, not NaN.
    return torch.linalg.vector_norm(cloud[i] - cloud[j], ord=_NORMS[metric], dim=1)
