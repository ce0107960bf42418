"""Distances between diagrams, beside other packages' values."""

import numpy as np
import pytest

import lacuna_tda as lt


def diagram(n, seed):
    births = np.random.default_rng(seed).uniform(0, 1, n)
    return np.stack([births, births + np.random.default_rng(seed + 1).exponential(0.3, n)], 1)


def test_known_distances():
    a, b = [[0, 2], [1, 4]], [[1.25, 4.5]]
    assert lt.bottleneck(a, b) == 1 and lt.bottleneck(a, a) == 0
    assert lt.wasserstein(a, b, order=1) == pytest.approx(1.5)
    assert lt.wasserstein(a, b) == pytest.approx(np.sqrt(1 + 0.25))
    assert lt.bottleneck(np.empty((0, 2)), np.empty((0, 2))) == 0


def test_bars_that_never_die_are_paired_with_each_other():
    a, b = [[0, np.inf], [3, np.inf]], [[2, np.inf], [0.5, np.inf]]
    assert lt.bottleneck(a, b) == 1
    assert lt.wasserstein(a, b, 1) == 1.5
    assert lt.bottleneck(a, [[0, np.inf]]) == lt.wasserstein(a, [[0, 1]]) == np.inf


@pytest.mark.parametrize("bad", [[1, 2], [[1, 2, 3]], [[2, 1]], [[np.nan, 1]], [[np.inf, np.inf]]])
def test_what_is_no_diagram_is_refused(bad):
    with pytest.raises(ValueError):
        lt.bottleneck(bad, [[0, 1]])
    with pytest.raises(ValueError):
        lt.wasserstein([[0, 1]], bad)


def test_orders_are_checked():
    with pytest.raises(ValueError, match="order"):
        lt.wasserstein([[0, 1]], [[0, 1]], order=0.5)


@pytest.mark.parametrize("n, m", [(5, 8), (60, 40), (0, 7), (200, 300)])
def test_hera_agrees(n, m):
    hera = pytest.importorskip("gudhi.hera")
    gudhi = pytest.importorskip("gudhi")
    a, b = diagram(n, 1), diagram(m, 3)
    want = gudhi.bottleneck_distance(a, b)
    assert lt.bottleneck(a, b) == pytest.approx(want, rel=1e-9)
    for order in (1.0, 2.0):
        want = hera.wasserstein_distance(a, b, order=order, internal_p=np.inf, delta=1e-6)
        assert lt.wasserstein(a, b, order) == pytest.approx(want, rel=1e-5)


def test_many_bars_that_are_born_together():
    gudhi = pytest.importorskip("gudhi")
    a, b = (np.random.default_rng(seed).uniform(0, 1, (2000, 2)) * [0, 1] for seed in (1, 2))
    assert lt.bottleneck(a, b) == pytest.approx(gudhi.bottleneck_distance(a, b), rel=1e-12)
    assert lt.bottleneck([[1e6, 1e6 + 1]], [[1e6 + 0.01, 1e6 + 1.01]]) == pytest.approx(0.01)
    assert lt.bottleneck([], [[0, 1]]) == 0.5


def test_persim_agrees():
    persim = pytest.importorskip("persim")
    a, b = diagram(30, 5), diagram(25, 7)
    assert lt.bottleneck(a, b) == pytest.approx(persim.bottleneck(a, b), rel=1e-6)
