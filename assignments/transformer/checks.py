"""Checks of the transformer assignment: public ones on small models, hidden ones on the rules at the edges.

Every check draws its inputs from the run's secret seed, weights included, and mixes them so that no constant answer is
right throughout. What a student has trained is measured by the oracle's decoder with the student's weights: numbers
alone cross, fixed before any text is drawn, so nothing can look ahead.
Not covered: gradients by themselves (training needs them), and how fast the functions are.

The students' data/phrases.txt was drawn once: `FRENCH.sample(np.random.default_rng(2026), documents=1, length=600)`.
"""

import numpy as np
import torch

from harness.checks import Scale, Text, check
from harness.metrics.perplexity import Characters
from harness.metrics.sources import GrammarSource

IGNORED = -100  # the label of a position that does not count
WIDTH, HEADS, INNER = 32, 2, 64  # of the decoder that is trained, as the notebook says
CONTEXT = 64  # ids that it reads at most, as in training
RATE = 0.01  # of Adam, as the notebook says
# nats that two steps lower the loss by, of a text of two tokens with room for a single window: 0.45 or more over 200
# seeds, and 0.16 at most where weights move in no direction in particular
LEARNED = 0.3
LARGEST = 1e6  # of a trained weight: a hundred thousand times what training gives, and far from overflow
SMOOTHING = 0.1  # added to every count of the n-grams that a decoder is compared with


def normal(rng, *shape, size=1.0):
    return torch.from_numpy(size * rng.standard_normal(shape))


def around_one(rng, width):
    """The scale of a norm: not 1, so that it cannot be forgotten."""
    return 1 + normal(rng, width, size=0.3)


def spread(rng, *shape):
    """Rows whose entries are far apart: no way of computing their variance loses digits."""
    steps = np.broadcast_to(np.arange(shape[-1]), shape)
    return torch.from_numpy(rng.permuted(steps, axis=-1) + rng.uniform(-0.3, 0.3, size=shape) - 1)


def token_ids(rng, n_tokens, *shape):
    return torch.from_numpy(rng.integers(n_tokens, size=shape))


def block_weights(rng, width, inner):
    """Those of one block of a decoder."""
    projections = {f"attention.{name}_proj.weight": normal(rng, width, width, size=0.5) for name in "qkvo"}
    return {
        "attention_norm.weight": around_one(rng, width),
        **projections,
        "feed_forward_norm.weight": around_one(rng, width),
        "feed_forward.gate_proj.weight": normal(rng, inner, width, size=0.5),
        "feed_forward.up_proj.weight": normal(rng, inner, width, size=0.5),
        "feed_forward.down_proj.weight": normal(rng, width, inner, size=0.5),
    }


def decoder_weights(rng, n_tokens, width, inner, *, n_blocks):
    blocks = [numbered(block_weights(rng, width, inner), number) for number in range(n_blocks)]
    return {
        "token_embedding.weight": normal(rng, n_tokens, width),
        **{name: weight for block in blocks for name, weight in block.items()},
        "final_norm.weight": around_one(rng, width),
        "lm_head.weight": normal(rng, n_tokens, width),
    }


def encoder_weights(rng, n_tokens, width, inner, *, n_blocks):
    shapes = {f"attention.{name}_proj": (width, width) for name in "qkvo"}
    shapes |= {"feed_forward.up_proj": (inner, width), "feed_forward.down_proj": (width, inner)}
    weights = {"token_embedding.weight": normal(rng, n_tokens, width)}
    for number in range(n_blocks):
        block = {}
        for name, shape in shapes.items():
            block |= {f"{name}.weight": normal(rng, *shape, size=0.5), f"{name}.bias": normal(rng, shape[0])}
        for name in ("attention_norm", "feed_forward_norm"):
            block |= {f"{name}.weight": around_one(rng, width), f"{name}.bias": normal(rng, width)}
        weights |= numbered(block, number)
    final = {"final_norm.weight": around_one(rng, width), "final_norm.bias": normal(rng, width)}
    return weights | final | {"lm_head.bias": normal(rng, n_tokens)}


def numbered(block, number):
    return {f"blocks.{number}.{name}": weight for name, weight in block.items()}


def trained_shapes(n_tokens):
    """Name and shape of everything that `train_decoder` returns."""
    some = decoder_weights(np.random.default_rng(0), n_tokens, WIDTH, INNER, n_blocks=1)
    return {name: tuple(weight.shape) for name, weight in some.items()}


def require_weights(weights, n_tokens):
    """Fail unless `weights` are those of the decoder of the statement; give them as float64 tensors."""
    expected = trained_shapes(n_tokens)
    named = isinstance(weights, dict) and set(weights) == set(expected)
    assert named, Text(
        "`train_decoder` doit renvoyer un dictionnaire avec les noms de `initial_weights`, ni plus ni moins.",
        "`train_decoder` must return a dictionary with the names of `initial_weights`, no more and no less.",
    )
    found = {}
    for name, shape in expected.items():
        weight = weights[name]
        assert of_kind(weight, "float", shape), Text(
            f"Le poids {name!r} doit être un tenseur de réels de forme {shape}.",
            f"The weight {name!r} must be a tensor of floats of shape {shape}.",
        )
        found[name] = as_tensor(weight).double()
        assert bool((found[name].abs() <= LARGEST).all()), Text(
            f"Le poids {name!r} n'est pas fini, ou dépasse {LARGEST:.0e} : l'entraînement a divergé.",
            f"The weight {name!r} is not finite, or is beyond {LARGEST:.0e}: training has diverged.",
        )
    return found


def require_corruption(answer, ids):
    """Fail unless `answer` is a corruption of `ids` by the rules that hold for every draw; give both tensors."""
    pair = (
        isinstance(answer, list | tuple) and len(answer) == 2 and all(of_kind(one, "int", ids.shape) for one in answer)
    )
    assert pair, Text(
        f"`corrupt` doit renvoyer deux tenseurs d'entiers de forme {tuple(ids.shape)}.",
        f"`corrupt` must return two tensors of integers of shape {tuple(ids.shape)}.",
    )
    corrupted, labels = (as_tensor(one).long() for one in answer)
    chosen = labels != IGNORED
    assert torch.equal(labels[chosen], ids[chosen]), Text(
        "L'étiquette d'une position choisie doit être le jeton d'origine, celle des autres -100.",
        "The label of a chosen position must be the original token, that of the others -100.",
    )
    assert torch.equal(corrupted[~chosen], ids[~chosen]), Text(
        "`corrupt` a changé une position qui n'est pas choisie (étiquette -100).",
        "`corrupt` changed a position that is not chosen (label -100).",
    )
    return corrupted, labels


def of_kind(value, kind, shape):
    """Whether `value` is an array or a tensor of that shape whose numbers are of that kind."""
    return (
        isinstance(value, torch.Tensor | np.ndarray) and kind in str(value.dtype) and tuple(value.shape) == tuple(shape)
    )


def as_tensor(array):
    """A tensor of one's own, of what the student returned."""
    return array.detach() if isinstance(array, torch.Tensor) else torch.from_numpy(array.copy())


class Trained:
    """A decoder with the student's weights, as `perplexity` asks a model; the oracle computes its logits."""

    def __init__(self, oracle, weights):
        self.oracle, self.weights = oracle, weights

    def __call__(self, ids):
        return self.map([ids])[0]

    def map(self, contexts):
        """All contexts in one batch: what fills up the shorter ones stands behind them, where no position looks."""
        longest = max(map(len, contexts))
        batch = torch.tensor([[*ids, *[0] * (longest - len(ids))] for ids in contexts])
        logits = self.oracle.decoder(batch, self.weights, HEADS)
        return [rows[: len(ids)] for rows, ids in zip(logits, contexts, strict=True)]


class Language:
    """An invented language: its grammar, its characters from the line break on, and a text to learn from."""

    def __init__(self, rng):
        self.source = GrammarSource.random(rng, words=30)
        letters = set("".join(self.source.words)) | set(" .")
        self.alphabet = "\n" + "".join(sorted(letters))
        self.text = self.source.sample(rng, documents=1, length=400)[0]

    def ids(self, text):
        return np.array([self.alphabet.index(character) for character in text])

    def ngram_bits(self, n, texts):
        """Bits per byte of smoothed n-grams of `self.text` on `texts`; all characters are one byte."""
        counts = np.full((len(self.alphabet),) * n, SMOOTHING)
        np.add.at(counts, self._ngrams(n, self.text), 1)
        probabilities = counts / counts.sum(axis=-1, keepdims=True)
        return -float(np.concatenate([np.log2(probabilities[self._ngrams(n, text)]) for text in texts]).mean())

    def _ngrams(self, n, text):
        """Where each n-gram stands in a table: one array an axis; line breaks stand before the text."""
        ids = np.concatenate([np.zeros(n - 1, dtype=np.int64), self.ids(text)])
        return tuple(ids[at : at + len(text)] for at in range(n))


@check(points=1, fr="Le tableau de sinus et de cosinus", en="The table of sines and cosines")
def test_sinusoidal(submission, oracle, differential, rng):
    lengths, widths = rng.integers(2, 9, size=4), 2 + 2 * rng.permutation(4)
    inputs = [(int(n), int(width)) for n, width in zip(lengths, widths, strict=True)]
    differential(submission.sinusoidal, oracle.sinusoidal, sorted(inputs, key=np.prod))  # small ones first


@check(points=1, fr="La rotation selon la position", en="Rotation by position")
def test_rotary(submission, oracle, differential, rng):
    inputs = [(normal(rng, t, d), torch.arange(t)) for t, d in [(2, 2), (3, 4), (5, 6)]]
    differential(submission.rotary, oracle.rotary, inputs)


@check(points=1, fr="Normaliser : LayerNorm et RMSNorm", en="Normalising: LayerNorm and RMSNorm")
def test_norms(submission, oracle, differential, rng):
    inputs = []
    for rows, width in [(1, 2), (2, 3), (3, 5)]:
        inputs.append((spread(rng, rows, width), around_one(rng, width), normal(rng, width)))
    differential(submission.layer_norm, oracle.layer_norm, inputs)
    differential(submission.rms_norm, oracle.rms_norm, [(x, weight) for x, weight, _ in inputs])


@check(points=1, fr="Les activations : GELU et SwiGLU", en="Activations: GELU and SwiGLU")
def test_activations(submission, oracle, differential, rng):
    pairs = [tuple(normal(rng, *shape).clamp(-3, 3) for _ in range(2)) for shape in [(2,), (3, 2), (2, 3, 4)]]
    for values, _ in pairs:
        values.view(-1)[-1] = 3.0  # the largest value: beside it, what 1 + erf loses near -3 is within the tolerance
    differential(submission.gelu, oracle.gelu, [values for values, _ in pairs])
    differential(submission.swiglu, oracle.swiglu, pairs)


@check(points=1, fr="Un bloc du décodeur", en="One block of the decoder")
def test_decoder_block(submission, oracle, compare, rng):
    for b, t, width, heads in [(1, 1, 2, 1), (1, 3, 4, 1), (2, 4, 8, 2)]:
        arguments = normal(rng, b, t, width), block_weights(rng, width, 3 * width // 2), heads
        compare(submission.decoder_block(*arguments), oracle.decoder_block(*arguments))


@check(points=1, fr="Le décodeur avec des poids donnés", en="The decoder with given weights")
def test_decoder(submission, oracle, compare, rng):
    for b, t, n_tokens, n_blocks in [(1, 2, 3, 1), (2, 4, 5, 2)]:
        weights = decoder_weights(rng, n_tokens, 8, 6, n_blocks=n_blocks)
        arguments = token_ids(rng, n_tokens, b, t), weights, 2
        compare(submission.decoder(*arguments), oracle.decoder(*arguments))


@check(points=1, fr="L'encodeur avec des poids donnés", en="The encoder with given weights")
def test_encoder(submission, oracle, compare, rng):
    for b, t, n_tokens, n_blocks in [(1, 2, 3, 1), (2, 4, 5, 2)]:
        weights = encoder_weights(rng, n_tokens, 4, 6, n_blocks=n_blocks)
        arguments = token_ids(rng, n_tokens, b, t), weights, 2
        compare(submission.encoder(*arguments), oracle.encoder(*arguments))


@check(points=1, fr="Cacher des mots selon la graine", en="Hiding words, as the seed says")
def test_corrupt(submission, rng):
    ids = token_ids(rng, 12, 8, 25)
    seeds = [int(seed) for seed in rng.choice(2**31, size=2, replace=False)]
    answers = submission.corrupt.map((ids, 3, 12, [0, 1, 3], seed, 0.7) for seed in [seeds[0], *seeds])
    first, again, other = (require_corruption(answer, ids) for answer in answers)
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True)), Text(
        "`corrupt` renvoie deux résultats différents pour la même graine.",
        "`corrupt` returns two different results for the same seed.",
    )
    assert not torch.equal(first[1], other[1]), Text(
        "`corrupt` choisit les mêmes positions pour deux graines différentes.",
        "`corrupt` chooses the same positions for two different seeds.",
    )
    everything, nothing = submission.corrupt.map((ids, 3, 12, [0, 1, 3], seeds[0], share) for share in (1.0, 0.0))
    for answer, chosen in ((everything, (ids != 0) & (ids != 1) & (ids != 3)), (nothing, torch.zeros_like(ids) > 0)):
        assert torch.equal(require_corruption(answer, ids)[1] != IGNORED, chosen), Text(
            "Avec fraction=1, toutes les positions sont choisies sauf celles de `special_ids` ; avec 0, aucune.",
            "With fraction=1 all positions are chosen except those of `special_ids`; with 0, none.",
        )


@check(points=1, fr="L'entropie croisée", en="Cross-entropy")
def test_cross_entropy(submission, oracle, differential, rng):
    inputs = []
    for rows, n_tokens in [(1, 2), (2, 3), (4, 5)]:
        inputs.append((normal(rng, rows, n_tokens), token_ids(rng, n_tokens, rows)))
    some = token_ids(rng, 4, 5)
    some[[0, 3]] = IGNORED
    differential(submission.cross_entropy, oracle.cross_entropy, [*inputs, (normal(rng, 5, 4), some)])


@check(
    points=1,
    fr="Un décodeur entraîné sur une langue inconnue",
    en="A decoder trained on an unknown language",
    needs=["decoder", "cross_entropy"],
)
def test_bits(submission, oracle, perplexity, rng):
    language = Language(rng)
    n_tokens = len(language.alphabet)
    ids = torch.from_numpy(language.ids(language.text))
    weights = submission.train_decoder(ids, n_tokens, int(rng.integers(2**31)))
    model = Trained(oracle, require_weights(weights, n_tokens))
    others = language.source.sample(rng, documents=20, length=10)
    # a decoder trained as the statement says needs 0.74 to 0.84 of the bits of trigrams, over 20 languages
    bigrams, trigrams = (language.ngram_bits(n, others) for n in (2, 3))
    scale = Scale.of([(Text("bigrammes", "bigrams"), bigrams, 0.0), (Text("trigrammes", "trigrams"), trigrams, 1.0)])
    tokenizer = Characters(language.alphabet)
    perplexity(model, tokenizer=tokenizer, source=language.source, sampled=(20, 10), context=CONTEXT, scale=scale)


@check(
    points=1,
    fr="Positions : largeurs impaires, positions quelconques, autres bases",
    en="Positions: odd widths, any positions, other bases",
    visibility="hidden",
    needs=["sinusoidal", "rotary"],
)
def test_positions_edges(submission, oracle, compare, differential, rng):
    differential(submission.sinusoidal, oracle.sinusoidal, [(3, 1), (4, 3), (0, 4), (int(rng.integers(50, 90)), 7)])
    cases = [((2, 2, 4, 6), 100.0), ((3, 1, 8), 10000.0), ((1, 2, 5, 2), 3.0), ((2, 0, 4), 10.0)]
    for shape, base in cases:
        x, positions = normal(rng, *shape), torch.from_numpy(rng.integers(-40, 90, size=shape[-2]))
        compare(submission.rotary(x, positions, base=base), oracle.rotary(x, positions, base=base))


@check(
    points=1,
    fr="Normaliser : autres eps, lignes constantes, autant de dimensions que voulu",
    en="Normalising: other eps, constant rows, any number of dimensions",
    visibility="hidden",
    needs=["norms"],
)
def test_norms_edges(submission, oracle, compare, rng):
    for shape, eps in [((4,), 0.5), ((2, 3, 4), 1e-3), ((2, 1, 2, 5), 1e-8), ((0, 3), 1e-5), ((3, 1), 0.1)]:
        x, weight, bias = spread(rng, *shape), around_one(rng, shape[-1]), normal(rng, shape[-1])
        if len(shape) == 3:
            x[0, 1] = float(rng.integers(2, 9))  # a whole number: its mean is exact
            x[1, 2] = 0.0
        compare(submission.layer_norm(x, weight, bias, eps=eps), oracle.layer_norm(x, weight, bias, eps=eps))
        compare(submission.rms_norm(x, weight, eps=eps), oracle.rms_norm(x, weight, eps=eps))


@check(
    points=2,
    fr="Le décodeur : plusieurs blocs, une ou plusieurs têtes, textes courts et longs",
    en="The decoder: several blocks, one or more heads, short and long texts",
    visibility="hidden",
    needs=["decoder_block", "decoder"],
)
def test_decoder_sizes(submission, oracle, compare, rng):
    for b, t, n_tokens, width, heads, n_blocks in [
        (1, 1, 2, 6, 1, 1),
        (3, 9, 7, 12, 3, 3),
        (2, 30, 4, 8, 4, 2),
        (1, 5, 9, 4, 2, 11),
    ]:
        weights = decoder_weights(rng, n_tokens, width, 5, n_blocks=n_blocks)
        arguments = token_ids(rng, n_tokens, b, t), weights, heads
        compare(submission.decoder(*arguments), oracle.decoder(*arguments))


@check(
    points=1,
    fr="L'encodeur : remplissage, plusieurs blocs, une ou plusieurs têtes",
    en="The encoder: padding, several blocks, one or more heads",
    visibility="hidden",
    needs=["encoder"],
)
def test_encoder_padding(submission, oracle, compare, rng):
    for b, t, width, heads, n_blocks in [(2, 6, 6, 1, 1), (3, 5, 6, 3, 3), (2, 1, 5, 1, 1), (2, 7, 8, 4, 2)]:
        weights = encoder_weights(rng, 6, width, 9, n_blocks=n_blocks)
        mask = torch.from_numpy(rng.random((b, t)) < 0.5)
        mask[torch.arange(b), torch.from_numpy(rng.integers(t, size=b))] = True
        arguments = token_ids(rng, 6, b, t), weights, heads
        compare(submission.encoder(*arguments, mask), oracle.encoder(*arguments, mask))


@check(
    points=2,
    fr="Cacher des mots : 80 %, 10 %, 10 %, chaque position pour elle-même",
    en="Hiding words: 80%, 10%, 10%, each position for itself",
    visibility="hidden",
    needs=["corrupt"],
)
def test_corrupt_shares(submission, same_distribution, rng):
    n_tokens, mask_id = 8, int(rng.integers(2, 8))
    word = int((mask_id + rng.integers(1, 6) - 2) % 6 + 2)  # neither special nor the mask
    seeds = [int(seed) for seed in rng.integers(2**31, size=3)]
    ids = torch.full((5000, 6), word)
    asked = ([0, 1], seeds[0]), ([0, 1], seeds[1], 1.0), ([], seeds[2], 0.5)
    answers = submission.corrupt.map((ids, mask_id, n_tokens, *rest) for rest in asked)
    by_default, everything, half = (require_corruption(answer, ids) for answer in answers)
    labelled, masked, same = by_default[1] != IGNORED, by_default[0] == mask_id, by_default[0] == word
    kinds = torch.where(labelled, 1 + masked.long() + 2 * same.long(), 0)  # not chosen; random, masked, kept
    shares = [(n_tokens - 2) * 0.1 / n_tokens, 0.8 + 0.1 / n_tokens, 0.1 + 0.1 / n_tokens]
    expected = [0.85, *(0.15 * share for share in shares)]
    same_distribution(kinds.flatten().tolist(), expected, what="`corrupt(..., fraction=0.15)`")
    shares = [0.1 / n_tokens + 0.8 * (token == mask_id) + 0.1 * (token == word) for token in range(n_tokens)]
    same_distribution(everything[0].flatten().tolist(), shares, what="`corrupt(..., fraction=1)`")
    same_distribution((half[1] != IGNORED).sum(dim=1).tolist(), binomial(6, 0.5), what="`corrupt(..., fraction=0.5)`")
    masked = (everything[0] == mask_id).sum(dim=1).tolist()
    same_distribution(masked, binomial(6, shares[mask_id]), what="`corrupt(..., fraction=1)`")


def binomial(n, p):
    """Probabilities of 0 to n successes."""
    ways = np.cumprod([1, *((n - k) / (k + 1) for k in range(n))])
    return [float(ways[k] * p**k * (1 - p) ** (n - k)) for k in range(n + 1)]


@check(
    points=1,
    fr="Activations et perte : très grandes valeurs, lots, autre étiquette ignorée",
    en="Activations and loss: very large values, batches, another ignored label",
    visibility="hidden",
    needs=["activations", "cross_entropy"],
)
def test_extremes(submission, oracle, differential, compare, rng):
    large = torch.tensor([-1000.0, -750.0, -40.0, 0.0, 40.0, 1000.0], dtype=torch.float64) + normal(rng, 6)
    differential(submission.gelu, oracle.gelu, [large])
    differential(submission.swiglu, oracle.swiglu, [(large, normal(rng, 6)), (large[None], normal(rng, 1, 6))])
    logits, targets = normal(rng, 3, 4, 6), token_ids(rng, 6, 3, 4)
    targets[torch.from_numpy(rng.random((3, 4)) < 0.5)] = IGNORED
    targets[0, 0] = rng.integers(6)
    differential(submission.cross_entropy, oracle.cross_entropy, [(logits, targets), (1e3 * logits, targets)])
    tokens, ignored = token_ids(rng, 6, 3, 4), int(rng.integers(1, 6))
    tokens[1], tokens[0, 0] = ignored, 0  # some are ignored, one counts
    answer = submission.cross_entropy(logits, tokens, ignored=ignored)
    compare(answer, oracle.cross_entropy(logits, tokens, ignored=ignored))


@check(
    points=2,
    fr="L'entraînement pas à pas, et selon la graine",
    en="Training step by step, and from the seed",
    visibility="hidden",
    needs=["decoder", "cross_entropy"],
)
def test_train_decoder(submission, oracle, compare, rng):
    text = token_ids(rng, 4, 300)
    shortest = token_ids(rng, 2, CONTEXT + 1)  # soon learned a little: the other tokens never come
    shortest[-1] = 4  # stands nowhere else: it is only ever a target
    seed, other_seed = (int(seed) for seed in rng.choice(2**31, size=2, replace=False))
    asked = [
        (text, 5, seed, 2),
        (text, 5, seed, 2),
        (text, 5, other_seed, 2),
        *((shortest, 5, seed, n) for n in range(3)),
    ]
    trained = [require_weights(weights, 5) for weights in submission.train_decoder.map(asked)]
    compare(trained[1], trained[0], what="train_decoder")
    assert not any(torch.equal(trained[2][name], trained[0][name]) for name in trained[0]), Text(
        "`train_decoder` donne les mêmes poids pour deux graines différentes.",
        "`train_decoder` gives the same weights for two different seeds.",
    )
    require_steps(*trained[3:])
    before, after = (loss_of(oracle, weights, shortest) for weights in (trained[3], trained[5]))
    assert before - after > LEARNED, Text(
        "Deux pas sur un texte de 65 jetons n'en font pas baisser la perte comme ils devraient.",
        "Two steps on a text of 65 tokens do not lower its loss as they ought to.",
    )


def loss_of(oracle, weights, ids):
    """What a correct decoder with these weights costs on a text, in nats a token."""
    return float(oracle.cross_entropy(oracle.decoder(ids[None, :-1], weights, HEADS), ids[None, 1:]))


def comma(number):
    """Two digits of `number`, as they are written in French."""
    return f"{number:.2g}".replace(".", ",")


def require_steps(start, after_one, after_two):
    """Fail unless these weights are those before training, after one step of it and after two."""
    assert all(bool((weight == 1).all()) for name, weight in start.items() if "norm" in name), Text(
        "Avec steps=0, `train_decoder` doit renvoyer les poids initiaux, ceux de `initial_weights`.",
        "With steps=0, `train_decoder` must return the initial weights, those of `initial_weights`.",
    )
    moved = float((after_one["final_norm.weight"] - start["final_norm.weight"]).abs().max())
    # a first step of Adam moves each weight by its rate, whatever the gradient
    assert 0.9 * RATE < moved < 1.1 * RATE, Text(
        f"Au premier pas, l'échelle finale bouge de {comma(moved)} au plus : Adam la déplace de {comma(RATE)}.",
        f"In the first step the final scale moves by {moved:.2g} at most: Adam moves it by {RATE}.",
    )
    moved = (after_two["token_embedding.weight"] - start["token_embedding.weight"]).abs()  # (V, D)
    assert float(moved[4].max()) < 0.1 * RATE, Text(
        "Le dernier jeton du texte n'est jamais une entrée : son plongement ne doit pas changer.",
        "The last token of the text is never an input: its embedding must not change.",
    )
    assert float(moved[:4].max()) > 0.9 * RATE, Text(
        "`train_decoder` laisse les plongements tels qu'ils étaient.",
        "`train_decoder` leaves the embeddings as they were.",
    )
