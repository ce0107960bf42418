#!/usr/bin/env python3
"""Times large inputs: many points in few and in many dimensions, a graph and an image.

    python benches/large.py                                  # writes benches/results/large.json
    python benches/large.py --baseline OLDER/lacuna          # and beside an older build
    python benches/large.py --images t10k-images-idx3-ubyte.gz   # and 10,000 images in R^784

Every case is a process of its own, so that its peak of memory is known. Dimensions 0 and 1, all
threads. A round runs each case once with every build in turn; the table has medians. With
matplotlib, benches/results/large.svg shows the time against the number of points.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent


def uniform(dimension):
    return lambda rng, n: rng.random((n, dimension))


def gauss16(rng, n):
    return rng.normal(size=(n, 16))


def annulus(rng, n):
    """Between the circles of radius 0.8 and 1, evenly: the hole dies at 1.386."""
    turn, far = 2 * np.pi * rng.random(n), np.sqrt(0.64 + 0.36 * rng.random(n))
    return np.c_[far * np.cos(turn), far * np.sin(turn)]


def solid_torus(rng, n):
    """Around a circle of radius 1, up to 0.3 from it: the hole dies at 1.21."""
    turn = 2 * np.pi * rng.random(n)
    disk = rng.uniform(-1, 1, (3 * n, 2))
    disk = 0.3 * disk[(disk**2).sum(1) <= 1][:n]
    return np.c_[(1 + disk[:, 0]) * np.cos(turn), (1 + disk[:, 0]) * np.sin(turn), disk[:, 1]]


#: name: how its points are made, and how many there are.
CLOUDS = {
    "g16_10000": (gauss16, 10_000),
    "uni3_10000": (uniform(3), 10_000),
    "uni3_100000": (uniform(3), 100_000),
    "uni3_1000000": (uniform(3), 1_000_000),
    "uni2_10000": (uniform(2), 10_000),
    "uni2_100000": (uniform(2), 100_000),
    "uni2_1000000": (uniform(2), 1_000_000),
    "annulus_10000": (annulus, 10_000),
    "annulus_30000": (annulus, 30_000),
    "annulus_100000": (annulus, 100_000),
    "torus_10000": (solid_torus, 10_000),
    "torus_30000": (solid_torus, 30_000),
    "torus_100000": (solid_torus, 100_000),
}


#: Vertices of the graphs.
SIZES = {"knn15_100000": 100_000, "image_1000x1000": 1_000_000}


def graph(rng, n=100_000, k=15):
    """The k nearest neighbours of points in the unit cube, as lines `i j length`."""
    from scipy.spatial import cKDTree

    points = rng.random((n, 3))
    far, near = cKDTree(points).query(points, k + 1)
    i = np.repeat(np.arange(n), k)
    rows = np.c_[i, near[:, 1:].ravel(), far[:, 1:].ravel()]
    rows[:, :2] = np.sort(rows[:, :2], axis=1)
    _, first = np.unique(rows[:, :2], axis=0, return_index=True)
    return rows[first]


def image(rng, side=1000):
    """A smooth random image as a lower-star filtration: every pixel enters with its value."""
    spectrum = np.fft.rfft2(rng.random((side, side)))
    slow = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    values = np.fft.irfft2(spectrum * np.exp(-((slow / 0.08) ** 2)), (side, side))
    values = ((values - values.min()) / np.ptp(values)).astype("f4")
    number = np.arange(side * side).reshape(side, side)
    joined = [
        (number[:, 1:], number[:, :-1]),
        (number[1:], number[:-1]),
        (number[1:, 1:], number[:-1, :-1]),
    ]
    a, b = (np.concatenate([pair[which].ravel() for pair in joined]) for which in (0, 1))
    flat = values.ravel()
    edges = np.c_[a, b, np.maximum(flat[a], flat[b])]
    return np.r_[edges, np.c_[number.ravel(), number.ravel(), flat]]


def sparse(rows, path):
    import scipy.sparse

    size = int(rows[:, :2].max()) + 1
    i, j = rows[:, 0].astype(np.int32), rows[:, 1].astype(np.int32)
    matrix = scipy.sparse.coo_matrix((rows[:, 2].astype("f4"), (i, j)), shape=(size, size))
    scipy.sparse.save_npz(path, matrix, compressed=False)


def cases(folder, images):
    """The files of all cases, by their names."""
    files = {}
    for at, (name, (make, n)) in enumerate(CLOUDS.items()):
        files[name] = folder / f"{name}.npy"
        np.save(files[name], make(np.random.default_rng(at), n).astype("f4"))
    if images:
        pixels = np.frombuffer(gzip.open(images).read(), np.uint8, offset=16).reshape(-1, 784)
        files[f"fashion_{len(pixels)}x784"] = folder / "fashion.npy"
        np.save(folder / "fashion.npy", pixels.astype("f4"))
    for name, rows in [("knn15_100000", graph), ("image_1000x1000", image)]:
        try:
            files[name] = folder / f"{name}.npz"
            sparse(rows(np.random.default_rng(7)), files[name])
        except ImportError:
            print(f"{name}: SciPy is not installed", file=sys.stderr)
            del files[name]
    return files


def resident(process):
    """KiB that a process had at its peak, or 0 when it has ended.

    What the system says of children that have ended counts the copy of this process that they began
    as.
    """
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return max((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), default=0)
    except OSError:
        return 0


def measure(program, path, patience):
    """Seconds of the engine, GiB at the peak, and the number of bars."""
    with tempfile.TemporaryFile() as out:
        command = [program, "barcode", path, "--dim", "1", "--engine", "cpu", "--json", "--profile"]
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        end = time.monotonic() + patience
        peak = 0
        while True:
            peak = max(peak, resident(child.pid))
            done, status = os.waitpid(child.pid, os.WNOHANG)
            if done:
                break
            if time.monotonic() > end:
                child.kill()
                os.waitpid(child.pid, 0)
                return None
            time.sleep(0.01)
        if status:
            return None
        out.seek(0)
        found = json.load(out)
    bars = [len(of) for of in found["bars"].values()]
    return found["seconds"]["total"], peak / 2**20, bars


def plot(rows, path):
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.hashsalt": "lacuna", "font.size": 11})
    figure, axes = plt.subplots(figsize=(6, 4.2))
    families = [
        ("uni2", "the plane, uniform"),
        ("uni3", "space, uniform"),
        ("annulus", "an annulus"),
        ("torus", "a solid torus"),
    ]
    for family, label in families:
        of = sorted(
            (r["points"], r["seconds"])
            for r in rows
            if r["case"].split("_")[0] == family and r["seconds"]
        )
        if of:
            axes.loglog(*zip(*of), "o-", label=label)
    most = axes.get_ylim()[1]
    guide = np.array([1e4, 1e6])
    axes.loglog(guide, 0.1 * guide / 1e4, ":", color="gray", label="proportional to n")
    axes.loglog(guide[:1].tolist() + [1e5], [0.1, 10], "--", color="gray", label="to its square")
    axes.set(xlabel="points", ylabel="seconds, dimensions 0 and 1", ylim=(None, most * 2))
    axes.legend(frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lacuna", default=str(HERE.parent / "target/release/lacuna"))
    parser.add_argument(
        "--baseline", help="an older build, which is given --patience seconds a case"
    )
    parser.add_argument("--images", help="test images of Fashion-MNIST, as they are published")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patience", type=float, default=600)
    parser.add_argument("--only", default="", help="only cases whose names hold this")
    parser.add_argument("--out", default=str(HERE / "results/large.json"))
    options = parser.parse_args()
    builds = {"seconds": options.lacuna} | (
        {"baseline": options.baseline} if options.baseline else {}
    )
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, path in cases(Path(folder), options.images).items():
            if options.only not in name:
                continue
            runs = {key: [] for key in builds}
            for _ in range(options.rounds):
                for key, program in builds.items():
                    if None not in runs[key]:
                        patience = options.patience if key == "baseline" else float("inf")
                        runs[key].append(measure(program, path, patience))
            found = runs["seconds"]
            if None in found:
                sys.exit(f"{name}: {options.lacuna} gave no answer")
            points = CLOUDS[name][1] if name in CLOUDS else SIZES.get(name, found[0][2][0])
            row = {"case": name, "points": points, "bars": found[0][2]}
            for key, of in runs.items():
                row[key] = None if None in of or not of else statistics.median(r[0] for r in of)
            row["gib"] = max(r[1] for r in found)
            if options.baseline and None not in runs["baseline"]:
                row["baseline_gib"] = max(r[1] for r in runs["baseline"])
                assert runs["baseline"][0][2] == row["bars"], f"{name}: other bars"
            rows.append(row)
            print(
                {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}, flush=True
            )
    machine = {
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "rounds": options.rounds,
    }
    Path(options.out).write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
    try:
        plot(rows, Path(options.out).with_suffix(".svg"))
    except ImportError:
        print("matplotlib is not installed, so there is no plot", file=sys.stderr)


if __name__ == "__main__":
    main()
