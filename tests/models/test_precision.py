"""In a lower precision linear layers differ a little while they learn, and not at all where they answer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from deepen.models.precision import Precision, multiplying_in


@pytest.mark.parametrize(("precision", "off"), [("float32", 0.0), ("bfloat16", 2**-7), ("float16", 2**-10)])
def test_only_what_learns_is_rounded(precision: Precision, off: float) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.Linear(64, 3))
    x = torch.randn(5, 64)
    exact = network(x)
    with multiplying_in(precision, network):
        learning = network.train()(x)
        learning.square().sum().backward()
        answer = network.eval()(x)
    assert torch.equal(answer, exact)
    assert torch.equal(network.train()(x), exact)
    assert learning.dtype == torch.float32
    assert (learning - exact).abs().max() <= 8 * off
    assert (precision == "float32") == torch.equal(learning, exact)
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in network.parameters())
    assert not any("forward" in vars(module) for module in network.modules())


def test_it_is_undone_after_an_error() -> None:
    network = nn.Linear(2, 2)
    with pytest.raises(KeyError), multiplying_in("bfloat16", network):
        raise KeyError
    assert "forward" not in vars(network)
