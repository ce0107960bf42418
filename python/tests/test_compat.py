"""The modules that stand for other packages."""

import numpy as np
import pytest

from lacuna_tda.compat.gph import ripser_parallel
from lacuna_tda.compat.ripser import lower_star_img, ripser

POINTS = np.random.default_rng(3).normal(size=(40, 3))
APART = np.sqrt(((POINTS[:, None] - POINTS[None]) ** 2).sum(-1))


def test_ripser_returns_its_keys():
    found = ripser(POINTS, maxdim=2)
    assert set(found) == {"dgms", "cocycles", "num_edges", "dperm2all", "idx_perm", "r_cover"}
    assert [d.dtype for d in found["dgms"]] == [np.float64] * 3
    finite = np.isfinite(found["dgms"][0][:, 1])
    assert finite[:-1].all() and not finite[-1]
    again = ripser(APART, 2, distance_matrix=True)
    for a, b in zip(found["dgms"], again["dgms"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert again["num_edges"] == (APART[np.triu_indices(40, 1)] <= APART.max(1).min()).sum()
    assert found["r_cover"] == 0 and found["idx_perm"].tolist() == list(range(40))


def test_ripser_samples_greedily():
    found = ripser(POINTS, n_perm=10)
    assert found["idx_perm"][0] == 0 and len(set(found["idx_perm"])) == 10
    assert found["dperm2all"].shape == (10, 40)
    assert found["r_cover"] == found["dperm2all"].min(0).max()
    assert len(found["dgms"][0]) == 10
    with pytest.raises(ValueError, match="points in greedy permutation is greater"):
        ripser(POINTS, n_perm=50)


def test_ripser_refuses_what_is_not_computed():
    with pytest.raises(ValueError, match="coeff=3"):
        ripser(POINTS, coeff=3)


def test_ripser_finds_cocycles():
    turn = np.random.default_rng(1).uniform(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(turn), np.sin(turn)], 1)
    found = ripser(circle, n_perm=40, do_cocycles=True, maxdim=2)
    assert [len(c) for c in found["cocycles"]] == [0, len(found["dgms"][1]), len(found["dgms"][2])]
    longest = np.argmax(np.diff(found["dgms"][1], axis=1))
    cocycle = found["cocycles"][1][longest]
    assert cocycle.shape[1] == 3 and (cocycle[:, 2] == 1).all()
    # The points keep their own numbers.
    assert set(cocycle[:, :2].ravel()) <= set(found["idx_perm"].tolist())
    birth = found["dgms"][1][longest, 0]
    ends = circle[cocycle[:, 0]] - circle[cocycle[:, 1]]
    assert np.linalg.norm(ends, axis=1).min() == pytest.approx(birth, rel=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float16, bool])
def test_whole_numbers_are_not_squared_in_their_own_type(dtype):
    points = np.array([[0, 0], [200, 0], [0, 100], [90, 90]]).astype(dtype)
    want = ripser(points.astype(float))["dgms"][0]
    np.testing.assert_array_equal(ripser(points)["dgms"][0], want)
    found = ripser_parallel(points, metric="l2")["dgms"][0]
    np.testing.assert_allclose(found, want, rtol=1e-6)


def test_ripser_reads_the_upper_triangle_of_a_sparse_matrix():
    sparse = pytest.importorskip("scipy.sparse")
    upper = sparse.coo_matrix(([1.0, 2.0], ([0, 1], [1, 2])), shape=(3, 3))
    assert ripser(upper, distance_matrix=True)["dgms"][0].tolist() == [[0, 1], [0, 2], [0, np.inf]]
    lower = ripser(upper.T, distance_matrix=True)
    assert lower["dgms"][0].tolist() == [[0, np.inf]] * 3 and lower["num_edges"] == 0


def test_lower_star_of_an_image():
    image = np.array([[3, 1, 3, 3], [3, 3, 3, 0], [3, 3, 3, 3]], float)
    # Two basins that meet at 3.
    np.testing.assert_array_equal(lower_star_img(image), [[1, 3], [0, np.inf]])
    np.testing.assert_array_equal(lower_star_img(image - 5), [[-4, -2], [-5, np.inf]])
    with pytest.raises(ValueError, match="rows and columns"):
        lower_star_img(np.zeros(3))


def test_ripser_warns():
    with pytest.warns(UserWarning, match="more columns than rows"):
        ripser(POINTS.T)
    with pytest.warns(UserWarning, match="input matrix is square"):
        ripser(APART)
    with pytest.raises(ValueError, match="not square"):
        ripser(POINTS, distance_matrix=True)
    with pytest.raises(ValueError, match="no edge enters before its ends"):
        ripser(APART + np.eye(40), distance_matrix=True)


def test_generators_have_the_lengths_of_their_bars():
    found = ripser_parallel(POINTS, 2, return_generators=True)
    finite_0, finite, endless_0, endless = found["gens"]

    def length(ends):
        return np.linalg.norm(POINTS[ends[:, 0]] - POINTS[ends[:, 1]], axis=1)

    bars = found["dgms"][0]
    np.testing.assert_allclose(length(finite_0[:, 1:]), bars[np.isfinite(bars[:, 1]), 1], rtol=1e-5)
    assert endless_0.shape == (1,)
    for dim, (edges, never) in enumerate(zip(finite, endless, strict=True), 1):
        bars = found["dgms"][dim]
        dies = np.isfinite(bars[:, 1])
        np.testing.assert_allclose(length(edges[:, :2]), bars[dies, 0], rtol=1e-5)
        np.testing.assert_allclose(length(edges[:, 2:]), bars[dies, 1], rtol=1e-5)
        assert (edges[:, 0] > edges[:, 1]).all() and len(never) == (~dies).sum()


def test_one_triangle_of_a_matrix_is_enough():
    a = ripser_parallel(np.triu(APART), metric="precomputed")["dgms"]
    b = ripser_parallel(APART, metric="precomputed", n_threads=-1)["dgms"]
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)
    with pytest.raises(ValueError):
        ripser_parallel(POINTS, coeff=7)


def test_lengths_may_be_negative():
    plain = ripser_parallel(APART, metric="precomputed", maxdim=2, return_generators=True)
    for offset in (0.5, 10.0):
        moved = ripser_parallel(
            APART - offset, metric="precomputed", maxdim=2, return_generators=True
        )
        for a, b in zip(plain["dgms"], moved["dgms"], strict=True):
            np.testing.assert_allclose(a - offset, b, atol=2e-6)
        np.testing.assert_array_equal(plain["gens"][0], moved["gens"][0])


def test_weighted_graphs_and_whole_distances():
    sparse = pytest.importorskip("scipy.sparse")
    apart = np.array([[0, 1, 2, 0], [0, 0, 1, 0], [0, 0, 0, 3], [0, 0, 0, 0]])
    graph = sparse.coo_matrix(apart.astype(float))
    found = ripser_parallel(
        graph, metric="precomputed", weights=np.full(4, 0.5), weight_params={"p": 2}
    )
    assert np.isfinite(found["dgms"][0][:-1]).all()
    whole = (apart + apart.T + 4 * (1 - np.eye(4))).astype(int)
    found = ripser_parallel(whole, metric="precomputed", weights="DTM")
    assert len(found["dgms"][0]) >= 1


def test_weighted_points():
    # Two points 4 apart that enter at 2 and 1: their balls meet at 4 + (2 + 1) / 2.
    apart = np.array([[0.0, 4.0], [4.0, 0.0]])
    weights = np.array([2.0, 1.0])
    found = ripser_parallel(apart, metric="precomputed", weights=weights)["dgms"][0]
    np.testing.assert_allclose(found, [[2, 5.5], [1, np.inf]])
    largest = ripser_parallel(
        apart, metric="precomputed", weights=weights, weight_params={"p": np.inf}
    )
    np.testing.assert_allclose(largest["dgms"][0], [[2, 4], [1, np.inf]])
    with pytest.raises(ValueError, match="weights"):
        ripser_parallel(apart, metric="precomputed", weights=np.ones(3))
