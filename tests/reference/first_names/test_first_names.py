"""The names' examples and networks against NLTK, torch's own layers, losses and optimiser."""

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from nltk.util import ngrams as nltk_ngrams  # type: ignore[import-untyped]
from torch.nn import functional

from reference.first_names import context_windows, linear_loss, mlp_logits, split_names, training
from reference.first_names.training import train_mlp
from reference.ngram import ALPHABET

NAMES = ["anna", "léa", "", "jean-loïc", "n'golo", "zoé"]


def random_parameters(rng: np.random.Generator, *, n: int, m: int, h: int) -> dict[str, np.ndarray]:
    shapes = {"C": (40, m), "H": (h, n * m), "d": (h,), "U": (40, h), "b": (40,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


@pytest.mark.parametrize(("number", "sizes"), [(0, (0, 0, 0)), (9, (9, 0, 0)), (10, (8, 1, 1)), (129, (105, 12, 12))])
def test_every_name_goes_to_one_part_whole(number: int, sizes: tuple[int, int, int]) -> None:
    names = [str(place) for place in range(number)]
    parts = split_names(names, 7)
    assert tuple(map(len, parts)) == sizes
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert parts == split_names(names, 7)


def test_each_place_is_as_likely(proof: Callable) -> None:
    seeds = 4000
    found = Counter(
        "abcdefghijklmnopqrst".index(split_names(list("abcdefghijklmnopqrst"), seed)[1][0]) for seed in range(seeds)
    )
    shares = np.array([found[place] / seeds for place in range(20)])
    # five standard deviations of a share
    within = 5 * math.sqrt(0.05 * 0.95 / seeds)
    proof(split_names, "uniform permutation (statistical)").close(shares, np.full(20, 0.05), within=within)


@pytest.mark.parametrize("n", [1, 3])
def test_windows_equal_nltk(proof: Callable, n: int) -> None:
    contexts, targets = context_windows(NAMES, n)
    padded = ["." * n + name + "." for name in NAMES]
    expected = [tuple(map(ALPHABET.index, gram)) for name in padded for gram in nltk_ngrams(name, n + 1)]
    proof(context_windows, "nltk.util.ngrams").equal(
        [(*c, t) for c, t in zip(contexts.tolist(), targets.tolist(), strict=True)], expected
    )


def test_no_names_have_no_windows() -> None:
    contexts, targets = context_windows([], 4)
    assert (contexts.shape, targets.shape) == ((0, 4), (0,))


def test_the_loss_of_the_linear_model_is_torch_s(proof: Callable, rng: np.random.Generator) -> None:
    weights = torch.tensor(rng.normal(size=(40, 40)) * 5, requires_grad=True)
    contexts, targets = context_windows(NAMES, 1)
    expected = functional.cross_entropy(
        functional.one_hot(torch.from_numpy(contexts[:, 0]), 40).double() @ weights, torch.from_numpy(targets)
    )
    expected.backward()
    loss, gradient = linear_loss(weights.detach().numpy(), np.ascontiguousarray(contexts[:, 0]), targets)
    proof(linear_loss, "torch cross_entropy").close(loss, expected.item(), within=1e-14)
    proof(linear_loss, "torch autograd").close(gradient, weights.grad, within=1e-15)


def test_scores_are_those_of_torch_s_layers(proof: Callable, rng: np.random.Generator) -> None:
    parameters = random_parameters(rng, n=2, m=5, h=7)
    contexts, _ = context_windows(NAMES, 2)
    p = {name: torch.from_numpy(array) for name, array in parameters.items()}
    x = functional.embedding(torch.from_numpy(contexts), p["C"]).flatten(start_dim=1)
    expected = functional.linear(functional.linear(x, p["H"], p["d"]).tanh(), p["U"], p["b"])
    proof(mlp_logits, "torch embedding, linear, tanh").close(mlp_logits(parameters, contexts), expected, within=1e-14)


def test_a_parameter_that_is_missing_is_refused(rng: np.random.Generator) -> None:
    parameters = random_parameters(rng, n=1, m=2, h=2)
    del parameters["d"]
    with pytest.raises(TypeError):
        mlp_logits(parameters, np.zeros((1, 1), dtype=np.int64))


@pytest.mark.slow
def test_training_is_torch_s_descent(proof: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "N_STEPS", 250)
    monkeypatch.setattr(training, "LOOK_EVERY", 50)
    found = train_mlp(NAMES, ["ana", "loïc"], 3)
    proof(train_mlp, "torch autograd and SGD").close(
        flat(found), flat(by_torch(NAMES, ["ana", "loïc"], 3)), within=1e-10
    )


def by_torch(train: list[str], validation: list[str], seed: int) -> dict[str, np.ndarray]:
    generator = torch.Generator().manual_seed(seed)
    C, H, U = (
        torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in ((40, 10), (64, 30), (40, 64))
    )
    layers = {"C": C, "H": H / math.sqrt(30), "d": torch.zeros(64), "U": U / math.sqrt(64), "b": torch.zeros(40)}
    p = {name: layer.double().requires_grad_() for name, layer in layers.items()}
    optimiser = torch.optim.SGD(p.values(), lr=1.0)

    def loss(contexts: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        x = functional.embedding(contexts, p["C"]).flatten(start_dim=1)
        return functional.cross_entropy(
            functional.linear(functional.linear(x, p["H"], p["d"]).tanh(), p["U"], p["b"]), targets
        )

    contexts, targets = map(torch.from_numpy, context_windows(train, 3))
    unseen = tuple(map(torch.from_numpy, context_windows(validation, 3)))
    looks = []
    for step in range(251):
        if step % 50 == 0:
            looks.append((loss(*unseen).item(), {name: layer.detach().numpy().copy() for name, layer in p.items()}))
        if step == 175:
            optimiser.param_groups[0]["lr"] = 0.1
        drawn = torch.randint(len(targets), (128,), generator=generator)
        optimiser.zero_grad()
        loss(contexts[drawn], targets[drawn]).backward()
        optimiser.step()
    assert min(range(len(looks)), key=lambda look: looks[look][0]) < len(looks) - 1  # the last look is not the best
    return min(looks, key=lambda look: look[0])[1]


def flat(parameters: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([parameters[name].ravel() for name in ("C", "H", "d", "U", "b")])


@pytest.mark.parametrize(("train", "validation", "seed"), [([], ["a"], 0), (["a"], [], 0), (["a"], ["b"], -1)])
def test_what_cannot_be_trained_is_refused(train: list[str], validation: list[str], seed: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        train_mlp(train, validation, seed)
