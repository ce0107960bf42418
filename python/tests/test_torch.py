"""Gradients through diagrams."""

import numpy as np
import pytest

import lacuna_tda as lt

torch = pytest.importorskip("torch")

from lacuna_tda.torch import vietoris_rips  # noqa: E402


def cloud(n=20, features=3, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=(n, features)), requires_grad=True)


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
def test_gradients_are_those_of_the_lengths(metric):
    assert torch.autograd.gradcheck(lambda x: vietoris_rips(x, 2, metric=metric), (cloud(),))


def test_gradients_of_distances():
    apart = torch.cdist(cloud(), cloud()).detach().requires_grad_()
    mirrored = lambda d: (d + d.T) / 2 * (1 - torch.eye(len(d), dtype=d.dtype))
    run = lambda d: vietoris_rips(mirrored(d), metric="precomputed")
    assert torch.autograd.gradcheck(run, (apart,))


def test_diagrams_are_those_of_the_engine():
    x = cloud()
    found = lt.barcode(x.detach().numpy())
    for dim, diagram in enumerate(vietoris_rips(x, infinite=True)):
        assert diagram.dtype == torch.float64
        np.testing.assert_allclose(diagram.detach().numpy(), found.diagram(dim), rtol=1e-6)
    batch = torch.stack([cloud(seed=s) for s in range(3)])
    many = vietoris_rips(batch)
    np.testing.assert_allclose(
        many[2][1].detach().numpy(), vietoris_rips(batch[2])[1].detach().numpy()
    )


def test_points_that_coincide_have_gradients():
    x = torch.zeros(4, 2, requires_grad=True)
    with torch.no_grad():
        x[3, 0] = 1
    sum(d.sum() for d in vietoris_rips(x)).backward()
    assert torch.isfinite(x.grad).all() and x.grad.abs().sum() > 0


def test_a_loss_opens_a_loop():
    turn = torch.linspace(0, 6.28, 30)[:-1]
    x = torch.stack([turn.cos(), turn.sin()], 1) * torch.linspace(0.6, 1.2, 29)[:, None]
    x.requires_grad_()
    step = torch.optim.Adam([x], lr=0.02)

    def total():
        bars = vietoris_rips(x)[1]
        return (bars[:, 1] - bars[:, 0]).sum()

    before = total().item()
    for _ in range(60):
        step.zero_grad()
        (-total()).backward()
        step.step()
    assert total().item() > 1.5 * before


def test_bad_input_is_refused():
    with pytest.raises(TypeError, match="float is needed"):
        vietoris_rips(torch.zeros(3, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="two dimensions"):
        vietoris_rips(torch.zeros(3))
    with pytest.raises(ValueError, match="cosine"):
        vietoris_rips(torch.zeros(3, 2), metric="cosine")


def test_the_class_of_torch_topological():
    from lacuna_tda.compat.torch_topological import VietorisRipsComplex

    x = cloud()
    found = VietorisRipsComplex(dim=1)(x)
    want = vietoris_rips(x)
    for dim in (0, 1):
        assert found[dim].dimension == dim
        assert found[dim].pairing.shape == (len(want[dim]), 3 + dim)
        torch.testing.assert_close(found[dim].diagram, want[dim], rtol=1e-6, atol=1e-6)
    kept = VietorisRipsComplex(dim=0, keep_infinite_features=True)([x, x])
    assert torch.isinf(kept[1][0].diagram).sum() == 1 and (kept[1][0].pairing[-1, 1:] == -1).all()
