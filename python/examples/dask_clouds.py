"""Barcodes of many clouds on a Dask cluster: one task for every hundred clouds.

python python/examples/dask_clouds.py     # with dask installed
"""

import dask
import dask.bag
import numpy as np

import lacuna_tda as lt


def loops(clouds: list[np.ndarray]) -> list[np.ndarray]:
    """The diagrams of dimension 1 of a part of the clouds, on one thread: Dask has the others."""
    return [barcode.diagram(1) for barcode in lt.barcodes(clouds, 1, threads=1)]


def main() -> None:
    clouds = list(np.random.default_rng(0).normal(size=(400, 60, 3)).astype(np.float32))
    bag = dask.bag.from_sequence(clouds, partition_size=100)
    # Processes, not threads: each has its own engine.
    found = bag.map_partitions(loops).compute(scheduler="processes", num_workers=2)
    print(f"{len(found)} clouds, {sum(map(len, found))} loops")


if __name__ == "__main__":
    main()
