"""Barcodes from Python: what goes in, what comes out, what is refused."""

import json
import math
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import lacuna_tda as lt

SQUARE = [[0, 0], [1, 0], [1, 1], [0, 1]]


def circle(n=60, seed=0):
    turn = np.random.default_rng(seed).uniform(0, 2 * math.pi, n)
    return np.stack([np.cos(turn), np.sin(turn)], 1)


def same(a, b):
    assert len(a.diagrams) == len(b.diagrams)
    for x, y in zip(a.diagrams, b.diagrams):
        np.testing.assert_array_equal(x, y)


def test_a_square_has_one_loop():
    found = lt.barcode(SQUARE)
    np.testing.assert_allclose(found.diagram(1), [[1, math.sqrt(2)]], rtol=1e-6)
    assert found.diagram(0).shape == (4, 2) and np.isinf(found.diagram(0)[-1, 1])
    assert found.diagram(0).dtype == np.float32 and found.n == 4 and found.dim == 1
    assert found.betti_numbers(1.2) == [1, 1] == lt.betti_numbers(SQUARE, 1.2)
    assert repr(found) == "<Barcode of 4 points: H0: 4, H1: 1>"
    assert found.lengths(1)[0] == pytest.approx(math.sqrt(2) - 1)
    scales, values = found.betti_curve(0)
    assert scales.tolist() == [0, 1] and values.tolist() == [4, 1]
    assert "<svg" in found._repr_svg_()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64, np.uint8, bool])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_dtype_and_order_gives_the_same(dtype, order):
    # Read in the wrong order these rows would be other points.
    rows = [[0, 0, 1], [1, 0, 0], [1, 1, 1], [0, 1, 1], [1, 1, 0]]
    given = np.array(rows, dtype=dtype, order=order)
    given.setflags(write=False)
    same(lt.barcode(given), lt.barcode(rows))
    assert lt.barcode(given[:, ::2]).n == 5
    same(lt.barcode(np.array(SQUARE * 2, dtype)[::2][:4], 0), lt.barcode([[0, 0], [1, 1]] * 2, 0))


def test_distances_points_and_graphs_agree():
    points = circle().astype(np.float32)
    apart = np.sqrt(((points[:, None] - points[None]).astype(np.float32) ** 2).sum(2, np.float32))
    plain = lt.barcode(points)
    square = lt.barcode(apart, metric="precomputed")
    condensed = lt.barcode(apart[np.triu_indices(60, 1)], metric="precomputed")
    same(square, condensed)
    for x, y in zip(plain.diagrams, square.diagrams):
        np.testing.assert_allclose(x, y, rtol=1e-6)
    sparse = pytest.importorskip("scipy.sparse")
    same(lt.barcode(sparse.csr_matrix(apart)), square)
    same(lt.barcode(sparse.coo_array(np.triu(apart))), square)
    near = lt.barcode(apart, metric="precomputed", threshold=0.5)
    same(lt.barcode(sparse.csr_matrix(np.where(apart <= 0.5, apart, 0))), near)


def test_many_clouds_are_those_alone():
    rng = np.random.default_rng(1)
    clouds = rng.normal(size=(20, 30, 3)).astype(np.float32)
    alone = [lt.barcode(c, 2) for c in clouds]
    in_columns = np.asfortranarray(clouds)
    for found in (lt.barcodes(clouds, 2), lt.barcodes(list(clouds), 2), lt.barcodes(in_columns, 2)):
        for a, b in zip(found, alone, strict=True):
            same(a, b)
    every_other = lt.barcodes(clouds[:, ::2], 1)
    same(every_other[3], lt.barcode(clouds[3, ::2], 1))
    unlike = lt.barcodes([clouds[0], SQUARE, clouds[1][:5]])
    same(unlike[1], lt.barcode(SQUARE))
    assert lt.barcodes([]) == []


def test_edges_have_the_lengths_of_the_bars():
    points = np.random.default_rng(2).normal(size=(40, 3)).astype(np.float32)
    found = lt.barcode(points, 2, edges=True)
    for dim in range(3):
        bars, edges = found.diagram(dim), found.edges(dim)
        assert edges.shape == (len(bars), 4) and edges.dtype == np.int64
        birth = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
        np.testing.assert_allclose(birth, bars[:, 0], rtol=1e-5, atol=1e-6)
        dies = np.isfinite(bars[:, 1])
        assert (edges[~dies, 2:] == -1).all()
        death = np.linalg.norm(points[edges[dies, 2]] - points[edges[dies, 3]], axis=1)
        np.testing.assert_allclose(death, bars[dies, 1], rtol=1e-5)
    with pytest.raises(ValueError, match="edges=True"):
        lt.barcode(points).edges(1)


def test_points_may_enter_later():
    # Three points in a row; the middle one enters at 0.5, the last at 1.5.
    lengths = np.array([[0, 1, 2], [1, 0.5, 1.5], [2, 1.5, 1.5]], np.float32)
    np.testing.assert_array_equal(
        lt.barcode(lengths, 0, metric="precomputed").diagram(0), [[0, np.inf], [0.5, 1]]
    )
    below = lt.barcode(lengths - 3, 0, metric="precomputed", threshold=-2.0)
    np.testing.assert_array_equal(below.diagram(0), [[-3, np.inf], [-2.5, -2]])
    assert lt.betti_numbers(lengths - 3, -2.25, 0, metric="precomputed") == [2]
    scipy_sparse = pytest.importorskip("scipy.sparse")
    graph = scipy_sparse.coo_matrix(np.triu(lengths))
    np.testing.assert_array_equal(lt.barcode(graph, 0).diagram(0), [[0, np.inf], [0.5, 1]])
    with pytest.raises(ValueError, match="no edge enters before its ends"):
        lt.barcode(lengths + 5 * np.eye(3), metric="precomputed")
    with pytest.raises(ValueError, match="no edge enters before its ends"):
        lt.barcode(lengths - 3 + 5 * np.eye(3), metric="precomputed")


def test_a_sample_of_negative_lengths_has_no_certain_bars():
    apart = np.abs(np.subtract.outer(np.arange(9.0), np.arange(9.0))) - 3
    found = lt.barcode(apart, 0, metric="precomputed", max_points=4)
    assert found.sampled_from == 9 and not found.certain(0).any()
    assert "M-" not in found._repr_svg_()


@pytest.mark.parametrize("bad", [float("nan"), float("-inf")])
def test_a_threshold_is_a_number(bad):
    with pytest.raises(ValueError, match="threshold"):
        lt.barcode(SQUARE, threshold=bad)
    with pytest.raises(ValueError, match="scale"):
        lt.betti_numbers(SQUARE, bad)


def test_a_title_is_no_placeholder():
    text = lt.barcode(SQUARE, threshold=1.2).to_html(title="{{SCRIPT}}")
    assert "<title>{{SCRIPT}}</title>" in text and '"threshold":1.2' in text


def test_cocycles_come_with_the_bars():
    found = lt.barcode(circle(), 2, cocycles=True, edges=True, cycles=1)
    assert [len(c) for c in found.cocycles] == [0, len(found.diagram(1)), len(found.diagram(2))]
    longest = int(np.argmax(found.lengths(1)))
    cocycle = {frozenset(edge) for edge in found.cocycles[1][longest].tolist()}
    around = [frozenset(edge) for edge in found.cycles[0].edges.tolist()]
    assert sum(edge in cocycle for edge in around) % 2 == 1
    with pytest.raises(ValueError, match="cocycles"):
        lt.barcode(SQUARE, 0, cocycles=True)


def test_a_sample_says_what_is_certain():
    points = circle(400)
    found = lt.barcode(points, max_points=60)
    assert found.sampled_from == 400 and found.n == 60
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    assert 0 < found.covering_radius < apart.max()
    assert found.certain(1).tolist() == (found.lengths(1) > 2 * found.covering_radius).tolist()
    longest = found.diagram(1)[found.lengths(1).argmax()]
    whole = lt.barcode(points)
    assert whole.certain(0).all() and whole.covering_radius is None
    real = whole.diagram(1)[whole.lengths(1).argmax()]
    assert (real <= longest + 1e-6).all() and (longest <= real + 2 * found.covering_radius).all()
    assert not lt.barcode(points, max_points=60, metric="cosine").certain(0).any()


def test_cycles_close():
    found, whole = lt.cycles(circle(), 2), lt.barcode(circle())
    assert found[0].birth == whole.diagram(1)[whole.lengths(1).argmax(), 0]
    _, counts = np.unique(found[0].edges, return_counts=True)
    assert (counts % 2 == 0).all()


def test_points_far_from_the_origin_keep_their_distances():
    far = np.array(SQUARE) * 1e-3 + 1e9
    want = lt.barcode(SQUARE).diagram(1) * 1e-3
    np.testing.assert_allclose(lt.barcode(far).diagram(1), want, rtol=1e-3)


@pytest.mark.parametrize(
    ("given", "options", "error", "says"),
    [
        ([[0, float("nan")], [1, 1]], {}, ValueError, "finite"),
        ([[0, 0], [1]], {}, ValueError, "ragged|inhomogeneous"),
        (np.array([[None, 1]]), {}, ValueError, "numbers"),
        ("points.csv", {}, TypeError, "text"),
        ([["a", "b"]], {}, TypeError, "real numbers"),
        (np.zeros((2, 2), complex), {}, TypeError, "complex"),
        (np.zeros((0, 2)), {}, ValueError, "empty|one point"),
        ([1.0, 2.0], {}, ValueError, "shape"),
        (np.zeros((2, 2, 2)), {}, ValueError, "shape"),
        (SQUARE, {"dim": 4}, ValueError, "dimension 4"),
        (SQUARE, {"metric": "taxi"}, ValueError, "taxi"),
        (SQUARE, {"threshold": -1}, ValueError, "threshold"),
        (SQUARE, {"engine": "tpu"}, ValueError, "tpu"),
        (SQUARE, {"threads": 0}, ValueError, "threads"),
        (SQUARE, {"metric": None}, TypeError, "name of a metric"),
        (SQUARE, {"progress": 3}, TypeError, "progress"),
        ([[0, 1], [2, 0]], {"metric": "precomputed"}, ValueError, "not symmetric"),
        ([[2, 1], [1, 0]], {"metric": "precomputed"}, ValueError, "before its ends"),
        ([1.0, 2.0], {"metric": "precomputed"}, ValueError, "all pairs"),
        (np.zeros((70_000, 4), np.float32), {}, MemoryError, "max_points"),
    ],
)
def test_what_makes_no_sense_is_refused(given, options, error, says):
    with pytest.raises(error, match=says):
        lt.barcode(given, **options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"dim": -1}, "dim=-1"),
        ({"dim": 1.5}, "dim=1.5"),
        ({"threads": -1}, "threads=-1"),
        ({"k": 0}, "k=0"),
        ({"max_points": "5"}, "max_points='5'"),
        ({"cycles": True}, "cycles=True"),
        ({"cycles": 1, "max_points": 2}, "cannot be combined"),
    ],
)
def test_arguments_are_named_that_are_wrong(options, says):
    with pytest.raises(ValueError, match=says):
        lt.barcode(SQUARE, **options)


def test_distances_may_be_rounded_unlike():
    points = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    squares = (points**2).sum(1)
    gram = squares[:, None] + squares - 2 * points @ points.T
    noisy = np.sqrt(np.maximum(gram, 0)).astype(np.float32)
    noisy = np.where(np.triu(np.ones((60, 60), bool)), noisy, np.nextafter(noisy, np.float32(9)))
    np.fill_diagonal(noisy, 0)
    found = lt.barcode(noisy, metric="precomputed")
    np.testing.assert_allclose(found.diagram(0), lt.barcode(points).diagram(0), atol=1e-3)
    sparse = pytest.importorskip("scipy.sparse")
    graph = lt.barcode(sparse.coo_matrix(noisy))
    np.testing.assert_array_equal(
        graph.diagram(0),
        lt.barcode(np.triu(noisy) + np.triu(noisy).T, metric="precomputed").diagram(0),
    )
    assert graph.metric == "precomputed"
    with pytest.raises(ValueError, match="not symmetric"):
        lt.barcode(sparse.coo_matrix(([1.0, 2.0], ([0, 1], [1, 0])), shape=(2, 2)))


@pytest.mark.parametrize("by", [1e39, 1e-50])
def test_distances_beyond_32_bits_are_refused(by):
    apart = np.array([[0, 1.0], [1.0, 0]]) * by
    with pytest.raises(ValueError, match="32 bits"):
        lt.barcode(apart, metric="precomputed")


def test_other_arrays_are_understood():
    want = lt.barcode(SQUARE)
    same(lt.barcode(np.array(SQUARE, ">f8")), want)
    same(lt.barcode(np.array(SQUARE, np.longdouble)), want)
    pandas = pytest.importorskip("pandas")
    same(lt.barcode(pandas.DataFrame(SQUARE).convert_dtypes()), want)
    with pytest.raises(ValueError, match="masked"):
        lt.barcode(np.ma.masked_greater(np.array(SQUARE, float), 0.5))
    with pytest.raises(ValueError, match="cloud 1"):
        lt.barcodes([SQUARE, [[0, 0], [1]]])
    with pytest.raises(ValueError, match="use barcode"):
        lt.barcodes(np.array(SQUARE, float))


def test_unknown_arguments_are_named():
    with pytest.raises(TypeError, match="maxdim"):
        lt.barcode(SQUARE, maxdim=2)
    with pytest.raises(TypeError, match="maxdim"):
        lt.barcodes([SQUARE], maxdim=2)


def test_rounding_that_merges_points_is_said():
    with pytest.warns(UserWarning, match="became equal"):
        lt.barcode(np.array([[0.0], [1e-60], [1.0]]))


def test_barcodes_pickle():
    found = lt.barcode(SQUARE, edges=True, cycles=1)
    again = pickle.loads(pickle.dumps(found))
    same(found, again)
    assert again.cycles[0].edges.shape == (4, 2)


def slow():
    return np.random.default_rng(0).normal(size=(900, 64)).astype(np.float32)


def test_progress_is_told_and_may_end_it():
    told = []

    def progress(done, total):
        told.append((done, total))
        if len(told) == 3:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        lt.barcode(slow(), 3, progress=progress, engine="cpu")
    assert len(told) == 3


def test_other_threads_run_meanwhile():
    count, stop = [0], threading.Event()

    def counting():
        while not stop.is_set():
            count[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=counting)
    thread.start()
    lt.barcodes(np.random.default_rng(0).normal(size=(300, 100, 8)).astype(np.float32))
    stop.set()
    thread.join()
    assert count[0] > 5


def test_ctrl_c_stops_a_long_call():
    code = (
        "import numpy as np, lacuna_tda as lt\n"
        "x = np.random.default_rng(0).normal(size=(1500, 64)).astype(np.float32)\n"
        "print('begun', flush=True)\n"
        "lt.barcode(x, 3, engine='cpu')\n"
    )
    pipe = subprocess.PIPE
    # A shell starts what runs in the background with the signal ignored, and a child inherits that.
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=pipe, stderr=pipe, preexec_fn=heard
    )
    assert child.stdout.readline() == b"begun\n"
    time.sleep(1.0)
    begin = time.monotonic()
    child.send_signal(signal.SIGINT)
    try:
        _, said = child.communicate(timeout=60)
    finally:
        child.kill()
    assert b"KeyboardInterrupt" in said and child.returncode != 0
    assert time.monotonic() - begin < 5  # the bound is generous: machines are noisy


def forked(_):
    return lt.barcode(SQUARE, engine="cpu").diagram(1).tolist()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_computes():
    lt.barcodes([circle()] * 8, engine="cpu")
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map_async(forked, range(4)).get(timeout=20)
    assert found == [lt.barcode(SQUARE).diagram(1).tolist()] * 4


def test_threads_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("LACUNA_THREADS", "many")
    with pytest.raises(ValueError, match="LACUNA_THREADS"):
        lt.barcode(SQUARE)
    monkeypatch.setenv("LACUNA_THREADS", "1")
    same(lt.barcode(slow()[:200]), lt.barcode(slow()[:200], threads=2))


def test_a_thousand_calls_leak_nothing():
    points = circle(100).astype(np.float32)

    def kib():
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    if not os.path.exists("/proc/self/status"):
        pytest.skip("this system does not say how much memory a process has")
    for _ in range(200):
        lt.barcode(points, edges=True)
    before = kib()
    for _ in range(1000):
        lt.barcode(points, edges=True)
    assert kib() - before < 4096


def test_plots():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    axes = lt.barcode(circle()).plot()
    assert axes.get_xlabel() == "diameter"


def test_pages_link_points_and_bars():
    points = np.random.default_rng(0).normal(size=(50, 6))
    found = lt.barcode(points, edges=True, cycles=5)
    text = found.to_html(points, title="a <b>")
    assert "<h1>a &lt;b&gt;</h1>" in text and "{{" not in text
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert len(data["points"]) == 50 and len(data["points"][0]) == 3 and "principal" in data["axes"]
    assert data["whole"] and len(data["nearest"]["lengths"]) == 50 * 49 // 2
    assert [len(e) for e in data["edges"]] == [len(b) for b in data["bars"]]
    assert len(data["cycles"]) == min(5, len(data["bars"][1]))
    assert 'nearest":null' in lt.barcode(points).to_html()
    with pytest.raises(ValueError, match="not the 50"):
        found.to_html(points[:-1])
