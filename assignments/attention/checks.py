"""Checks of the attention assignment: public ones on small inputs, hidden ones on the rules at the edges.

Every check draws its inputs from the run's secret seed, and mixes them so that no constant answer is right throughout.
Not covered: gradients, and how fast the functions are.
"""

import numpy as np
import torch
from hypothesis import strategies as st

from harness.checks import Text, check

EPSILON = 2.0**-52  # spacing of float64 at 1


def normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def quarters(rng, *shape, largest=2.0):
    """Multiples of 1/4: short to read in a message, and their products are exact."""
    return torch.from_numpy(rng.integers(-4 * largest, 4 * largest, size=shape, endpoint=True) / 4)


def masks(rng, t, s):
    """A random mask in which every query may look somewhere."""
    mask = torch.from_numpy(rng.random((t, s)) < 0.6)
    mask[torch.arange(t), torch.from_numpy(rng.integers(s, size=t))] = True
    return mask


def qkv(rng, b, t, s, d, e):
    return normal(rng, b, t, d), normal(rng, b, s, d), normal(rng, b, s, e)


def layer(rng, b, t, width):
    """Inputs and the four matrices of a multi-head layer, of a size that keeps scores within a few dozen."""
    return quarters(rng, b, t, width), *(quarters(rng, width, width, largest=1.0) for _ in range(4))


def tensors(shape):
    size = int(np.prod(shape))
    values = st.lists(st.floats(-10, 10, width=32), min_size=size, max_size=size)
    return values.map(lambda flat: torch.tensor(flat, dtype=torch.float64).reshape(shape))


@check(points=2, fr="Le softmax le long de la dernière dimension", en="Softmax along the last dimension")
def test_softmax(submission, oracle, differential):
    shapes = st.sampled_from([(2,), (3,), (2, 2), (2, 3), (3, 2), (2, 2, 3), (2, 1, 2, 2)])
    differential(submission.softmax, oracle.softmax, shapes.flatmap(tensors), examples=50)


@check(points=2, fr="Le masque causal", en="The causal mask")
def test_causal_mask(submission, oracle, differential):
    differential(submission.causal_mask, oracle.causal_mask, [1, 2, 3, 5])


@check(
    points=3,
    fr="L'attention par produit scalaire, avec et sans masque",
    en="Scaled dot-product attention, with and without mask",
)
def test_scaled_dot_product(submission, oracle, differential, rng):
    inputs = []
    for b, t, d in [(1, 1, 1), (1, 2, 1), (1, 2, 2), (2, 3, 2), (2, 4, 3)]:
        q, k, v = (quarters(rng, b, t, d) for _ in range(3))
        inputs += [(q, k, v), (q, k, v, None), (q, k, v, oracle.causal_mask(t))]
    differential(submission.scaled_dot_product, oracle.scaled_dot_product, inputs)


@check(points=3, fr="L'attention à deux têtes, causale ou non", en="Attention with two heads, causal or not")
def test_multi_head(submission, oracle, differential, rng):
    inputs = []
    for b, t, width in [(1, 1, 2), (1, 2, 2), (1, 3, 4), (2, 4, 4)]:
        arguments = layer(rng, b, t, width)
        inputs += [(*arguments, 2), (*arguments, 2, False), (*arguments, 2, True)]
    differential(submission.multi_head, oracle.multi_head, inputs)


@check(
    points=2,
    fr="Softmax de très grands scores",
    en="Softmax of very large scores",
    visibility="hidden",
    needs=["softmax"],
)
def test_softmax_large(submission, oracle, differential, rng):
    base = normal(rng, 3, 5)
    inputs = [base + 1e4, base - 1e4, 1e3 * base, torch.tensor([1e300, -1e300, 0.0], dtype=torch.float64)]
    # a score of size M is itself rounded to M·eps, which softmax turns into a relative error; 64 as in `tolerance`
    differential(submission.softmax, oracle.softmax, inputs, rtol=64 * EPSILON * 1e4)


@check(
    points=1,
    fr="Softmax avec des scores -inf",
    en="Softmax with scores of -inf",
    visibility="hidden",
    needs=["softmax"],
)
def test_softmax_masked(submission, oracle, differential, rng):
    some = normal(rng, 4, 6).masked_fill(torch.from_numpy(rng.random((4, 6)) < 0.4), -torch.inf)
    some[:, 0] = normal(rng, 4)
    with_empty_row = some.clone()
    with_empty_row[rng.integers(4)] = -torch.inf
    nothing = torch.full((1,), -torch.inf, dtype=torch.float64)
    differential(submission.softmax, oracle.softmax, [some, with_empty_row, with_empty_row[None], nothing])


@check(
    points=1,
    fr="Le masque causal : longueur nulle, grande longueur",
    en="The causal mask: length zero, great length",
    visibility="hidden",
    needs=["causal_mask"],
)
def test_causal_mask_lengths(submission, oracle, differential, rng):
    differential(submission.causal_mask, oracle.causal_mask, [0, int(rng.integers(40, 80))])


@check(
    points=1,
    fr="Attention : autant de formes que permis",
    en="Attention: every shape that is allowed",
    visibility="hidden",
    needs=["scaled_dot_product"],
)
def test_scaled_dot_product_shapes(submission, oracle, differential, rng):
    inputs = []
    for b, t, s, d, e in [(1, 2, 3, 4, 5), (3, 5, 2, 1, 4), (2, 1, 6, 3, 1), (2, 4, 1, 2, 3), (4, 3, 3, 9, 3)]:
        arguments = qkv(rng, b, t, s, d, e)
        inputs += [arguments, (*arguments, masks(rng, t, s))]
    differential(submission.scaled_dot_product, oracle.scaled_dot_product, inputs)


@check(
    points=2,
    fr="Attention : lignes masquées, grands scores",
    en="Attention: masked rows, large scores",
    visibility="hidden",
    needs=["scaled_dot_product"],
)
def test_scaled_dot_product_edges(submission, oracle, differential, rng):
    q, k, v = qkv(rng, 2, 4, 5, 3, 2)
    mask = masks(rng, 4, 5)
    mask[rng.integers(4)] = False
    nowhere = torch.zeros(4, 5, dtype=torch.bool)
    differential(submission.scaled_dot_product, oracle.scaled_dot_product, [(q, k, v, mask), (q, k, v, nowhere)])
    large = [(100 * q, 100 * k, v), (100 * q, 100 * k, v, mask)]
    # the sum of d products of size M is rounded to about M·eps before softmax turns that into a relative error
    largest = float((large[0][0].abs() @ large[0][1].abs().mT).max())
    differential(submission.scaled_dot_product, oracle.scaled_dot_product, large, rtol=64 * EPSILON * largest)


@check(
    points=2,
    fr="Têtes multiples : d'une seule tête à autant que de colonnes",
    en="Multiple heads: from a single one to as many as columns",
    visibility="hidden",
    needs=["multi_head"],
)
def test_multi_head_heads(submission, oracle, differential, rng):
    inputs = []
    for b, t, width, heads in [(1, 3, 4, 1), (2, 3, 4, 4), (2, 5, 6, 3), (3, 1, 6, 2), (1, 7, 12, 4), (1, 2, 1, 1)]:
        arguments = layer(rng, b, t, width)
        inputs += [(*arguments, heads, False), (*arguments, heads, True)]
    differential(submission.multi_head, oracle.multi_head, inputs)


@check(
    points=1,
    fr="Têtes multiples : le passé ne voit pas l'avenir",
    en="Multiple heads: the past does not see the future",
    visibility="hidden",
    needs=["multi_head"],
)
def test_multi_head_future(submission, oracle, compare, rng):
    x, *matrices = layer(rng, 2, 8, 6)
    cut = int(rng.integers(3, 7))
    loud = x.clone()
    loud[:, cut:] = 1e5 * normal(rng, 2, 8 - cut, 6)  # a future that drowns the past wherever it gets in
    for value, answer in zip(
        (x, loud), submission.multi_head.map((v, *matrices, 2, True) for v in (x, loud)), strict=True
    ):
        shape = tuple(answer.shape) if isinstance(answer, np.ndarray | torch.Tensor) else None
        assert shape == tuple(x.shape), Text(
            f"`multi_head` doit renvoyer un tenseur de forme {tuple(x.shape)}.",
            f"`multi_head` must return a tensor of shape {tuple(x.shape)}.",
        )
        expected = oracle.multi_head(value, *matrices, 2, True)
        compare(answer[:, :cut], expected[:, :cut], what=f"multi_head(..., causal=True)[:, :{cut}]")
