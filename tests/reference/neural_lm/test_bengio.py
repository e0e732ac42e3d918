"""Bengio's model against the same model made of torch's layers, and its gradients against autograd."""

import math
from collections.abc import Callable
from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from reference.neural_lm import (
    BengioWeights,
    bengio_logits,
    bengio_loss,
    bengio_step,
    context_windows,
    initial_bengio_weights,
)

NAMES = ["C", "H", "d", "U", "b", "W"]


class TorchBengio(nn.Module):
    """The paper's equation out of torch's own layers, with given weights."""

    def __init__(self, weights: BengioWeights) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(weights.C.clone(), freeze=False)
        self.hidden = nn.Linear(*weights.H.T.shape, dtype=torch.float64)
        self.output = nn.Linear(*weights.U.T.shape, dtype=torch.float64)
        self.direct = None if weights.W is None else nn.Linear(*weights.W.T.shape, bias=False, dtype=torch.float64)
        with torch.no_grad():
            self.hidden.weight.copy_(weights.H)
            self.hidden.bias.copy_(weights.d)
            self.output.weight.copy_(weights.U)
            self.output.bias.copy_(weights.b)
            if self.direct is not None:
                self.direct.weight.copy_(weights.W)

    def forward(self, contexts: Tensor) -> Tensor:
        x = torch.cat([self.embedding(contexts[:, position]) for position in range(contexts.shape[1])], dim=1)
        y = self.output(torch.tanh(self.hidden(x)))
        return y if self.direct is None else y + self.direct(x)

    def weights(self, *, gradients: bool = False) -> dict[str, Tensor | None]:
        layers = [self.embedding.weight, self.hidden.weight, self.hidden.bias, self.output.weight, self.output.bias]
        layers.append(None if self.direct is None else self.direct.weight)
        found = [layer.grad if gradients and layer is not None else layer for layer in layers]
        return dict(zip(NAMES, found, strict=True))


def random_weights(
    generator: torch.Generator, *, v: int = 7, n: int = 3, m: int = 4, h: int = 5, direct: bool = True
) -> BengioWeights:
    """Everything random, biases too."""
    drawn = initial_bengio_weights(n_tokens=v, n_context=n, width=m, n_hidden=h, direct=direct, generator=generator)
    d, b = (torch.randn(size, dtype=torch.float64, generator=generator) for size in (h, v))
    return replace(drawn, d=d, b=b)


def examples(generator: torch.Generator, n_examples: int, v: int, n: int) -> tuple[Tensor, Tensor]:
    return torch.randint(v, (n_examples, n), generator=generator), torch.randint(v, (n_examples,), generator=generator)


SIZES = [(1, 7, 3, 4, 5), (20, 7, 3, 4, 5), (6, 1, 1, 1, 1), (6, 2, 1, 1, 3), (50, 30, 5, 2, 8), (9, 4, 2, 3, 0)]


@pytest.mark.parametrize(("n_examples", "v", "n", "m", "h"), SIZES)
@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_logits_loss_and_every_gradient_equal_autograd(
    n_examples: int, v: int, n: int, m: int, h: int, direct: bool, generator: torch.Generator, proof: Callable
) -> None:
    weights = random_weights(generator, v=v, n=n, m=m, h=h, direct=direct)
    contexts, targets = examples(generator, n_examples, v, n)
    theirs = TorchBengio(weights)
    logits = theirs(contexts)
    proof(bengio_logits, "torch.nn layers").close(bengio_logits(weights, contexts), logits, within=1e-14)
    their_loss = functional.cross_entropy(logits, targets)
    their_loss.backward()
    loss, gradients = bengio_loss(weights, contexts, targets)
    proof(bengio_loss, "torch.autograd").close(loss, their_loss, within=1e-14)
    for name, expected in theirs.weights(gradients=True).items():
        ours = getattr(gradients, name)
        if expected is None:
            assert ours is None
            continue
        proof(bengio_loss, "torch.autograd").close(ours, expected, within=1e-14)
        proof(BengioWeights, "torch.autograd, field by field").close(ours, expected, within=1e-14)


def test_gradients_equal_finite_differences(generator: torch.Generator, proof: Callable) -> None:
    weights = random_weights(generator, v=4, n=2, m=2, h=3)
    contexts, targets = examples(generator, 5, 4, 2)
    _, gradients = bengio_loss(weights, contexts, targets)
    step = 1e-5
    for name in NAMES:
        slopes = torch.zeros_like(getattr(weights, name))
        for entry in range(slopes.numel()):
            losses = []
            for sign in (1, -1):
                moved = getattr(weights, name).clone()
                moved.view(-1)[entry] += sign * step
                losses.append(bengio_loss(replace(weights, **{name: moved}), contexts, targets)[0])
            slopes.view(-1)[entry] = (losses[0] - losses[1]) / (2 * step)
        # curvature leaves step² ≈ 1e-10, rounding 2^-53 / step ≈ 1e-11
        proof(bengio_loss, "finite differences").close(getattr(gradients, name), slopes, within=1e-9)


def test_steps_equal_torch_sgd(generator: torch.Generator, proof: Callable) -> None:
    weights = random_weights(generator)
    contexts, targets = examples(generator, 30, 7, 3)
    theirs = TorchBengio(weights)
    optimiser = torch.optim.SGD(theirs.parameters(), lr=0.3)
    for _ in range(5):
        optimiser.zero_grad()
        their_loss = functional.cross_entropy(theirs(contexts), targets)
        their_loss.backward()
        optimiser.step()
        loss, weights = bengio_step(weights, contexts, targets, learning_rate=0.3)
        proof(bengio_step, "torch.optim.SGD").close(loss, their_loss, within=1e-13)
    for name, expected in theirs.weights().items():
        proof(bengio_step, "torch.optim.SGD").close(getattr(weights, name), expected, within=1e-13)


def test_it_learns_a_rule_that_needs_two_tokens_of_context(generator: torch.Generator) -> None:
    contexts, targets = context_windows([[0, 0, 1, 1] * 6], n_context=2, n_tokens=2, boundary=None)
    weights = initial_bengio_weights(n_tokens=2, n_context=2, width=2, n_hidden=8, direct=False, generator=generator)
    for _ in range(400):
        loss, weights = bengio_step(weights, contexts, targets, learning_rate=0.5)
    assert loss < 0.01  # one token of context leaves log 2
    assert torch.equal(bengio_logits(weights, contexts).argmax(1), targets)


def test_without_direct_connections_is_with_zeros(generator: torch.Generator) -> None:
    weights = random_weights(generator)
    contexts, _ = examples(generator, 6, 7, 3)
    zeros = replace(weights, W=torch.zeros_like(weights.W))
    assert torch.equal(bengio_logits(zeros, contexts), bengio_logits(replace(weights, W=None), contexts))


def test_the_oldest_token_comes_first(generator: torch.Generator) -> None:
    weights = random_weights(generator, v=3, n=2, m=1)
    first_only = replace(weights, H=weights.H * torch.tensor([1.0, 0.0]).double(), W=None)
    logits = bengio_logits(first_only, torch.tensor([[0, 1], [0, 2], [1, 1]]))
    assert torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[0], logits[2])


def test_no_contexts_have_no_scores_and_no_loss(generator: torch.Generator) -> None:
    weights = random_weights(generator)
    nothing = torch.zeros(0, 3, dtype=torch.int64)
    assert bengio_logits(weights, nothing).shape == (0, 7)
    with pytest.raises(ValueError, match="number of examples: expected 1 or more, got 0"):
        bengio_loss(weights, nothing, nothing[:, 0])


def test_saturated_units_and_extreme_logits(generator: torch.Generator) -> None:
    weights = random_weights(generator)
    contexts, targets = examples(generator, 6, 7, 3)
    _, gradients = bengio_loss(replace(weights, H=weights.H * 1e6), contexts, targets)
    assert all(getattr(gradients, field.name).isfinite().all() for field in fields(gradients))
    loss, gradients = bengio_loss(replace(weights, b=weights.b * 1e300), contexts, targets)
    assert loss.isfinite()
    assert gradients.b.isfinite().all()


def test_initial_weights_equal_draws_in_the_stated_order(proof: Callable) -> None:
    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=theirs)

    ours, theirs = (torch.Generator().manual_seed(9) for _ in range(2))
    weights = initial_bengio_weights(n_tokens=6, n_context=2, width=3, n_hidden=4, direct=True, generator=ours)
    expected = {"C": drawn(6, 3), "H": drawn(4, 6) / 6**0.5, "U": drawn(6, 4) / 4**0.5, "W": drawn(6, 6) / 6**0.5}
    for name, value in expected.items():
        against = proof(initial_bengio_weights, "torch.randn, brute force")
        against.close(getattr(weights, name), value, within=1e-15)
    assert not weights.d.any()
    assert not weights.b.any()


def test_initial_weights_have_the_stated_spread(generator: torch.Generator) -> None:
    weights = initial_bengio_weights(
        n_tokens=400, n_context=4, width=25, n_hidden=200, direct=True, generator=generator
    )
    for name, columns in {"C": 1, "H": 100, "U": 200, "W": 100}.items():
        spread = getattr(weights, name).var() * columns
        assert spread.item() == pytest.approx(1, abs=5 * (2 / 10_000) ** 0.5)  # 10,000 draws or more


def test_weights_and_arguments_are_left_alone(generator: torch.Generator) -> None:
    weights = random_weights(generator)
    contexts, targets = examples(generator, 6, 7, 3)
    before = {name: getattr(weights, name).clone() for name in NAMES}
    bengio_step(weights, contexts, targets, learning_rate=0.1)
    assert all(torch.equal(getattr(weights, name), value) for name, value in before.items())


def test_bad_values_are_quoted(generator: torch.Generator) -> None:
    weights = random_weights(generator)
    contexts, targets = examples(generator, 6, 7, 3)
    nan = replace(weights, b=weights.b * math.nan)
    for call, message in [
        (lambda: bengio_logits(weights, contexts + 5), "contexts: expected token ids from 0 to 6, got"),
        (lambda: bengio_logits(weights, contexts - 7), "contexts: expected token ids from 0 to 6, got -"),
        (lambda: bengio_logits(weights, contexts[:, :2]), "expected n · m = 12 as H has columns, got 2 · 4"),
        (lambda: bengio_logits(nan, contexts), "logits: expected finite values, got nan"),
        (lambda: bengio_loss(weights, contexts, targets + 7), "targets: expected token ids from 0 to 6"),
        (lambda: bengio_step(weights, contexts, targets, learning_rate=0.0), "learning_rate: .* got 0.0"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    good = {"n_tokens": 2, "n_context": 2, "width": 2, "n_hidden": 2, "direct": True}
    for name, least in {"n_tokens": 1, "n_context": 1, "width": 1, "n_hidden": 0}.items():
        with pytest.raises(ValueError, match=f"{name}: expected {least} or more, got {least - 1}"):
            initial_bengio_weights(**{**good, name: least - 1}, generator=generator)


def test_shapes_that_do_not_fit_together_are_type_errors(generator: torch.Generator) -> None:
    weights = random_weights(generator)
    with pytest.raises(TypeError):
        replace(weights, H=weights.H[:, :-1])
    with pytest.raises(TypeError):
        replace(weights, U=weights.U[:-1])
    with pytest.raises(TypeError):
        replace(weights, C=weights.C.float())
    with pytest.raises(TypeError):
        bengio_loss(weights, *examples(generator, 6, 7, 3)[:1], torch.tensor([0]))


@pytest.mark.gpu
def test_gpu_equals_cpu(generator: torch.Generator) -> None:
    weights = random_weights(generator)
    contexts, targets = examples(generator, 20, 7, 3)
    moved = BengioWeights(**{name: getattr(weights, name).cuda() for name in NAMES})
    loss, after = bengio_step(moved, contexts.cuda(), targets.cuda(), learning_rate=0.3)
    expected_loss, expected = bengio_step(weights, contexts, targets, learning_rate=0.3)
    torch.testing.assert_close(loss.cpu(), expected_loss, rtol=1e-13, atol=1e-13)
    for name in NAMES:
        assert getattr(after, name).is_cuda
        torch.testing.assert_close(getattr(after, name).cpu(), getattr(expected, name), rtol=1e-13, atol=1e-13)


@pytest.mark.gpu
def test_initial_weights_lie_with_their_generator() -> None:
    weights = initial_bengio_weights(
        n_tokens=3, n_context=2, width=2, n_hidden=2, direct=True, generator=torch.Generator("cuda").manual_seed(0)
    )
    assert all(getattr(weights, name).is_cuda for name in NAMES)


def test_embeddings_of_no_width_have_empty_gradients() -> None:
    vocabulary = torch.zeros(3, 2, dtype=torch.float64)
    weights = BengioWeights(
        C=vocabulary[:, :0], H=vocabulary[:2, :0], d=vocabulary[0], U=vocabulary, b=vocabulary[:, 0], W=None
    )
    loss, gradients = bengio_loss(weights, torch.tensor([[0], [1]]), torch.tensor([1, 2]))
    assert loss.item() == pytest.approx(math.log(3), rel=1e-15)
    assert gradients.C.shape == (3, 0)
