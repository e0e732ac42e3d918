"""Checks of the attention assignment: public ones on small inputs, hidden ones on the rules at the edges.

Every check draws its inputs from the run's secret seed, and mixes them so that no constant answer is right throughout.
Not covered: gradients, and how fast the functions are; of memory only that of tiled attention is measured.
"""

import numpy as np
import torch
from hypothesis import strategies as st

from harness.checks import Text, check
from harness.metrics.growth import Promise, keeps

EPSILON = 2.0**-52  # spacing of float64 at 1
# All weights of the longest text take 3.1 MiB, and code that forms them holds two such arrays or more: memory in which
# growth is seen for sure. Loops over single scores, each a tensor, take 8 s for them.
LENGTHS = (64, 640)


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


def padded(rng, b, n):
    """Lengths of b texts in a batch of n positions, of which some are full and none is empty."""
    lengths = torch.from_numpy(rng.integers(1, n, size=b, endpoint=True))
    lengths[rng.integers(b)] = n
    return lengths


def projections(rng, width, memory_width):
    """The four matrices of cross-attention."""
    sizes = [(width, width), (memory_width, width), (memory_width, width), (width, width)]
    return [quarters(rng, *size, largest=1.0) for size in sizes]


def grouped(rng, b, heads, groups, t, s, d, e):
    return normal(rng, b, heads, t, d), normal(rng, b, groups, s, d), normal(rng, b, groups, s, e)


def tensors(shape):
    size = int(np.prod(shape))
    values = st.lists(st.floats(-10, 10, width=32), min_size=size, max_size=size)
    return values.map(lambda flat: torch.tensor(flat, dtype=torch.float64).reshape(shape))


@check(points=1, fr="Le softmax le long de la dernière dimension", en="Softmax along the last dimension")
def test_softmax(submission, oracle, differential):
    shapes = st.sampled_from([(2,), (3,), (2, 2), (2, 3), (3, 2), (2, 2, 3), (2, 1, 2, 2)])
    differential(submission.softmax, oracle.softmax, shapes.flatmap(tensors), examples=50)


@check(points=0.5, fr="Le masque causal", en="The causal mask")
def test_causal_mask(submission, oracle, differential, rng):
    differential(submission.causal_mask, oracle.causal_mask, [1, 2, 3, 5, int(rng.integers(10, 60))])


@check(points=0.5, fr="Le masque de remplissage", en="The padding mask")
def test_padding_mask(submission, oracle, differential, rng):
    inputs = [(torch.tensor([1, 3]), 3)] + [(padded(rng, b, n), n) for b, n in [(1, 2), (2, 3), (3, 4), (4, 6)]]
    differential(submission.padding_mask, oracle.padding_mask, inputs)


@check(points=1, fr="Le masque à fenêtre glissante", en="The sliding-window mask")
def test_sliding_window_mask(submission, oracle, differential, rng):
    drawn = int(rng.integers(20, 60)), int(rng.integers(2, 8))
    inputs = [(2, 1), (3, 2), (4, 2), (5, 3), (6, 2), drawn]
    differential(submission.sliding_window_mask, oracle.sliding_window_mask, inputs)


@check(
    points=1.5,
    fr="L'attention par produit scalaire, avec et sans masque",
    en="Scaled dot-product attention, with and without mask",
)
def test_scaled_dot_product(submission, oracle, differential, rng):
    inputs = []
    for b, t, d in [(1, 1, 1), (1, 2, 1), (1, 2, 2), (2, 3, 2), (2, 4, 3)]:
        q, k, v = (quarters(rng, b, t, d) for _ in range(3))
        inputs += [(q, k, v), (q, k, v, None), (q, k, v, oracle.causal_mask(t))]
    differential(submission.scaled_dot_product, oracle.scaled_dot_product, inputs)


@check(points=1.5, fr="L'attention à deux têtes, causale ou non", en="Attention with two heads, causal or not")
def test_multi_head(submission, oracle, differential, rng):
    inputs = []
    for b, t, width in [(1, 1, 2), (1, 2, 2), (1, 3, 4), (2, 4, 4)]:
        arguments = layer(rng, b, t, width)
        inputs += [(*arguments, 2), (*arguments, 2, False), (*arguments, 2, True)]
    differential(submission.multi_head, oracle.multi_head, inputs)


@check(points=1, fr="L'attention croisée", en="Cross-attention")
def test_cross_attention(submission, oracle, differential, rng):
    inputs = []
    for b, t, s, width in [(1, 1, 1, 2), (1, 1, 2, 2), (1, 2, 3, 4), (2, 3, 2, 4)]:
        inputs.append((quarters(rng, b, t, width), quarters(rng, b, s, width), *projections(rng, width, width), 2))
    differential(submission.cross_attention, oracle.cross_attention, inputs)


@check(points=1, fr="L'attention par groupes de têtes", en="Grouped-query attention")
def test_grouped_query(submission, oracle, differential, rng):
    inputs = []
    for b, t, d in [(1, 1, 1), (1, 2, 1), (1, 2, 2), (2, 3, 2)]:
        q, k, v = quarters(rng, b, 4, t, d), quarters(rng, b, 2, t, d), quarters(rng, b, 2, t, d)
        inputs += [(q, k, v), (q, k, v, oracle.causal_mask(t))]
    differential(submission.grouped_query, oracle.grouped_query, inputs)


@check(
    points=1,
    fr="Le cache des clés et des valeurs, position par position",
    en="The key-value cache, one position at a time",
)
def test_cached_multi_head(submission, oracle, compare, rng):
    x, *matrices = layer(rng, 2, 4, 4)
    cache = None
    for i in range(x.shape[1]):
        arguments = (x[:, i : i + 1], *matrices, 2, cache)
        expected = oracle.cached_multi_head(*arguments)
        compare(submission.cached_multi_head(*arguments), expected, what=f"cached_multi_head, position {i}")
        _, cache = expected


@check(points=1, fr="L'attention par tuiles", en="Tiled attention")
def test_tiled_attention(submission, oracle, compare, rng):
    for b, t, d, block, causal in [(1, 1, 1, 1, False), (1, 2, 1, 1, False), (1, 2, 1, 1, True), (2, 4, 2, 2, True)]:
        q, k, v = (quarters(rng, b, t, d) for _ in range(3))
        answer = submission.tiled_attention(q, k, v, block_size=block, causal=causal)
        compare(answer, oracle.tiled_attention(q, k, v, block_size=block, causal=causal))


@check(
    points=1,
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
    points=0.5,
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
    points=0.5,
    fr="Le masque causal : longueur nulle, grande longueur",
    en="The causal mask: length zero, great length",
    visibility="hidden",
    needs=["causal_mask"],
)
def test_causal_mask_lengths(submission, oracle, differential, rng):
    differential(submission.causal_mask, oracle.causal_mask, [0, int(rng.integers(40, 80))])


@check(
    points=0.5,
    fr="Le masque de remplissage : textes vides, textes pleins",
    en="The padding mask: empty texts, full texts",
    visibility="hidden",
    needs=["padding_mask"],
)
def test_padding_mask_edges(submission, oracle, differential, rng):
    n = int(rng.integers(20, 40))
    some = torch.from_numpy(rng.permutation(n + 1))  # every length there is, 0 and n among them
    differential(submission.padding_mask, oracle.padding_mask, [(some, n), (torch.zeros(2, dtype=torch.int64), 0)])


@check(
    points=0.5,
    fr="La fenêtre glissante : très étroite, très large, longueur nulle",
    en="The sliding window: very narrow, very wide, length zero",
    visibility="hidden",
    needs=["sliding_window_mask"],
)
def test_sliding_window_mask_edges(submission, oracle, differential, rng):
    n = int(rng.integers(20, 40))
    windows = [1, n - 1, n, n + 1, 10 * n, int(rng.integers(2, n - 1))]
    inputs = [(n, window) for window in windows] + [(1, 1), (0, 3)]
    differential(submission.sliding_window_mask, oracle.sliding_window_mask, inputs)


@check(
    points=0.5,
    fr="Attention : toutes les formes permises",
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
    points=1,
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
    points=0.5,
    fr="Têtes multiples : d'une seule à une par colonne",
    en="Multiple heads: from a single one to one per column",
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
    points=0.5,
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


@check(
    points=1,
    fr="L'attention croisée : mémoire d'une autre largeur, remplissage",
    en="Cross-attention: a memory of another width, padding",
    visibility="hidden",
    needs=["cross_attention"],
)
def test_cross_attention_memory(submission, oracle, differential, rng):
    inputs = []
    for b, t, s, width, memory_width, heads in [(1, 2, 3, 4, 5, 1), (3, 4, 5, 6, 2, 3), (2, 1, 4, 4, 7, 4)]:
        x, memory = quarters(rng, b, t, width), quarters(rng, b, s, memory_width)
        lengths = padded(rng, b, s)
        nothing = lengths.clone()
        nothing[rng.integers(b)] = 0
        masks = [oracle.padding_mask(each, s)[:, None, None, :] for each in (lengths, nothing)]
        arguments = (x, memory, *projections(rng, width, memory_width), heads)
        inputs += [arguments, *((*arguments, mask) for mask in masks)]
    differential(submission.cross_attention, oracle.cross_attention, inputs)


@check(
    points=1,
    fr="Groupes de têtes : d'un seul groupe à un groupe par tête",
    en="Grouped queries: from a single group to one per head",
    visibility="hidden",
    needs=["grouped_query"],
)
def test_grouped_query_groups(submission, oracle, differential, rng):
    inputs = []
    for b, heads, groups, t, s, d, e in [
        (1, 3, 1, 2, 3, 2, 4),
        (2, 6, 2, 3, 4, 3, 1),
        (2, 6, 3, 1, 5, 1, 2),
        (1, 4, 4, 5, 2, 9, 3),
    ]:
        arguments = grouped(rng, b, heads, groups, t, s, d, e)
        blind = masks(rng, t, s)
        blind[rng.integers(t)] = False
        inputs += [arguments, (*arguments, masks(rng, t, s)), (*arguments, blind)]
    differential(submission.grouped_query, oracle.grouped_query, inputs)


@check(
    points=1,
    fr="Le cache : plusieurs positions à la fois, un passé que rien d'autre ne contient",
    en="The cache: several positions at once, a past that nothing else holds",
    visibility="hidden",
    needs=["cached_multi_head"],
)
def test_cached_multi_head_steps(submission, oracle, differential, rng):
    inputs = []
    for b, past, t, width, heads in [(1, 1, 1, 2, 1), (1, 3, 2, 4, 4), (2, 2, 3, 6, 3), (3, 5, 1, 4, 2)]:
        x, *matrices = layer(rng, b, t, width)
        cache = (quarters(rng, b, past, width), quarters(rng, b, past, width))  # not what any x would have left
        inputs += [(x, *matrices, heads), (x, *matrices, heads, None), (x, *matrices, heads, cache)]
    differential(submission.cached_multi_head, oracle.cached_multi_head, inputs)


@check(
    points=0.5,
    fr="Les tuiles : incomplètes, trop grandes, à très grands scores",
    en="Tiles: incomplete, too large, with very large scores",
    visibility="hidden",
    needs=["tiled_attention"],
)
def test_tiled_attention_edges(submission, oracle, compare, rng):
    for b, t, s, d, e, block in [(2, 5, 7, 2, 3, 3), (1, 3, 1, 4, 1, 2), (3, 2, 6, 1, 4, 100), (1, 7, 7, 2, 2, 5)]:
        q, k, v = qkv(rng, b, t, s, d, e)
        for causal in [False, True] if t == s else [False]:
            answer = submission.tiled_attention(q, k, v, block_size=block, causal=causal)
            compare(answer, oracle.tiled_attention(q, k, v, block_size=block, causal=causal))
    q, k, v = qkv(rng, 2, 6, 5, 3, 2)
    compare(submission.tiled_attention(q, k, v), oracle.tiled_attention(q, k, v))  # the defaults
    q, k, v = qkv(rng, 2, 6, 6, 3, 2)
    largest = 1e4 * float((q.abs() @ k.abs().mT).max())
    for queries, keys in [(q, k), (q.abs(), k.abs()), (q.abs(), -k.abs())]:  # of both signs, all positive, all negative
        for causal in (False, True):
            answer = submission.tiled_attention(100 * queries, 100 * keys, v, block_size=2, causal=causal)
            expected = oracle.tiled_attention(100 * queries, 100 * keys, v, block_size=2, causal=causal)
            compare(answer, expected, rtol=64 * EPSILON * largest)  # as in `scaled_dot_product_edges`


@check(
    points=1,
    fr="Les tuiles : la mémoire ne dépend pas de la longueur",
    en="Tiles: memory does not depend on the length",
    visibility="after_due",
    needs=["tiled_attention"],
)
def test_tiled_attention_memory(submission, baseline, compare, growth):
    def draw(n, rng):
        return tuple(normal(rng, 1, n, 2) for _ in range(3))

    promise = Promise("1", sizes=LENGTHS, quantity="memory")
    found = growth(submission.tiled_attention, baseline.tiled_attention, draw, same=compare, promise=promise)
    assert keeps(found), Text(
        "La mémoire que prend `tiled_attention` augmente avec la longueur : une tuile à la fois suffit.",
        "The memory that `tiled_attention` takes grows with the length: one tile at a time is enough.",
    )
