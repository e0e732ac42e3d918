"""Values near the ends of float64, constant features, and patterns that Python cannot compile."""

import pytest
import torch
from torch import Tensor, nn

from reference.finetuning import add_lora, distillation_loss, least_squares_probe, train_only


def double(*values) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_constant_features_have_no_weight() -> None:
    weights, bias = least_squares_probe(double([0.1, 0.7], [0.1, 0.7], [0.1, 0.7]), double([1.0], [2.0], [4.5]))
    assert weights.tolist() == [[0.0], [0.0]]
    torch.testing.assert_close(bias, double(2.5), rtol=1e-15, atol=0)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_features_of_any_size_are_fitted(size: float) -> None:
    weights, bias = least_squares_probe(double([0.0], [size]), double([0.0], [1.0]))
    torch.testing.assert_close(weights * size, double([1.0]), rtol=0, atol=1e-14)
    torch.testing.assert_close(bias, double(0.0), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("features", "targets"), [([1.7e308, -1.7e308], [0, 1]), ([0, 1], [1.7e308, -1.7e308])])
def test_differences_beyond_float64_are_refused(features: list[float], targets: list[float]) -> None:
    with pytest.raises(ValueError, match="less their first row: expected finite values"):
        least_squares_probe(double(features).T, double(targets).T)


@pytest.mark.parametrize("temperature", [1e-310, 1e200])
def test_temperatures_that_overflow_are_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="loss: expected finite values"):
        distillation_loss(double([1.0, 1e300]), double([0.0, 1.0]), torch.tensor([0]), temperature, 1.0)


@pytest.mark.parametrize("pattern", ["a{99999999999999}", "(" * 20_000 + ")" * 20_000])
def test_patterns_that_python_cannot_compile_are_refused(pattern: str) -> None:
    model = nn.Sequential(nn.Linear(2, 2)).double()
    with pytest.raises(ValueError, match="pattern: expected a regular expression"):
        train_only(model, pattern)
    with pytest.raises(ValueError, match="pattern: expected a regular expression"):
        add_lora(model, pattern, 1, 1.0, torch.Generator())


def test_integers_do_not_train_and_nothing_has_changed() -> None:
    model = nn.Linear(2, 2)
    model.register_parameter("table", nn.Parameter(torch.ones(2, dtype=torch.int8), requires_grad=False))
    with pytest.raises(ValueError, match=r"pattern: expected parameters that can train, got one of torch\.int8"):
        train_only(model, ".*")
    assert model.weight.requires_grad
