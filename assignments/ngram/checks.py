"""Checks of the n-gram assignment: public ones on small random inputs, hidden ones on the rules at the edges.

Every check draws its inputs from the run's secret seed, and mixes them so that no constant answer is right throughout.
Models are measured on a language invented for the run, each of whose symbols depends on the two before it.
Not covered: how fast the functions are, and what the notebook prints.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from hypothesis import strategies as st

from harness.checks import Scale, Text, check
from harness.metrics.perplexity import Characters
from harness.metrics.sources import MarkovSource, bits_per_byte

EXAMPLES = 50  # inputs a search draws: a mistake that none of them shows is one of the rules with a check of its own
LETTERS = "abcdefghijklmnopqrstuvwxyz-'àâçèéêëîïôü"  # the alphabet but for the boundary, simplest first
SYMBOLS = "." + LETTERS
# nats that names which resemble nothing learned must gain from being the ones validated on, rather than those learned:
# 0.3 or more with right solutions of any style, 0 where validation decides nothing
SPARED = 0.1
FIRST_NAMES = Path(__file__).with_name("data").joinpath("prenoms.txt").read_text(encoding="utf-8").split()

name = st.lists(st.sampled_from(LETTERS), min_size=1, max_size=6).map("".join)
names = st.lists(name, min_size=1, max_size=4)
smoothing = st.floats(0.05, 5.0)


def random_names(rng, *, number, letters=LETTERS):
    return ["".join(rng.choice(list(letters), size=rng.integers(1, 9))) for _ in range(number)]


def different_names(rng, *, number):
    """Names of three symbols, no two of them equal, in no order."""
    places = rng.choice(len(LETTERS) ** 3, size=number, replace=False).tolist()
    return ["".join(LETTERS[place // len(LETTERS) ** digit % len(LETTERS)] for digit in range(3)) for place in places]


def random_table(rng, *, possible=1.0):
    """Random transition probabilities, of which only the share `possible` is not zero; none has a zero row."""
    weights = rng.random((40, 40)) * (rng.random((40, 40)) < possible)
    weights[:, rng.integers(40)] += 0.1
    return weights / weights.sum(axis=1, keepdims=True)


def closed_table(rng, symbols, *, boundary=None):
    """Random transitions among a few `symbols` and the boundary; rows that are never reached are uniform.

    `boundary`: how probable the end is after each symbol, None for at random.
    """
    table = np.full((40, 40), 1 / 40)
    columns = [0, *(SYMBOLS.index(symbol) for symbol in symbols)]
    for row in columns:
        weights = 0.2 + rng.random(len(columns))  # no transition is so rare that its absence could not be seen
        if boundary is not None:
            weights[0] = boundary / (1 - boundary) * weights[1:].sum()
        table[row] = 0
        table[row, columns] = weights / weights.sum()
    return table


def invented_language(oracle, rng):
    """The trigrams of the first names in the file, its symbols exchanged at random: knowing the file is no help."""
    pairs = oracle.bigram_probabilities(oracle.bigram_counts(FIRST_NAMES), 0.02)
    weights = np.tile(0.5 * pairs, (40, 1, 1))  # what follows a context that was never seen, its last symbol decides
    for trigram, count in oracle.trigram_counts(FIRST_NAMES).items():
        weights[tuple(map(SYMBOLS.index, trigram))] += count
    weights[:, 0] = weights[0, 0]  # a name does not depend on the one before it
    exchanged = [0, *(1 + rng.permutation(len(LETTERS)))]
    transitions = weights / weights.sum(axis=-1, keepdims=True)
    return MarkovSource(SYMBOLS, transitions[np.ix_(exchanged, exchanged, exchanged)])


def names_of(language, rng, *, length=3000):
    """Names to learn from: those between the boundaries of a text of `length` symbols."""
    return [one for one in language.sample(rng, documents=1, length=length)[0].split(".") if one]


def expected_bits(oracle, language, names, rng):
    """What two models of `names` cost on text of `language`, in bits per byte: of letters alone, and of bigrams."""
    counts = oracle.bigram_counts(names)
    letters = np.tile(counts.sum(axis=0) + 1.0, (40, 1))
    # of so many documents the mean is known to 0.3 %, that of a measurement to 0.6 %
    documents = language.sample(rng, documents=400, length=200)
    models = (MarkovSource(SYMBOLS, table / table.sum(axis=1, keepdims=True)) for table in (letters, counts + 0.1))
    return [bits_per_byte(model, documents) for model in models]


def trained(train_mlp, train, asked):
    """What `train_mlp` finds for each pair of validation names and seed, held to what the statement promises of it."""
    answers = train_mlp.map((train, validation, seed) for validation, seed in asked)
    return [usable_parameters(answer) for answer in answers]


def usable_parameters(answer):
    """The five arrays in float64; fail unless they are a perceptron for contexts of three symbols."""
    names = ["C", "H", "d", "U", "b"]
    keyed = isinstance(answer, dict) and set(answer) == set(names)
    assert keyed, Text(
        "`train_mlp` doit renvoyer un dictionnaire de clés C, H, d, U et b.",
        "`train_mlp` must return a dictionary with the keys C, H, d, U and b.",
    )
    real = all(str(getattr(answer[name], "dtype", "")).endswith(("float32", "float64")) for name in names)
    assert real, Text(
        "Les paramètres de `train_mlp` doivent être des tableaux de réels.",
        "The parameters of `train_mlp` must be arrays of floats.",
    )
    arrays = {name: torch.as_tensor(answer[name]).detach().double().numpy() for name in names}
    width, hidden = arrays["C"].shape[-1:], arrays["d"].shape[-1:]
    sizes = [*width, *hidden]
    shapes = {name: array.shape for name, array in arrays.items()}
    expected = {"C": (40, *width), "H": (*hidden, *(3 * m for m in width)), "d": hidden, "U": (40, *hidden), "b": (40,)}
    fit = shapes == expected and len(sizes) == 2 and 1 <= sizes[0] <= 50 and 1 <= sizes[1] <= 200
    assert fit, Text(
        f"Les formes des paramètres de `train_mlp` ne vont pas ensemble : {shapes}.",
        f"The shapes of the parameters of `train_mlp` do not go together: {shapes}.",
    )
    assert all(np.isfinite(array).all() for array in arrays.values()), Text(
        "Un paramètre de `train_mlp` n'est pas un nombre fini.", "A parameter of `train_mlp` is not a finite number."
    )
    return arrays


def next_scores(parameters):
    """The scores after each context of three symbols, (40, 40, 40, 40); what stands before a boundary is not read."""
    contexts = np.indices((40, 40, 40)).reshape(3, -1).T  # (64000, 3)
    for place in (2, 1):
        contexts[contexts[:, place] == 0, :place] = 0
    x = parameters["C"][contexts].reshape(len(contexts), -1)
    with np.errstate(over="ignore", invalid="ignore"):  # scores that are not finite are refused where they are read
        scores = parameters["b"] + np.tanh(parameters["d"] + x @ parameters["H"].T) @ parameters["U"].T
    return scores.reshape(40, 40, 40, 40)


def mean_nll(oracle, parameters, names):
    """What the perceptron costs on `names`, in nats a symbol."""
    contexts, targets = oracle.context_windows(names, 3)
    scores = next_scores(parameters)[tuple(contexts.T)]
    peaks = scores.max(axis=1)
    totals = np.log(np.exp(scores - peaks[:, None]).sum(axis=1)) + peaks
    return (totals - scores[np.arange(len(targets)), targets]).mean()


def one_hot_examples(rng, *, n_symbols, n_examples):
    """Weights, current symbols and targets at random."""
    symbols, targets = rng.integers(0, n_symbols, size=(2, n_examples))
    return rng.normal(size=(n_symbols, n_symbols)), symbols, targets


def perceptron(rng, n_symbols, n_context, width, n_hidden, n_examples):
    """Random parameters, and contexts for them."""
    shapes = {
        "C": (n_symbols, width),
        "H": (n_hidden, n_context * width),
        "d": (n_hidden,),
        "U": (n_symbols, n_hidden),
        "b": (n_symbols,),
    }
    parameters = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    return parameters, rng.integers(0, n_symbols, size=(n_examples, n_context))


def same_parameters(one, other):
    return all(one[name].shape == other[name].shape and np.allclose(one[name], other[name]) for name in one)


def require_split(names, parts):
    """Fail unless `parts` are three lists that hold each of `names` once, of the sizes of the statement."""
    listed = isinstance(parts, list | tuple) and all(isinstance(part, list | tuple) for part in parts)
    three = listed and len(parts) == 3 and all(isinstance(one, str) for part in parts for one in part)
    assert three, Text(
        "`split_names` doit renvoyer trois listes de chaînes.", "`split_names` must return three lists of strings."
    )
    sizes, tenth = [len(part) for part in parts], len(names) // 10
    expected = [len(names) - 2 * tenth, tenth, tenth]
    assert sizes == expected, Text(
        f"Pour {len(names)} prénoms, les trois listes en comptent {sizes} au lieu de {expected}.",
        f"Of {len(names)} names the three lists hold {sizes} instead of {expected}.",
    )
    assert sorted(one for part in parts for one in part) == sorted(names), Text(
        "Chaque prénom doit se trouver dans une des trois listes, et une seule fois.",
        "Every name must be in one of the three lists, and once.",
    )


def some_symbols(rng, number):
    return "".join(rng.choice(list(LETTERS), size=number, replace=False))


def require_names(drawn, table, *, n):
    """Fail unless `drawn` is a list of `n` names that `table` can produce."""
    strings = isinstance(drawn, list) and all(isinstance(one, str) for one in drawn)
    assert strings, Text(
        "`sample_names` doit renvoyer une liste de chaînes.", "`sample_names` must return a list of strings."
    )
    assert len(drawn) == n, Text(
        f"`sample_names` doit renvoyer {n} prénoms, et non {len(drawn)}.",
        f"`sample_names` must return {n} names, not {len(drawn)}.",
    )
    for one in drawn:
        require_possible(one, table)


def require_possible(one, table):
    """Fail unless the name `one` can be drawn from `table`."""
    assert len(one) <= 30, Text(
        f"Un prénom de {len(one)} symboles a été tiré : il faut s'arrêter après 30.",
        f"A name of {len(one)} symbols was drawn: a draw stops after 30.",
    )
    assert set(one) <= set(LETTERS), Text(
        f"Le prénom {one!r} contient autre chose que les 39 symboles permis dans un prénom.",
        f"The name {one!r} holds something other than the 39 symbols allowed within a name.",
    )
    wrapped = f".{one}." if len(one) < 30 else f".{one}"  # a name of 30 symbols is cut: it need not be able to end
    for first, second in pairwise(wrapped):
        assert table[SYMBOLS.index(first), SYMBOLS.index(second)] > 0, Text(
            f"Le prénom {one!r} ne peut pas être tiré : la probabilité de {second!r} après {first!r} est nulle.",
            f"The name {one!r} cannot be drawn: the probability of {second!r} after {first!r} is zero.",
        )


@check(points=1, fr="Compter les bigrammes", en="Counting bigrams")
def test_bigram_counts(submission, oracle, differential):
    differential(submission.bigram_counts, oracle.bigram_counts, names, examples=EXAMPLES)


@check(points=1, fr="Lisser les bigrammes", en="Smoothing bigrams")
def test_bigram_probabilities(submission, oracle, differential):
    tables = st.integers(2, 4).flatmap(
        lambda size: st.lists(st.integers(0, 9), min_size=size**2, max_size=size**2).map(
            lambda counts: np.array(counts).reshape(size, size)
        )
    )
    differential(
        submission.bigram_probabilities, oracle.bigram_probabilities, st.tuples(tables, smoothing), examples=EXAMPLES
    )


@check(
    points=0.5,
    fr="Le modèle de bigrammes, mesuré sur des prénoms nouveaux",
    en="The bigram model, measured on new names",
    needs=["bigram_counts", "bigram_probabilities"],
)
def test_bits(submission, oracle, perplexity, rng):
    language = invented_language(oracle, rng)
    names = names_of(language, rng)
    counts = submission.bigram_counts(names)
    model = submission.bigram_probabilities(counts, 0.1)
    frequencies, bigrams = expected_bits(oracle, language, names, rng)
    scale = Scale.between(baseline=frequencies, oracle=1.05 * bigrams)  # 5 %: eight times what chance moves the figure
    perplexity(model, tokenizer=Characters(SYMBOLS), source=language, kind="probabilities", scale=scale)


@check(points=0.5, fr="Compter les trigrammes", en="Counting trigrams")
def test_trigram_counts(submission, oracle, differential):
    differential(submission.trigram_counts, oracle.trigram_counts, names, examples=EXAMPLES)


@check(points=0.5, fr="La probabilité d'un trigramme rencontré", en="The probability of a trigram that occurs")
def test_trigram_probability(submission, oracle, differential):
    @st.composite
    def arguments(draw):
        counts = oracle.trigram_counts(draw(names))
        trigram = draw(st.sampled_from(sorted(counts)))
        return counts, trigram[:2], trigram[2], draw(smoothing)

    differential(submission.trigram_probability, oracle.trigram_probability, arguments(), examples=EXAMPLES)


@check(points=0.5, fr="Suivre un prénom pas à pas", en="Following a name step by step")
def test_transition_table(submission, oracle, differential, rng):
    table = random_table(rng)
    differential(
        submission.transition_table, oracle.transition_table, st.tuples(name, st.just(table)), examples=EXAMPLES
    )


@check(points=1, fr="La log-vraisemblance négative moyenne", en="The average negative log-likelihood")
def test_average_nll(submission, oracle, differential, rng):
    table = random_table(rng)
    differential(submission.average_nll, oracle.average_nll, st.tuples(names, st.just(table)), examples=EXAMPLES)


@check(points=0.5, fr="Tirer des prénoms possibles selon la graine", en="Drawing possible names from the seed")
def test_sample_names(submission, rng):
    number, table = 40, random_table(rng, possible=0.5)
    seeds = [int(seed) for seed in rng.choice(2**31, size=2, replace=False)]
    first, again, other = submission.sample_names.map((table, number, seed) for seed in [seeds[0], *seeds])
    for drawn in (first, again, other):
        require_names(drawn, table, n=number)
    assert again == first, Text(
        "`sample_names` renvoie deux listes différentes pour la même graine.",
        "`sample_names` returns two different lists for the same seed.",
    )
    assert other != first, Text(
        "`sample_names` renvoie la même liste pour deux graines différentes.",
        "`sample_names` returns the same list for two different seeds.",
    )


@check(points=0.5, fr="Apprentissage, validation et test", en="Training, validation and test")
def test_split_names(submission, rng):
    sizes = [0, 9, 10, 25, int(rng.integers(200, 400))]
    lists = [different_names(rng, number=size) for size in sizes]
    seeds = [int(seed) for seed in rng.choice(2**31, size=2, replace=False)]
    *small, first, again, other = submission.split_names.map(
        [(names, seeds[0]) for names in lists] + [(lists[-1], seed) for seed in seeds]
    )
    for names, parts in zip([*lists, lists[-1], lists[-1]], [*small, first, again, other], strict=True):
        require_split(names, parts)
    assert [sorted(part) for part in again] == [sorted(part) for part in first], Text(
        "`split_names` renvoie deux partages différents pour la même graine.",
        "`split_names` returns two different splits for the same seed.",
    )
    assert sorted(other[1]) != sorted(first[1]), Text(
        "`split_names` renvoie la même validation pour deux graines différentes.",
        "`split_names` returns the same validation set for two different seeds.",
    )


@check(points=1, fr="Contextes et cibles", en="Contexts and targets")
def test_context_windows(submission, oracle, differential):
    lengths = st.integers(1, 4)
    differential(submission.context_windows, oracle.context_windows, st.tuples(names, lengths), examples=EXAMPLES)


@check(points=1, fr="La perte du modèle one-hot et son gradient", en="The loss of the one-hot model and its gradient")
def test_linear_loss(submission, oracle, differential, rng):
    inputs = [
        one_hot_examples(rng, n_symbols=size, n_examples=number)
        for size, number in [(2, 1), (3, 4), (5, 30), (40, 200)]
    ]
    differential(submission.linear_loss, oracle.linear_loss, inputs)


@check(points=1, fr="Les scores du perceptron", en="The perceptron's scores")
def test_mlp_logits(submission, oracle, differential, rng):
    sizes = [(2, 1, 1, 1, 1), (3, 2, 2, 2, 2), (40, 3, 5, 6, 8), (7, 4, 2, 9, 5)]
    differential(submission.mlp_logits, oracle.mlp_logits, [perceptron(rng, *size) for size in sizes])


@check(
    points=1,
    fr="Le perceptron entraîné, mesuré sur des noms nouveaux",
    en="The trained perceptron, measured on new names",
)
def test_neural_bits(submission, oracle, perplexity, rng):
    language = invented_language(oracle, rng)
    names = names_of(language, rng, length=20_000)
    seed = int(rng.integers(2**31))
    parameters, again = trained(submission.train_mlp, names[300:], [(names[:300], seed)] * 2)
    assert same_parameters(parameters, again), Text(
        "`train_mlp` renvoie des paramètres différents pour la même graine.",
        "`train_mlp` returns different parameters for the same seed.",
    )
    frequencies, bigrams = expected_bits(oracle, language, names, rng)
    scale = Scale.of(
        [
            (Text("lettres seules", "letters alone"), frequencies, 0.0),
            (Text("tableau de bigrammes", "bigram table"), bigrams, 0.5),
            (Text("3 % de mieux", "3% better"), 0.97 * bigrams, 1.0),
        ]
    )
    perplexity(next_scores(parameters), tokenizer=Characters(SYMBOLS), source=language, kind="logits", scale=scale)


@check(
    points=0.5,
    fr="Bigrammes : prénom vide, prénoms répétés, tout l'alphabet",
    en="Bigrams: empty name, repeated names, the whole alphabet",
    visibility="hidden",
    needs=["bigram_counts"],
)
def test_bigram_counts_edges(submission, oracle, differential, rng):
    repeated = random_names(rng, number=3) * 3
    differential(
        submission.bigram_counts,
        oracle.bigram_counts,
        [[], [""], ["", *repeated], [LETTERS[::-1]], random_names(rng, number=60), repeated * 100],  # over 127 times
    )


@check(
    points=1,
    fr="Bigrammes sans lissage, symboles jamais vus",
    en="Bigrams without smoothing, symbols never seen",
    visibility="hidden",
    needs=["bigram_probabilities"],
)
def test_bigram_probabilities_unseen(submission, oracle, differential, rng):
    small = rng.integers(1, 9, size=(4, 4))
    small[rng.integers(4)] = 0
    few = oracle.bigram_counts(random_names(rng, number=5))  # most rows are zero
    large = rng.integers(0, 10**9, size=(7, 7))
    inputs = [
        (small, 0),
        (few, 0),
        (few, 0.5),
        (large, 0.0),
        (np.zeros((3, 3), dtype=np.int64), 0),
        (np.array([[0]]), 0),
    ]
    differential(submission.bigram_probabilities, oracle.bigram_probabilities, inputs)


@check(
    points=0.5,
    fr="Trigrammes : prénom vide, prénoms répétés, tout l'alphabet",
    en="Trigrams: empty name, repeated names, the whole alphabet",
    visibility="hidden",
    needs=["trigram_counts"],
)
def test_trigram_counts_edges(submission, oracle, differential, rng):
    repeated = random_names(rng, number=3) * 3
    differential(
        submission.trigram_counts,
        oracle.trigram_counts,
        [[], [""], ["", *repeated], [LETTERS[::-1]], random_names(rng, number=60)],
    )


@check(
    points=1,
    fr="Trigrammes jamais vus, avec et sans lissage",
    en="Trigrams never seen, with and without smoothing",
    visibility="hidden",
    needs=["trigram_probability"],
)
def test_trigram_probability_unseen(submission, oracle, differential, rng):
    used, unused = some_symbols(rng, 5), "."
    counts = oracle.trigram_counts(random_names(rng, number=20, letters=used))
    seen = str(rng.choice(sorted(counts)))
    strange = next(letter for letter in LETTERS if letter not in used)
    inputs = [
        (counts, seen[:2], seen[2], 0),  # seen: not the same for every seed
        (counts, seen[:2], strange, 0),  # context seen, symbol not: zero
        (counts, seen[:2], strange, 0.25),
        (counts, strange + unused, "a", 0),  # context never seen: 1/40
        (counts, strange + strange, unused, 1),
        ({}, "..", "a", 0),
    ]
    differential(submission.trigram_probability, oracle.trigram_probability, inputs)


@check(
    points=1,
    fr="Log-vraisemblance : transitions impossibles, prénom vide, poids des prénoms longs",
    en="Log-likelihood: impossible transitions, empty name, weight of long names",
    visibility="hidden",
    needs=["average_nll"],
)
def test_average_nll_edges(submission, oracle, differential, rng):
    table = random_table(rng)
    long, short = "".join(rng.choice(list(LETTERS), size=400)), random_names(rng, number=5)
    broken = table.copy()
    broken[SYMBOLS.index(short[0][-1]), 0] = 0  # the end of the first name
    broken /= broken.sum(axis=1, keepdims=True)
    differential(
        submission.average_nll,
        oracle.average_nll,
        [([""], table), ([long, *short], table), (["", ""], table), (short, broken)],
    )


@check(
    points=1.5,
    fr="La loi des prénoms tirés",
    en="The distribution of the names drawn",
    visibility="hidden",
    needs=["sample_names"],
)
def test_sample_names_distribution(submission, oracle, same_distribution, rng):
    # 3000 draws show, with probability 0.99, a departure of 0.10 in total variation (0.14 for pairs of neighbours)
    number, table = 3000, closed_table(rng, some_symbols(rng, 4))
    drawn = submission.sample_names(table, number, int(rng.integers(2**31)))
    require_names(drawn, table, n=number)
    starts = [one[:2] for one in drawn]
    same_distribution(starts, oracle.prefix_distribution(table, length=2), what="sample_names(...)[i][:2]")
    firsts = oracle.prefix_distribution(table, length=1)
    pairs = {(one, two): firsts[one] * firsts[two] for one in firsts for two in firsts}
    neighbours = list(zip(starts[::2], starts[1::2], strict=True))  # disjoint, so independent of one another too
    same_distribution(
        [(one[:1], two[:1]) for one, two in neighbours], pairs, what="sample_names(...)[i][:1], [i+1][:1]"
    )


@check(
    points=0.5,
    fr="La longueur des prénoms tirés, coupés à 30 symboles",
    en="The length of the names drawn, cut at 30 symbols",
    visibility="hidden",
    needs=["sample_names"],
)
def test_sample_names_lengths(submission, oracle, same_distribution, rng):
    # one name in five reaches 30; 1000 draws show, with probability 0.99, a departure of 0.18 in total variation
    number, table = 1000, closed_table(rng, some_symbols(rng, 3), boundary=0.05)
    drawn = submission.sample_names(table, number, int(rng.integers(2**31)))
    require_names(drawn, table, n=number)
    same_distribution([len(one) for one in drawn], oracle.length_distribution(table), what="len(sample_names(...)[i])")


@check(
    points=0.5,
    fr="Un partage au hasard",
    en="A split at random",
    visibility="hidden",
    needs=["split_names"],
)
def test_split_names_distribution(submission, same_distribution, rng):
    # 600 draws show, with probability 0.99, a departure of 0.22 in total variation
    listed = sorted(different_names(rng, number=30))
    seeds = [int(seed) for seed in rng.choice(2**31, size=600, replace=False)]
    followed = listed[int(rng.choice([0, 1, 28, 29]))]  # the ends: what a split without a shuffle never moves
    start = int(rng.choice([0, 28]))
    neighbours = listed[start : start + 2]  # together more often than not where the list is merely turned
    found, together = [], []
    for parts in submission.split_names.map((listed, seed) for seed in seeds):
        require_split(listed, parts)
        found.append([followed in part for part in parts].index(True))
        together.append(tuple([one in part for part in parts].index(True) for one in neighbours))
    same_distribution(found, [0.8, 0.1, 0.1], what="split_names(...)")
    sizes = 24, 3, 3
    pairs = {(i, j): sizes[i] * (sizes[j] - (i == j)) / (30 * 29) for i in range(3) for j in range(3)}
    same_distribution(together, pairs, what="split_names(...)")


@check(
    points=0.5,
    fr="Contextes : aucun nom, nom vide, contexte plus long que le nom",
    en="Contexts: no name, empty name, a context longer than the name",
    visibility="hidden",
    needs=["context_windows"],
)
def test_context_windows_edges(submission, oracle, differential, rng):
    repeated = random_names(rng, number=3) * 2
    differential(
        submission.context_windows,
        oracle.context_windows,
        [([], 1), ([], 3), ([""], 2), (["", *repeated, ""], 1), (repeated, 12), ([LETTERS[::-1]], 5)],
    )


@check(
    points=1,
    fr="Perte one-hot : grands scores, symboles absents ou répétés",
    en="One-hot loss: large scores, symbols absent or repeated",
    visibility="hidden",
    needs=["linear_loss"],
)
def test_linear_loss_edges(submission, oracle, differential, rng):
    weights, symbols, targets = one_hot_examples(rng, n_symbols=6, n_examples=12)
    row = int(rng.integers(6))
    alone = np.full(9, row)
    steep = 1000.0 * rng.permutation(6)  # the target's probability rounds to 0, its logarithm does not
    differential(
        submission.linear_loss,
        oracle.linear_loss,
        [
            (weights + 1000, symbols, targets),
            (weights - 1000, symbols, targets),
            (np.where(np.arange(6)[:, None] == row, weights + 1000, weights - 1000), np.arange(6), targets[:6]),
            (np.tile(steep, (6, 1)), symbols, targets),
            (weights, alone, rng.integers(0, 6, size=9)),
            (weights, alone, alone),
        ],
    )


@check(
    points=0.5,
    fr="Scores : contexte d'un symbole, aucun exemple",
    en="Scores: a context of one symbol, no example",
    visibility="hidden",
    needs=["mlp_logits"],
)
def test_mlp_logits_edges(submission, oracle, differential, rng):
    parameters, contexts = perceptron(rng, 5, 3, 4, 6, 10)
    inputs = [perceptron(rng, 9, 1, 4, 3, 7), (parameters, contexts[:0]), (parameters, contexts[:1])]
    differential(submission.mlp_logits, oracle.mlp_logits, inputs)


@check(
    points=1.5,
    fr="S'arrêter à temps, et dépendre de la graine",
    en="Stopping in time, and depending on the seed",
    visibility="hidden",
    needs=["neural_bits"],
)
def test_train_mlp(submission, oracle, rng):
    language = invented_language(oracle, rng)
    names = names_of(language, rng)
    few, unseen = names[:100], names[100:300]  # soon learned by heart
    seeds = [int(seed) for seed in rng.choice(2**31, size=2, replace=False)]
    first, other = trained(submission.train_mlp, few, [(unseen, seed) for seed in seeds])
    assert not same_parameters(first, other), Text(
        "`train_mlp` renvoie les mêmes paramètres pour deux graines différentes.",
        "`train_mlp` returns the same parameters for two different seeds.",
    )
    # drawn at random: the more is learned from `few`, the worse for them
    strange = random_names(rng, number=100)
    late, early = trained(submission.train_mlp, few, [(few, seeds[0]), (strange, seeds[0])])
    spared = mean_nll(oracle, late, strange) - mean_nll(oracle, early, strange)
    assert spared > SPARED, Text(
        "`train_mlp` ne garde pas les paramètres de plus petite perte de validation : quels que soient les noms de "
        "validation, il renvoie à peu près les mêmes.",
        "`train_mlp` does not keep the parameters with the smallest validation loss: whatever the names for "
        "validation, it returns about the same.",
    )
    for parameters in (first, other):
        loss = mean_nll(oracle, parameters, unseen)
        shown = f"{loss:.2f}"
        assert loss < 3.5, Text(
            f"Avec 100 noms, la perte de validation vaut {shown.replace('.', ',')} nats, et non moins de 3,5.",
            f"With 100 names to learn from the validation loss is {shown} nats, not below 3.5.",
        )
