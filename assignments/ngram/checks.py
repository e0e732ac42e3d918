"""Checks of the n-gram assignment: public ones on small random inputs, hidden ones on the rules at the edges.

Every check draws its inputs from the run's secret seed, and mixes them so that no constant answer is right throughout.
Not covered: how fast the functions are, and what the notebook prints.
"""

from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from harness.checks import Text, check

EXAMPLES = 50  # inputs a search draws: a mistake that none of them shows is one of the rules with a check of its own
LETTERS = "abcdefghijklmnopqrstuvwxyz-'àâçèéêëîïôü"  # the alphabet but for the boundary, simplest first
SYMBOLS = "." + LETTERS

name = st.lists(st.sampled_from(LETTERS), min_size=1, max_size=6).map("".join)
names = st.lists(name, min_size=1, max_size=4)
smoothing = st.floats(0.05, 5.0)


def random_names(rng, *, number, letters=LETTERS):
    return ["".join(rng.choice(list(letters), size=rng.integers(1, 9))) for _ in range(number)]


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


@check(points=2, fr="Compter les bigrammes", en="Counting bigrams")
def test_bigram_counts(submission, oracle, differential):
    differential(submission.bigram_counts, oracle.bigram_counts, names, examples=EXAMPLES)


@check(points=2, fr="Lisser les bigrammes", en="Smoothing bigrams")
def test_bigram_probabilities(submission, oracle, differential):
    tables = st.integers(2, 4).flatmap(
        lambda size: st.lists(st.integers(0, 9), min_size=size**2, max_size=size**2).map(
            lambda counts: np.array(counts).reshape(size, size)
        )
    )
    differential(
        submission.bigram_probabilities, oracle.bigram_probabilities, st.tuples(tables, smoothing), examples=EXAMPLES
    )


@check(points=1, fr="Compter les trigrammes", en="Counting trigrams")
def test_trigram_counts(submission, oracle, differential):
    differential(submission.trigram_counts, oracle.trigram_counts, names, examples=EXAMPLES)


@check(points=1, fr="La probabilité d'un trigramme rencontré", en="The probability of a trigram that occurs")
def test_trigram_probability(submission, oracle, differential):
    @st.composite
    def arguments(draw):
        counts = oracle.trigram_counts(draw(names))
        trigram = draw(st.sampled_from(sorted(counts)))
        return counts, trigram[:2], trigram[2], draw(smoothing)

    differential(submission.trigram_probability, oracle.trigram_probability, arguments(), examples=EXAMPLES)


@check(points=1, fr="Suivre un prénom pas à pas", en="Following a name step by step")
def test_transition_table(submission, oracle, differential, rng):
    table = random_table(rng)
    differential(
        submission.transition_table, oracle.transition_table, st.tuples(name, st.just(table)), examples=EXAMPLES
    )


@check(points=2, fr="La log-vraisemblance négative moyenne", en="The average negative log-likelihood")
def test_average_nll(submission, oracle, differential, rng):
    table = random_table(rng)
    differential(submission.average_nll, oracle.average_nll, st.tuples(names, st.just(table)), examples=EXAMPLES)


@check(points=1, fr="Tirer des prénoms possibles selon la graine", en="Drawing possible names from the seed")
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


@check(
    points=1,
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
        [[], [""], ["", *repeated], [LETTERS[::-1]], random_names(rng, number=60)],
    )


@check(
    points=2,
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
    points=1,
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
    points=2,
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
    points=2,
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
    points=1,
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
