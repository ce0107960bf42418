"""What scikit-learn and those who build on it do with diagrams."""

import numpy as np
import pytest

import lacuna_tda as lt

pytest.importorskip("sklearn")

from sklearn.base import clone  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import FunctionTransformer  # noqa: E402

from lacuna_tda.sklearn import RipsTransformer  # noqa: E402

CLOUDS = np.random.default_rng(0).normal(size=(6, 25, 3))


def test_diagrams_of_many_clouds():
    found = RipsTransformer(dims=(1, 0)).fit_transform(CLOUDS)
    assert len(found) == 6
    one = lt.barcode(CLOUDS[2])
    np.testing.assert_array_equal(found[2][0], one.diagram(1))
    np.testing.assert_array_equal(found[2][1], one.diagram(0)[:-1])
    kept = RipsTransformer(dims=[0], keep_infinite=True).fit_transform(list(CLOUDS))
    assert np.isinf(kept[0][0][-1, 1])


def test_it_is_cloned_and_piped():
    transformer = RipsTransformer(dims=(0,), threshold=1.0, n_jobs=1)
    assert clone(transformer).get_params() == transformer.get_params()
    count = FunctionTransformer(lambda found: np.array([[len(d) for d in of] for of in found]))
    counts = make_pipeline(transformer, count).fit_transform(CLOUDS)
    assert counts.shape == (6, 1)


def test_outputs_have_names():
    transformer = RipsTransformer(dims=(0, 1))
    assert transformer.get_feature_names_out().tolist() == ["H0", "H1"]
    pytest.importorskip("pandas")
    table = transformer.set_output(transform="pandas").fit_transform(CLOUDS)
    assert list(table.columns) == ["H0", "H1"] and len(table) == 6
    np.testing.assert_array_equal(table["H1"][3], lt.barcode(CLOUDS[3]).diagram(1))


@pytest.mark.parametrize("bad", [{"dims": ()}, {"dims": (-1,)}, {"metric": "no"}, {"dims": (5,)}])
def test_bad_parameters_are_refused(bad):
    with pytest.raises(ValueError):
        RipsTransformer(**bad).fit(CLOUDS)
    with pytest.raises(ValueError):
        RipsTransformer(n_jobs=0).fit_transform(CLOUDS)


def test_persim_vectorises():
    persim = pytest.importorskip("persim")
    pairs = [of[0] for of in RipsTransformer(dims=(1,)).fit_transform(CLOUDS)]
    images = persim.PersistenceImager(pixel_size=0.2)
    images.fit(pairs)
    assert all(np.isfinite(image).all() for image in images.transform(pairs))
    lands = persim.PersLandscapeExact(dgms=[pairs[0], pairs[0]], hom_deg=1)
    assert lands.critical_pairs


def test_gudhi_vectorises():
    pytest.importorskip("gudhi")
    from gudhi.representations import BettiCurve, Landscape

    pairs = [of[0].astype(float) for of in RipsTransformer(dims=(1,)).fit_transform(CLOUDS)]
    piped = make_pipeline(RipsTransformer(dims=1), Landscape(resolution=20)).fit_transform(CLOUDS)
    assert piped.shape == (6, 100)
    assert Landscape(resolution=20).fit_transform(pairs).shape == (6, 100)
    assert BettiCurve(resolution=30).fit_transform(pairs).shape == (6, 30)


def test_gtda_pads_its_triples():
    from lacuna_tda.compat.gtda import VietorisRipsPersistence

    clouds = [CLOUDS[0], CLOUDS[1][:10]]
    found = VietorisRipsPersistence().fit_transform(clouds)
    assert found.shape[2] == 3 and found.dtype == np.float64
    one = lt.barcode(CLOUDS[0])
    of_one = found[0][(found[0][:, 2] == 1) & (found[0][:, 0] < found[0][:, 1])]
    np.testing.assert_allclose(of_one[:, :2], one.diagram(1), rtol=1e-6)
    with pytest.raises(ValueError, match="coeff=3"):
        VietorisRipsPersistence(coeff=3).fit(clouds)


def test_gudhis_classes():
    from lacuna_tda.compat.gudhi import RipsComplex, RipsPersistence

    one = lt.barcode(CLOUDS[0], edges=True)
    found = RipsPersistence(homology_dimensions=1).fit_transform(CLOUDS)
    np.testing.assert_array_equal(found[0], one.diagram(1))
    tree = RipsComplex(points=CLOUDS[0]).create_simplex_tree(max_dimension=2)
    bars = tree.persistence()
    assert [d for d, _ in bars] == sorted((d for d, _ in bars), reverse=True)
    np.testing.assert_array_equal(tree.persistence_intervals_in_dimension(1), one.diagram(1))
    assert len(tree.flag_persistence_generators()[0]) == 24
    with pytest.raises(ValueError, match="homology_coeff_field=11"):
        RipsPersistence(1, homology_coeff_field=11).fit_transform(CLOUDS)
    lower = [
        list(row[:i])
        for i, row in enumerate(np.linalg.norm(CLOUDS[0][:, None] - CLOUDS[0], axis=2))
    ]
    again = RipsPersistence([0, 1], input_type="lower distance matrix").fit_transform([lower])
    np.testing.assert_allclose(again[0][1], one.diagram(1), rtol=1e-6)
