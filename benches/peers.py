#!/usr/bin/env python3
"""Peers of the engine, for `lacuna bench --suite --peers` and `cargo bench --bench suite -- --peers`.

    peers.py --setup FOLDER [redzed.cpp]
                                makes a virtual environment there and installs the peers; prints its python. RedZeD is one
                                file of C++, which is downloaded, or taken from the path that is given, and compiled
    peers.py --list             prints the engines that are installed, one a line; of these the ones in $PEERS, if it is set
    peers.py REQUEST            measures: the request and the answer are those of src/bench/child.rs

Times are of the call alone: imports, reading the input and starting Python are not in them; peak memory is of the whole process.
"""

import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import time
import urllib.request

PACKAGES = ["numpy", "gudhi==3.14.0a2", "giotto-ph==0.2.4", "ripser==0.6.15", "holos-tda==0.9.0", "scikit-learn", "joblib"]

# RedZeD (Kapulkin and Kershaw, arXiv 2606.06310) at the commit that we measure.
REDZED = "https://raw.githubusercontent.com/nkershaw01/RedZeD/2cbc64785200f8e3a7dcf9e0b35a3fe614c44e8b/redzed.cpp"
# Its function for matrices, with a name and types that Python can call. It keeps the bars of the last call.
REDZED_FOR_PYTHON = """
#include "redzed.cpp"
static RedzedResult last;
extern "C" long compute(const double *d, int n, int dim, double threshold) {
    last = redzed_flat(std::vector<double>(d, d + std::size_t(n) * n), n, dim, threshold);
    long bars = 0;
    for (auto &pairs : last) bars += pairs.size();
    return bars;
}
extern "C" void take(double *out) {
    for (std::size_t dim = 0; dim < last.size(); ++dim)
        for (auto &pair : last[dim]) *out++ = dim, *out++ = pair.first, *out++ = pair.second;
}
"""


def redzed_library(python):
    """Where the compiled RedZeD of this environment is."""
    return os.path.join(os.path.dirname(os.path.abspath(python)), "redzed.so")


def setup_redzed(python, source):
    folder = os.path.dirname(redzed_library(python))
    if source:
        shutil.copy(source, os.path.join(folder, "redzed.cpp"))
    else:
        urllib.request.urlretrieve(REDZED, os.path.join(folder, "redzed.cpp"))
    with open(os.path.join(folder, "redzed_for_python.cpp"), "w") as out:
        out.write(REDZED_FOR_PYTHON)
    compiler = [os.environ.get("CXX", "c++"), "-O3", "-march=native", "-DNDEBUG", "-std=c++20", "-shared", "-fPIC"]
    files = ["redzed_for_python.cpp", "-o", redzed_library(python)]
    subprocess.run(compiler + files, check=True, cwd=folder, stdout=sys.stderr)


def setup(folder, redzed=None):
    python = os.path.join(folder, "Scripts" if os.name == "nt" else "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, stdout=sys.stderr)
    for package in PACKAGES:  # one by one: a package without a wheel for this Python costs itself alone
        subprocess.run([python, "-m", "pip", "install", "-q", package], stdout=sys.stderr)
    if shutil.which("nvcc"):  # Ripser++ is compiled for the card of this machine
        subprocess.run([python, "-m", "pip", "install", "-q", "ripserplusplus"], stdout=sys.stderr)
    try:
        setup_redzed(python, redzed)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"peers.py: RedZeD is left out: {error}", file=sys.stderr)
    print(python)


def engines():
    found = []
    for name, module in [("giotto-ph", "gph"), ("gudhi", "gudhi.sklearn"), ("holos", "holos_tda"), ("ripser.py", "ripser"), ("ripser++", "ripserplusplus")]:
        try:
            __import__(module)
            found.append(name)
        except Exception:
            pass
    if "gudhi" in found:
        found.append("gudhi+collapse")
    if os.path.exists(redzed_library(sys.executable)):
        found.append("redzed")
    wanted = os.environ.get("PEERS")
    return [name for name in found if wanted is None or name in wanted.split()]


def caller(engine, kind, max_dim, threshold, threads):
    """A function from an array to a list of diagrams, one array of (birth, death) for each dimension."""
    import numpy as np

    limit = np.inf if threshold is None else threshold
    matrix = kind == "distances"
    if engine == "giotto-ph":
        from gph import ripser_parallel

        metric = "precomputed" if matrix else "euclidean"
        return lambda x: ripser_parallel(x, maxdim=max_dim, thresh=limit, metric=metric, n_threads=threads)["dgms"]
    if engine in ("gudhi", "gudhi+collapse"):
        from gudhi.sklearn import RipsPersistence

        def call(x, many=False):
            rips = RipsPersistence(
                homology_dimensions=list(range(max_dim + 1)),
                threshold=limit,
                input_type="full distance matrix" if matrix else "point cloud",
                num_collapses=1 if engine == "gudhi+collapse" else 0,
                n_jobs=threads,
            )
            found = rips.fit_transform(list(x) if many else [x])
            return found if many else found[0]

        return call
    if engine == "holos":
        import holos_tda

        def call(x):
            if matrix:
                upper = x[np.triu_indices(len(x), 1)]
                found = holos_tda.rips_condensed(upper, max_dim=max_dim, threshold=threshold, threads=threads)
            else:
                found = holos_tda.rips_points(x, max_dim=max_dim, threshold=threshold, threads=threads)
            return [[(b, np.inf if d is None else d) for dim, b, d in found if dim == k] for k in range(max_dim + 1)]

        return call
    if engine == "ripser++":
        import ripserplusplus

        words = f"--dim {max_dim} --format {'distance' if matrix else 'point-cloud'}"
        words += "" if threshold is None else f" --threshold {threshold}"

        def call(x):
            found = ripserplusplus.run(words, x.astype(np.float32))
            return [[(b, d) for b, d in found.get(k, [])] for k in range(max_dim + 1)]

        return call
    if engine == "redzed":
        from scipy.spatial.distance import pdist, squareform

        library = ctypes.CDLL(redzed_library(sys.executable))
        library.compute.restype = ctypes.c_long
        numbers = np.ctypeslib.ndpointer(float, flags="C")
        library.compute.argtypes = [numbers, ctypes.c_int, ctypes.c_int, ctypes.c_double]
        library.take.argtypes = [numbers]

        def call(x):
            table = np.ascontiguousarray(x) if matrix else squareform(pdist(x))
            # It goes on to the longest edge; the other engines end at the enclosing radius, where nothing is left to find.
            end = min(limit, table.max(1).min())
            rows = np.empty((library.compute(table, len(table), max_dim, end), 3))
            library.take(rows)
            return [rows[rows[:, 0] == dim, 1:] for dim in range(max_dim + 1)]

        return call
    from ripser import ripser

    return lambda x: ripser(x, maxdim=max_dim, thresh=limit, distance_matrix=matrix)["dgms"]


def count(diagrams, bars):
    import numpy as np

    for dim, diagram in enumerate(diagrams[: len(bars)]):
        d = np.asarray(diagram, dtype=float).reshape(-1, 2)
        bars[dim] += int(((d[:, 1] > d[:, 0]) & np.isfinite(d[:, 1])).sum())


def measure(request):
    import numpy as np

    x = np.fromfile(request["file"], dtype="<f4").reshape(request["shape"]).astype(float)
    max_dim, kind, engine = request["max_dim"], request["kind"], request["engine"]
    call = caller(engine, kind, max_dim, request["threshold"], request["threads"])
    begin, seconds = time.perf_counter(), []
    for run in range(request["runs"] + 1):
        start = time.perf_counter()
        if kind != "batch":
            found = [call(x)]
        elif engine.startswith("gudhi"):
            found = call(x, many=True)
        else:
            found = [call(cloud) for cloud in x]
        took = time.perf_counter() - start
        enough = time.perf_counter() - begin > request["seconds_at_most"]
        if run > 0 or enough:
            seconds.append(took)
        if enough:
            break
    bars = [0] * (max_dim + 1)
    for diagrams in found:
        count(diagrams, bars)
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(json.dumps({"seconds": seconds, "bars": bars, "peak_bytes": peak, "note": ""}))


if __name__ == "__main__":
    if sys.argv[1] == "--setup":
        setup(*sys.argv[2:])
    elif sys.argv[1] == "--list":
        print("\n".join(engines()))
    else:
        measure(json.loads(sys.argv[1]))
