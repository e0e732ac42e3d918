"""Checks of the fine-tuning assignment: public ones on small inputs, hidden ones on the rules at the edges.

Every check draws its inputs from the run's secret seed, and mixes them so that no constant answer is right throughout.
The students' files were drawn once from `assignments.grammars`: francais.txt is 400 sentences of FRENCH with the
generator of seed 1, anglais.txt 140 sentences of ENGLISH with that of seed 2.
Not covered: gradients that autograd would take through an answer, and how fast the functions are.
"""

from itertools import pairwise

import numpy as np
import torch
from hypothesis import strategies as st

from harness.checks import Scale, Text, check, tolerance
from harness.metrics.perplexity import Characters
from harness.metrics.sources import MarkovSource, bits_per_byte

EXAMPLES = 50  # inputs a search draws: a mistake that none of them shows is one of the rules with a check of its own
EPSILON = 2.0**-52  # spacing of float64 at 1
LETTERS = "abcdefghijkl"  # the vocabulary of the invented languages
WIDTH = 8  # features of a token there
BUDGET = {"learning_rate": 0.5, "n_steps": 60}  # of the adaptation that is measured; the statement says so
RANK, ALPHA = 4, 8.0
# solving a system loses as many digits as its condition has, below 1e4 for the probes here; 64 as in `tolerance`
PROBE = 64 * EPSILON * 1e4


def normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def quarters(rng, *shape, largest=2.0):
    """Multiples of 1/4: short to read in a message."""
    return torch.from_numpy(rng.integers(-4 * largest, 4 * largest, size=shape, endpoint=True) / 4)


def eighths(rng, *shape):
    """Multiples of 1/8 from -1 to 1: their products add up exactly, and no probability comes near 1."""
    return quarters(rng, *shape) / 2


def thousandths(rng, *shape):
    """Normal numbers, rounded to be read; unlike with `quarters`, sums that ought not to be zero are none by chance."""
    return torch.from_numpy(rng.standard_normal(shape).round(3))


def token_ids(rng, *shape, vocabulary):
    return torch.from_numpy(rng.integers(vocabulary, size=shape))


def masks(rng, b, t):
    """A random mask of b < t rows, false at the first token, each row with another number of tokens to learn."""
    counts = 1 + rng.permutation(t - 1)[:b]
    mask = np.zeros((b, t), dtype=bool)
    for row, count in zip(mask, counts, strict=True):
        row[1 + rng.permutation(t - 1)[:count]] = True
    return torch.from_numpy(mask)


def batch(rng, b, t, v):
    """Logits, tokens and the mask of the answers."""
    return quarters(rng, b, t, v), token_ids(rng, b, t, vocabulary=v), masks(rng, b, t)


def large_batch(rng, b, t, v):
    """The same with logits whose exponentials overflow, but for those of one row, so that something is always lost."""
    logits, ids, mask = batch(rng, b, t, v)
    logits[1:] = 800 * normal(rng, b - 1, t, v)
    return logits, ids, mask


def disagreement(rng, n, v):
    """Logits of a student and of a teacher who prefers in each row what the student likes least."""
    student, teacher = thousandths(rng, n, v), thousandths(rng, n, v)
    teacher[torch.arange(n), student.argmin(dim=-1)] = 3 + teacher.max().abs()  # a divergence of 0 has no digits
    return student, teacher


@st.composite
def exchanges(draw):
    """One question and its answer, with markers that differ from one to the next: (ids, assistant, end)."""
    user, assistant, end = draw(st.permutations(range(3)))
    content = st.lists(st.integers(3, 9), min_size=1, max_size=3)
    return [user, *draw(content), end, assistant, *draw(content), end], assistant, end


def conversation(rng, lengths, *, assistant, end, user):
    """Turns of a user and an assistant; `lengths` of their contents in tokens, in order."""
    ids = []
    for turn, length in enumerate(lengths):
        ids += [assistant if turn % 2 else user, *rng.integers(20, 90, size=length).tolist(), end]
    return ids


def adapter(rng, k, d, rank, *, values=quarters):
    """A weight (K, D) and its A and B."""
    return values(rng, k, d), values(rng, rank, d), values(rng, k, rank)


def descent(rng, b, t, v, d, rank, *, started=True):
    """Arguments of `train_lora` but for the learning rate and the number of steps; `started`: B is not zero."""
    features, (weight, a, other) = eighths(rng, v, d), adapter(rng, v, d, rank, values=eighths)
    alpha = float(rng.choice([1.0, 3.0, 5.0]))
    ids, mask = token_ids(rng, b, t, vocabulary=v), masks(rng, b, t)
    return features, weight, a, other if started else torch.zeros_like(other), alpha, ids, mask


def probabilities(logits):
    return torch.softmax(logits, dim=-1).numpy()


def spoken(features, weight):
    """The language in which the model with this head is perfect: each symbol depends on the one before."""
    return MarkovSource(LETTERS, probabilities(features @ weight.T))


def languages(rng):
    """Features, the head of a base model, and that of another language, from which it differs by a rank of 2."""
    size = len(LETTERS)
    features = normal(rng, size, WIDTH)
    features *= WIDTH**0.5 / features.norm(dim=-1, keepdim=True)
    base = 0.8 * normal(rng, size, WIDTH) / WIDTH**0.5
    outputs, inputs = (torch.linalg.qr(normal(rng, n, 2)).Q for n in (size, WIDTH))
    return features, base, base + 4 * outputs @ inputs.T


def answers_in(rng, known, new):
    """Twenty questions in the language that is known, with answers in the new one, and the mask of the answers."""
    asked, said = known.sample(rng, documents=20, length=12), new.sample(rng, documents=20, length=20)
    rows = [[LETTERS.index(letter) for letter in text] for text in map("".join, zip(asked, said, strict=True))]
    ids = torch.tensor(rows)
    return ids, torch.arange(ids.shape[1]).expand(ids.shape) >= 12


def expected_bits(logits, new, rng):
    """Bits per byte that the model with this table costs on text of the language `new`."""
    return bits_per_byte(MarkovSource(LETTERS, probabilities(logits)), new.sample(rng, documents=100, length=200))


def adapted(adapting, features, weight, rows, seed):
    """The table of logits of the model that `adapting`, the notebook or the oracle, makes of the base model."""
    a, b = map(as_tensor, require_pair(adapting.lora_start(len(weight), WIDTH, RANK, seed), "lora_start"))
    trained = adapting.train_lora(features, weight, a, b, ALPHA, *rows, *BUDGET.values())
    a, b = map(as_tensor, require_pair(trained, "train_lora"))
    return adapting.lora_forward(features, weight, a, b, ALPHA)


def as_tensor(answer):
    """`answer` as the statement says that the next function takes it: some give arrays."""
    return torch.from_numpy(answer.copy()) if isinstance(answer, np.ndarray) else answer


def scale_of(oracle, features, weight, new, rows, rng):
    """Nothing for the base model or for knowing nothing, everything for the descent of the statement."""
    uniform = np.log2(len(LETTERS))
    base = min(expected_bits(features @ weight.T, new, rng), uniform)
    reached = expected_bits(adapted(oracle, features, weight, rows, int(rng.integers(2**31))), new, rng)
    # another A to start from moves the figure by 6 % of what is gained, other text to measure on by 5 % (150 languages)
    return Scale.between(baseline=base, oracle=reached + 0.2 * (base - reached))


def require_pair(answer, name):
    """Fail unless `answer` is a pair; return it."""
    assert isinstance(answer, list | tuple), Text(f"`{name}` doit renvoyer un couple.", f"`{name}` must return a pair.")
    assert len(answer) == 2, Text(
        f"`{name}` doit renvoyer un couple, et non {len(answer)} valeurs.",
        f"`{name}` must return a pair, not {len(answer)} values.",
    )
    return answer


def require_start(start, *, k, d, rank, compare):
    """Fail unless both are in float64, A (rank, D) within ±1/√D, not one number throughout, and B (K, rank) zero."""
    a, b = require_pair(start, "lora_start")
    compare(b, torch.zeros(k, rank, dtype=torch.float64), what="lora_start(...)[1]")
    shape = tuple(a.shape) if isinstance(a, np.ndarray | torch.Tensor) else None
    assert shape == (rank, d), Text(
        f"`lora_start` : A doit être un tableau de forme {(rank, d)}.",
        f"`lora_start`: A must be an array of shape {(rank, d)}.",
    )
    in_double = all(str(one.dtype).endswith("float64") for one in (a, b))
    assert in_double, Text("`lora_start` doit renvoyer des float64.", "`lora_start` must return float64.")
    values = np.asarray(a).ravel()
    assert (np.abs(values) <= (1 + 1e-9) / d**0.5).all(), Text(
        f"`lora_start` : les nombres de A doivent rester entre -1/√{d} et 1/√{d}.",
        f"`lora_start`: the numbers of A must stay between -1/√{d} and 1/√{d}.",
    )
    assert len(set(values.tolist())) > len(values) / 2, Text(
        "`lora_start` : A contient trop souvent le même nombre.",
        "`lora_start`: A holds the same number too often.",
    )


@check(points=1, fr="Le masque de la réponse", en="The mask of the answer")
def test_answer_mask(submission, oracle, differential):
    differential(submission.answer_mask, oracle.answer_mask, exchanges(), examples=EXAMPLES)


@check(points=1, fr="La perte sur les réponses", en="The loss on the answers")
def test_answer_loss(submission, oracle, differential, rng):
    inputs = [batch(rng, *sizes) for sizes in [(1, 2, 2), (1, 3, 2), (1, 4, 3), (2, 4, 3), (3, 5, 4)]]
    differential(submission.answer_loss, oracle.answer_loss, inputs)


@check(points=1, fr="La sonde linéaire", en="The linear probe")
def test_least_squares_probe(submission, oracle, differential, rng):
    inputs = []
    for (n, d, k), penalty in zip([(3, 1, 1), (5, 2, 1), (8, 3, 2)], rng.permutation([0.3, 0.9, 1.7]), strict=True):
        inputs.append((thousandths(rng, n, d) + 1, thousandths(rng, n, k), float(penalty)))
    differential(submission.least_squares_probe, oracle.least_squares_probe, inputs, rtol=PROBE)


@check(points=0.5, fr="Combien de paramètres LoRA entraîne", en="How many parameters LoRA trains")
def test_lora_parameters(submission, oracle, differential):
    shape = st.tuples(st.integers(1, 9), st.integers(1, 9))
    shapes = st.lists(shape, min_size=1, max_size=3)
    inputs = st.tuples(shapes, st.integers(1, 4))
    differential(submission.lora_parameters, oracle.lora_parameters, inputs, examples=EXAMPLES)


@check(
    points=0.5,
    fr="Le départ de LoRA : B nulle, A tirée selon la graine",
    en="Where LoRA starts: B zero, A from the seed",
)
def test_lora_start(submission, compare, rng):
    k, d, rank = (int(size) for size in rng.permutation([3, 4, 6]))
    seeds = rng.choice(2**31, size=2, replace=False).tolist()
    first, again, other = submission.lora_start.map((k, d, rank, seed) for seed in [seeds[0], *seeds])
    for start in (first, again, other):
        require_start(start, k=k, d=d, rank=rank, compare=compare)
    assert np.array_equal(first[0], again[0]), Text(
        "`lora_start` tire deux matrices A différentes pour la même graine.",
        "`lora_start` draws two different matrices A for the same seed.",
    )
    assert not np.array_equal(first[0], other[0]), Text(
        "`lora_start` tire la même matrice A pour deux graines différentes.",
        "`lora_start` draws the same matrix A for two different seeds.",
    )


@check(points=0.5, fr="Une couche et son adaptateur", en="A layer and its adapter")
def test_lora_forward(submission, oracle, differential, rng):
    inputs = []
    for n, k, d, rank, alpha in [(1, 1, 1, 1, 3.0), (1, 2, 1, 2, 1.0), (2, 2, 3, 2, 4.0), (3, 4, 2, 1, 2.0)]:
        inputs.append((quarters(rng, n, d), *adapter(rng, k, d, rank), alpha))
    differential(submission.lora_forward, oracle.lora_forward, inputs)


@check(points=0.5, fr="Fusionner l'adaptateur", en="Merging the adapter")
def test_lora_merge(submission, oracle, differential, rng):
    sizes = [(1, 1, 1, 3.0), (2, 1, 2, 1.0), (2, 3, 2, 4.0), (4, 2, 1, 2.0)]
    inputs = [(*adapter(rng, k, d, rank), alpha) for k, d, rank, alpha in sizes]
    differential(submission.lora_merge, oracle.lora_merge, inputs)


@check(points=1, fr="Les premiers pas de la descente", en="The first steps of the descent")
def test_train_lora(submission, oracle, differential, rng):
    inputs = []
    for sizes, steps in [((1, 2, 2, 1, 1), 1), ((1, 3, 3, 2, 1), 1), ((2, 3, 3, 2, 1), 2), ((2, 4, 3, 2, 2), 3)]:
        inputs.append((*descent(rng, *sizes, started=False), 0.5, steps))
    differential(submission.train_lora, oracle.train_lora, inputs)


@check(
    points=1,
    fr="Le modèle adapté, mesuré sur un texte nouveau",
    en="The adapted model, measured on new text",
    needs=["lora_start", "lora_forward", "train_lora"],
)
def test_bits(submission, oracle, perplexity, rng):
    features, base, other = languages(rng)
    new = spoken(features, other)
    rows = answers_in(rng, spoken(features, base), new)
    table = adapted(submission, features, base, rows, int(rng.integers(2**31)))
    scale = scale_of(oracle, features, base, new, rows, rng)
    perplexity(table, tokenizer=Characters(LETTERS), source=new, scale=scale)


@check(points=1, fr="La distillation", en="Distillation")
def test_distillation_loss(submission, oracle, differential, rng):
    inputs = []
    for n, v, temperature, weight in [(1, 2, 1.0, 1.0), (1, 3, 2.0, 1.0), (2, 3, 4.0, 0.5), (3, 4, 2.0, 0.25)]:
        inputs.append((*disagreement(rng, n, v), token_ids(rng, n, vocabulary=v), temperature, weight))
    differential(submission.distillation_loss, oracle.distillation_loss, inputs)


@check(points=1, fr="La log-probabilité d'une réponse", en="The log-probability of an answer")
def test_sequence_logprobs(submission, oracle, differential, rng):
    inputs = [batch(rng, *sizes) for sizes in [(1, 2, 2), (1, 3, 2), (1, 4, 3), (2, 4, 3), (3, 5, 4)]]
    differential(submission.sequence_logprobs, oracle.sequence_logprobs, inputs)


@check(points=0.5, fr="La perte du modèle de récompense", en="The loss of the reward model")
def test_pairwise_losses(submission, oracle, differential, rng):
    inputs = [(quarters(rng, n, largest=4.0), quarters(rng, n, largest=4.0)) for n in (1, 1, 2, 3, 4)]
    differential(submission.pairwise_losses, oracle.pairwise_losses, inputs)


@check(points=0.5, fr="La perte DPO", en="The DPO loss")
def test_dpo_loss(submission, oracle, differential, rng):
    inputs = []
    for n in (1, 1, 2, 3):
        four = -quarters(rng, 4, n, largest=8.0).abs()
        inputs.append((*four, float(rng.choice([0.125, 0.25, 0.5]))))
    differential(submission.dpo_loss, oracle.dpo_loss, inputs)


@check(
    points=1,
    fr="Le masque : plusieurs tours, réponse vide, conversation coupée",
    en="The mask: several turns, an empty answer, a truncated conversation",
    visibility="hidden",
    needs=["answer_mask"],
)
def test_answer_mask_turns(submission, oracle, differential, rng):
    user, assistant, end = rng.permutation(20)[:3].tolist()
    markers = {"user": user, "assistant": assistant, "end": end}
    long = conversation(rng, rng.integers(1, 5, size=6).tolist(), **markers)
    inside = int(rng.integers(2, 5))  # of the tokens of an answer, that many are left
    cut = conversation(rng, [2, 2, 3, 6], **markers)[: -7 + inside]
    lone = conversation(rng, [3], **markers)
    empty = conversation(rng, [2, 0, 1, 3], **markers)
    every = [long, cut, lone, empty, [*lone, assistant], []]
    differential(submission.answer_mask, oracle.answer_mask, [(ids, assistant, end) for ids in every])


@check(
    points=1,
    fr="La perte : réponses de longueurs inégales, très grands logits",
    en="The loss: answers of unequal length, very large logits",
    visibility="hidden",
    needs=["answer_loss"],
)
def test_answer_loss_edges(submission, oracle, differential, rng):
    logits, ids, _ = batch(rng, 2, 9, 5)
    uneven = torch.zeros(2, 9, dtype=torch.bool)
    uneven[0, int(rng.integers(1, 9))] = True
    uneven[1, 1:] = True
    one = torch.zeros(2, 9, dtype=torch.bool)
    one[int(rng.integers(2)), int(rng.integers(1, 9))] = True  # a row has no answer
    inputs = [(logits, ids, uneven), (logits, ids, one), large_batch(rng, 3, 6, 7)]
    differential(submission.answer_loss, oracle.answer_loss, inputs)


@check(
    points=1,
    fr="La sonde : plus de colonnes que d'exemples, colonne constante, pénalité forte",
    en="The probe: more columns than examples, a constant column, a strong penalty",
    visibility="hidden",
    needs=["least_squares_probe"],
)
def test_least_squares_probe_edges(submission, oracle, differential, rng):
    wide, tall = normal(rng, 4, 7), normal(rng, 20, 3) + 2
    constant = tall.clone()
    constant[:, int(rng.integers(3))] = 1.5
    classes = torch.eye(3, dtype=torch.float64)[torch.from_numpy(rng.integers(3, size=20))]
    inputs = [
        (wide, normal(rng, 4, 2), 0.6),
        (constant, classes, 1.1),
        (tall, classes, 300.0),
        (tall, normal(rng, 20, 1) + 3, 0.2),
    ]
    differential(submission.least_squares_probe, oracle.least_squares_probe, inputs, rtol=PROBE)


@check(
    points=0.5,
    fr="Les paramètres : aucune matrice, rang plus grand que la matrice, vrais modèles",
    en="The parameters: no weight, a rank above the weight, real models",
    visibility="hidden",
    needs=["lora_parameters"],
)
def test_lora_parameters_edges(submission, oracle, differential, rng):
    width = 128 * int(rng.integers(4, 40))
    layers = [(width, width), (4 * width, width), (width, 4 * width)] * int(rng.integers(2, 30))
    inputs = [([], 3), ([(2, 3)], int(rng.integers(4, 9))), (layers, 16)]
    differential(submission.lora_parameters, oracle.lora_parameters, inputs)


@check(
    points=1,
    fr="La loi de A au départ",
    en="The distribution of A at the start",
    visibility="hidden",
    needs=["lora_start"],
)
def test_lora_start_distribution(submission, same_distribution, compare, rng):
    # 2,400 draws show, with probability 0.99, a departure of 0.10 in total variation (0.13 for pairs of neighbours)
    k, d, rank, bins = 2, 12, 4, 8
    seeds = rng.choice(2**31, size=50, replace=False).tolist()
    values = []
    for start in submission.lora_start.map((k, d, rank, seed) for seed in seeds):
        require_start(start, k=k, d=d, rank=rank, compare=compare)
        values += np.asarray(start[0]).ravel().tolist()
    drawn = [min(int((value * d**0.5 + 1) / 2 * bins), bins - 1) for value in values]
    same_distribution(drawn, [1 / bins] * bins, what="4 * (1 + √D * lora_start(...)[0]) // 1")
    halves = [2 * (one >= bins / 2) + (two >= bins / 2) for one, two in list(pairwise(drawn))[::2]]
    same_distribution(halves, [1 / 4] * 4, what="lora_start(...)[0].ravel()[i : i + 2] >= 0")


@check(
    points=1,
    fr="L'adaptateur : autant de dimensions que l'on veut, rang supérieur à la largeur",
    en="The adapter: as many dimensions as wanted, a rank above the width",
    visibility="hidden",
    needs=["lora_forward"],
)
def test_lora_forward_shapes(submission, oracle, differential, rng):
    inputs = []
    for rows, k, d, rank in [((), 3, 4, 2), ((2, 3), 5, 2, 3), ((2, 1, 4), 2, 6, 4), ((7,), 9, 3, 1)]:
        inputs.append((normal(rng, *rows, d), *adapter(rng, k, d, rank, values=normal), float(rng.integers(1, 20))))
    differential(submission.lora_forward, oracle.lora_forward, inputs)


@check(
    points=0.5,
    fr="Fusionner ne change pas les sorties",
    en="Merging leaves the outputs as they are",
    visibility="hidden",
    needs=["lora_forward", "lora_merge"],
)
def test_lora_merge_outputs(submission, oracle, compare, rng):
    for k, d, rank in [(5, 3, 4), (3, 6, 2)]:
        x, (weight, a, b), alpha = normal(rng, 6, d), adapter(rng, k, d, rank, values=normal), float(rng.integers(1, 9))
        merged = submission.lora_merge(weight, a, b, alpha)
        compare(merged, oracle.lora_merge(weight, a, b, alpha))
        nothing = torch.zeros_like(a), torch.zeros_like(b)
        outputs = submission.lora_forward(x, torch.from_numpy(np.array(merged)), *nothing, alpha)
        compare(
            outputs, oracle.lora_forward(x, weight, a, b, alpha), what="lora_forward(x, lora_merge(...), 0, 0, alpha)"
        )


@check(
    points=1.5,
    fr="La descente : aucun pas, B non nulle, réponses de longueurs inégales, plusieurs pas",
    en="The descent: no step, B not zero, answers of unequal length, several steps",
    visibility="hidden",
    needs=["train_lora"],
)
def test_train_lora_edges(submission, oracle, differential, rng):
    inputs = []
    for sizes, steps in [((2, 3, 3, 2, 2), 0), ((2, 5, 4, 3, 2), 1), ((3, 7, 5, 4, 3), 8), ((1, 6, 3, 2, 4), 4)]:
        inputs.append((*descent(rng, *sizes), float(rng.choice([0.25, 0.5, 0.75])), steps))
    # each step sums up to 18 tokens and passes its rounding on to the next: up to 8 steps of about 1024 terms each
    differential(submission.train_lora, oracle.train_lora, inputs, rtol=tolerance(terms=8**2 * 1024))


@check(
    points=1,
    fr="La distillation : jetons exclus par le maître, températures, poids extrêmes, grands logits",
    en="Distillation: tokens that the teacher excludes, temperatures, extreme weights, large logits",
    visibility="hidden",
    needs=["distillation_loss"],
)
def test_distillation_loss_edges(submission, oracle, differential, rng):
    student, teacher, labels = normal(rng, 5, 6), normal(rng, 5, 6), token_ids(rng, 5, vocabulary=6)
    excluding = teacher.masked_fill(torch.from_numpy(rng.random((5, 6)) < 0.4), -torch.inf)
    excluding[:, int(rng.integers(6))] = 1.0
    inputs = [
        (student, excluding, labels, 2.0, 0.75),
        (student, teacher, labels, 0.5, 0.5),
        (student, teacher, labels, 8.0, 1.0),
        (student, teacher, labels, 3.0, 0.0),
        (300 * student, 300 * teacher, labels, 1.5, 0.5),
    ]
    differential(submission.distillation_loss, oracle.distillation_loss, inputs)


@check(
    points=0.5,
    fr="La log-probabilité : réponse vide, grands logits",
    en="The log-probability: an empty answer, large logits",
    visibility="hidden",
    needs=["sequence_logprobs"],
)
def test_sequence_logprobs_edges(submission, oracle, differential, rng):
    logits, ids, mask = batch(rng, 3, 6, 4)
    some = mask.clone()
    some[int(rng.integers(3))] = False
    first = logits, ids, some
    differential(submission.sequence_logprobs, oracle.sequence_logprobs, [first, large_batch(rng, 2, 5, 6)])


@check(
    points=0.5,
    fr="La perte du modèle de récompense, loin de zéro",
    en="The loss of the reward model, far from zero",
    visibility="hidden",
    needs=["pairwise_losses"],
)
def test_pairwise_losses_far(submission, oracle, differential, rng):
    far = torch.from_numpy(rng.integers(800, 2000, size=2)).double()
    sure = torch.from_numpy(rng.integers(40, 60, size=1)).double()  # the loss is far below the rounding of 1
    scores = quarters(rng, 2)
    inputs = [(scores, scores + far), (scores + far, scores), (sure, torch.zeros(1).double())]
    differential(submission.pairwise_losses, oracle.pairwise_losses, inputs)


@check(
    points=0.5,
    fr="La perte DPO, loin de la référence",
    en="The DPO loss, far from the reference",
    visibility="hidden",
    needs=["dpo_loss"],
)
def test_dpo_loss_far(submission, oracle, differential, rng):
    policy = -torch.from_numpy(rng.integers(1, 40, size=(2, 3)) / 4)
    low = policy - torch.from_numpy(rng.integers(3000, 9000, size=(2, 3)) / 4)
    sure = -torch.from_numpy(rng.integers(1, 9, size=(3, 1)) / 4)
    inputs = [
        (policy[0], low[1], low[0], policy[1], 0.5),
        (low[0], policy[1], policy[0], low[1], 0.5),
        (sure[0], sure[1] - 400, sure[1], sure[2], 0.125),
    ]
    differential(submission.dpo_loss, oracle.dpo_loss, inputs)
