"""Exact persistent homology of point clouds, distance matrices and weighted graphs.

    >>> import lacuna_tda as lt
    >>> square = [[0, 0], [1, 0], [1, 1], [0, 1]]
    >>> lt.barcode(square).diagram(1)
    array([[1.       , 1.4142135]], dtype=float32)

Barcodes are those of the Vietoris-Rips filtration over Z/2, by diameter: a simplex enters at the
length of its longest edge.
"""

from ._barcode import Barcode, Cycle
from ._compute import barcode, barcodes, betti_curve, betti_numbers, cycles, devices
from ._distances import bottleneck, wasserstein

__all__ = [
    "Barcode",
    "Cycle",
    "barcode",
    "barcodes",
    "betti_curve",
    "betti_numbers",
    "bottleneck",
    "cycles",
    "devices",
    "wasserstein",
]
__version__ = "0.1.0"
