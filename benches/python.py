#!/usr/bin/env python3
"""Times lacuna_tda beside the peers, all from Python, on the same arrays, in one run.

    python benches/python.py                 # writes benches/results/python.json, prints a table
    python benches/python.py --rounds 3      # fewer repetitions

What is installed of ripser (ripser.py), gph (giotto-ph), gudhi and holos_tda takes part. Every
round times all of them once, in turn, so that a machine that slows down does so for all; the table
has medians. Answers are compared: the same number of bars of each dimension that are longer than
one thousandth of the longest.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path

import numpy as np

import lacuna_tda as lt

CLOUDS = Path(__file__).resolve().parents[1] / "assets" / "clouds"


def lacuna(threads):
    run = lambda x, dim: lt.barcode(x, dim, engine="cpu", threads=threads).diagrams
    many = lambda clouds, dim: [
        b.diagrams for b in lt.barcodes(clouds, dim, engine="cpu", threads=threads)
    ]
    return run, many


def one_by_one(run):
    return run, lambda clouds, dim: [run(cloud, dim) for cloud in clouds]


def peers():
    """Of every package a function of one cloud and one of many, by its name and threads."""
    found = {"lacuna_tda, 1 thread": lacuna(1), "lacuna_tda, 2 threads": lacuna(2)}
    try:
        from ripser import ripser

        found["ripser.py"] = one_by_one(lambda x, dim: ripser(x, maxdim=dim)["dgms"])
    except ImportError:
        pass
    try:
        from gph import ripser_parallel

        for threads in (1, 2):
            run = lambda x, dim, n=threads: ripser_parallel(x, maxdim=dim, n_threads=n)["dgms"]
            found[f"giotto-ph, {threads} thread{'s' * (threads > 1)}"] = one_by_one(run)
    except ImportError:
        pass
    try:
        from gudhi.sklearn import RipsPersistence

        def gudhi(x, dim):
            return RipsPersistence(list(range(dim + 1)), homology_coeff_field=2).fit_transform([x])[
                0
            ]

        def gudhi_many(clouds, dim):
            dims = list(range(dim + 1))
            return RipsPersistence(dims, homology_coeff_field=2, n_jobs=2).fit_transform(
                list(clouds)
            )

        found["GUDHI"] = gudhi, gudhi_many
    except ImportError:
        pass
    try:
        import holos_tda

        def holos(x, dim):
            rows = [list(map(float, p)) for p in x]
            bars = holos_tda.rips_points(rows, max_dim=dim, threads=1)
            of = lambda d: np.array([b[1:] for b in bars if b[0] == d], np.float64).reshape(-1, 2)
            return [of(d) for d in range(dim + 1)]

        found["holos"] = one_by_one(holos)
    except ImportError:
        pass
    return found


def inputs():
    normal = lambda *shape: np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return {
        "2,000 points of R^3": (np.load(CLOUDS / "uni3_2000.npy"), 1),
        "1,000 points of R^16": (np.load(CLOUDS / "g16_1000.npy"), 1),
        "192 points of a 3-sphere, dimension 2": (np.load(CLOUDS / "sphere_3_192.npy"), 2),
        "512 clouds of 128 points of R^8": (normal(512, 128, 8), 1),
        "one cloud of 4 points": (normal(4, 2), 1),
    }


def counts(diagrams):
    """Bars of each dimension that are not short: a measure that rounding does not change."""
    ends = [d[:, 1] - d[:, 0] for d in diagrams]
    finite = np.concatenate([e[np.isfinite(e)] for e in ends])
    least = 1e-3 * finite.max(initial=0)
    return [int((e > least).sum()) for e in ends]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--most", type=float, default=60, help="seconds after which a peer is left out"
    )
    parser.add_argument("--only", default="", help="inputs whose names hold this")
    parser.add_argument("--out", type=Path, default=Path("benches/results/python.json"))
    asked = parser.parse_args()
    packages, results = peers(), []
    for name, (given, dim) in inputs().items():
        if asked.only not in name:
            continue
        many = given.ndim == 3
        times: dict[str, list[float]] = {package: [] for package in packages}
        answers = {}
        for _ in range(asked.rounds):
            for package, (one, of_many) in packages.items():
                if times[package] and times[package][0] > asked.most:
                    continue
                start = time.perf_counter()
                found = of_many(given, dim) if many else one(given, dim)
                times[package].append(time.perf_counter() - start)
                answers[package] = counts(found[0] if many else found)
        want = answers["lacuna_tda, 1 thread"]
        apart = [p for p, got in answers.items() if got != want]
        if apart:
            print(f"{name}: {apart} count other bars than {want}", file=sys.stderr)
            return 1
        for package, seconds in times.items():
            median = statistics.median(seconds)
            results.append({"input": name, "dim": dim, "package": package, "seconds": seconds})
            print(f"{name:35} {package:24} {median:10.5f} s", flush=True)
    asked.out.write_text(
        json.dumps(
            {
                "machine": platform.processor() or platform.machine(),
                "cores": os.cpu_count(),
                "rows": results,
            },
            indent=1,
        )
        + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
