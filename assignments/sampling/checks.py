"""Checks of the sampling assignment: public ones on small inputs, hidden ones on the rules at the edges.

Every check draws its inputs from the run's secret seed, and mixes them so that no constant answer is right throughout.
Truncation and inversion decide by comparing sums with a threshold: probabilities there are sixteenths, whose sums are
exact in whatever order they are taken, or thresholds lie far from every sum. Where logits compete after a penalty, the
penalty is a power of two: they tie exactly or not at all.
Not covered: which generator a notebook draws its numbers from, beam search that reuses states.
"""

import numpy as np
import torch
from hypothesis import strategies as st

from harness.checks import Text, check
from harness.metrics.growth import Promise, keeps

EXAMPLES = 60  # inputs a search draws: a mistake that none of them shows is one of the rules with a check of its own
PARTS = 16  # probabilities of a search are multiples of 1/16
HALF_A_GAP = 1 / 64  # between thresholds, which are multiples of 1/32
EPSILON = 2.0**-52  # spacing of float64 at 1
BATCH = 250  # texts asked for at once: they share the time of one call
LONGEST = 2048  # tokens generated at most where growth is measured: about 20 ms of work
CLEAR = 1e-6  # thresholds keep this far from every sum that they are compared with; rounding is below 1e-15
# With these logits after the tokens 0, 0, 1, and this temperature, penalty and three tokens kept, the law of three more
# tokens, ended by 1, is told from that of a mistake in any setting: 0.3 or more in total variation, for a wrong sign of
# the penalty, a penalty for each occurrence, one setting left out, an end passed over, or one number for all draws.
TELLING = [[-0.4, 2.2, -1.5, -1.5], [-0.7, -1.0, -3.8, -0.5], [-0.4, 1.4, -0.5, -0.7], [0.2, 0.4, 0.1, 8.4]]
TELLING_SETTINGS = {"temperature": 2.0, "k": 3, "penalty": 4.0}

quarters = st.integers(-12, 12).map(lambda number: number / 4)  # short to read in a message
logit_rows = st.lists(quarters, min_size=1, max_size=4).map(np.array)


@st.composite
def sixteenths(draw):
    """A distribution over 1 to 5 tokens, some of them impossible, with ties more often than not."""
    cuts = sorted(draw(st.lists(st.integers(0, PARTS), max_size=4)))
    parts = [after - before for before, after in zip([0, *cuts], [*cuts, PARTS], strict=True)]
    return np.array(parts) / PARTS


def of_shares(shares):
    """Probabilities in proportion to `shares`."""
    return np.array(shares) / np.sum(shares)


def many_ties(rng):
    """So many tokens that a sort which is not stable shows."""
    return of_shares(rng.integers(1, 4, size=100))


def tensor(values):
    return torch.as_tensor(values, dtype=torch.float64)


def logarithms(probabilities):
    return tensor(probabilities).log()


def rounded(rng, *shape):
    """Logits of three decimals, short to read; those of a row of up to ten have different last ones, so none tie."""
    return np.round(np.round(1.5 * rng.standard_normal(shape), 2) + rng.permutation(shape[-1]) / 1000, 3)


def positive(rng, size):
    """A table whose logits are within a factor of four: a token that is penalised by 4 comes after all others."""
    table = rounded(rng, size, size)
    lowest, highest = table.min(), table.max()
    return np.round(table + (highest - 4 * lowest) / 3 + 0.01, 3)


def clear_of(sums, thresholds):
    """Those of `thresholds` on which rounding of the sums has no say."""
    return [one for one in thresholds.tolist() if np.abs(sums - one).min() > CLEAR]


def masses(probabilities):
    """Sums of the most probable, of the two most probable, and so on."""
    return np.cumsum(np.sort(probabilities)[::-1])


def one_way(rng, size):
    """A table in which tokens follow one another in one hidden order, so that no text comes back to where it was.

    Elsewhere two texts may take the same steps in another order: equally probable, told apart by rounding alone.
    """
    order = rng.permutation(size)
    table = np.full((size, size), -np.inf)
    for place, token in enumerate(order):
        following = order[place + 1 :] if place + 1 < size else order[-1:]
        table[token, following] = rounded(rng, len(following))
    return table, order.tolist()


def lookup(table):
    """The model that a table is: the logits after a text are the row of its last token."""
    return lambda ids: tensor(table)[ids]


def settings_of(oracle, settings):
    names = {"k": "top_k", "p": "top_p"}
    return oracle.Strategy(**{"temperature": 1.0} | {names.get(key, key): value for key, value in settings.items()})


def expected_probabilities(oracle):
    return lambda logits, temperature=1.0: oracle.token_probabilities(
        oracle.with_temperature(tensor(logits), temperature)
    ).numpy()


def expected_top_k(oracle):
    return lambda probabilities, k: oracle.token_probabilities(oracle.top_k(logarithms(probabilities), k)).numpy()


def expected_top_p(oracle, *, margin=HALF_A_GAP):
    """Where sums are multiples of 1/32, as p is, a threshold just below p decides as p does, whatever the rounding."""

    def top_p(probabilities, p):
        threshold = p if p in {0, 1} else p - margin
        return oracle.token_probabilities(oracle.top_p(logarithms(probabilities), threshold)).numpy()

    return top_p


def expected_penalty(oracle):
    return lambda logits, ids, penalty: oracle.repetition_penalty(
        tensor(logits)[None], torch.tensor([ids], dtype=torch.int64), penalty
    )[0].numpy()


def expected_next(oracle):
    def next_distribution(logits, ids, *settings):
        chosen = dict(zip(("temperature", "k", "p", "penalty"), settings, strict=False))
        history = torch.tensor([ids], dtype=torch.int64)
        return oracle.next_distribution(tensor(logits)[None], history, settings_of(oracle, chosen))[0].numpy()

    return next_distribution


def inverted(probabilities, u):
    """The lowest token whose cumulative probability is above u; the last possible one if rounding leaves none."""
    above = np.flatnonzero(np.cumsum(probabilities) > u)
    return int(above[0] if len(above) else np.flatnonzero(probabilities)[-1])


def expected_text(oracle):
    """For settings under which nothing is left to chance."""

    def generate(table, prompt, max_new, settings, end_ids, seed):
        del seed
        found = oracle.generate(
            lookup(table),
            torch.tensor([prompt]),
            max_new=max_new,
            strategy=settings_of(oracle, settings),
            stop=oracle.Stop(ids=tuple(end_ids)),
            generator=torch.Generator(),
        )
        return found[0].tolist()

    return generate


def stopped(pieces, stops):
    """Every number of pieces in turn, every place in turn: the first at which a stop string lies."""
    for number in range(1, len(pieces) + 1):
        text = "".join(pieces[:number])
        for place in range(len(text)):
            if any(text.startswith(stop, place) for stop in stops):
                return text[:place], number
    return "".join(pieces), len(pieces)


def expected_beams(oracle):
    def beam_search(table, prompt, n_beams, max_new, end_id, length_penalty):
        found = oracle.beam_search(
            lookup(table),
            torch.tensor(prompt),
            n_beams=n_beams,
            max_new=max_new,
            end_id=end_id,
            length_penalty=length_penalty,
        )
        return [(list(beam.ids), beam.score) for beam in found]

    return beam_search


def recurrent_weights(rng, *, vocabulary, width):
    """A random recurrent network that forgets: rounding of one step fades in the next ones."""
    orthogonal = np.linalg.qr(rng.standard_normal((width, width)))[0]
    return {
        "embedding": rng.standard_normal((vocabulary, width)),
        "recurrence": 0.9 * orthogonal,
        "output": rng.standard_normal((width, vocabulary)),
    }


def reads(weights):
    """The network as a model of whole texts: ids to the logits at every position."""
    embedding, recurrence, output = (tensor(weights[name]) for name in ("embedding", "recurrence", "output"))

    def logits(ids):
        state, states = torch.zeros(len(recurrence), dtype=torch.float64), []
        for token in ids[0]:
            state = torch.tanh(embedding[token] + state @ recurrence)
            states.append(state)
        return torch.stack(states)[None] @ output  # (1, T, V)

    return logits


def expected_cached(oracle):
    def generate_cached(weights, prompt, max_new):
        return oracle.generate(reads(weights), torch.tensor([prompt]), max_new=max_new)[0].tolist()

    return generate_cached


def some_ids(rng, vocabulary, number):
    return rng.integers(vocabulary, size=number).tolist()


def is_token(value, vocabulary):
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and 0 <= value < vocabulary


def require_texts(texts, *, vocabulary):
    """Fail unless each of `texts` is a list of tokens."""
    for text in texts:
        tokens = isinstance(text, list | tuple) and all(is_token(token, vocabulary) for token in text)
        assert tokens, Text(
            f"`generate` doit renvoyer une liste de jetons, entiers de 0 à {vocabulary - 1}.",
            f"`generate` must return a list of tokens, integers from 0 to {vocabulary - 1}.",
        )


@check(points=0.5, fr="Le jeton le plus probable", en="The most probable token")
def test_greedy(submission, oracle, differential):
    rows = st.lists(quarters | st.just(-np.inf), max_size=4).flatmap(
        lambda some: st.permutations([*some, 1.0]).map(np.array)  # at least one is finite
    )
    differential(submission.greedy, lambda logits: int(oracle.greedy(tensor(logits))), rows, examples=EXAMPLES)


@check(
    points=1,
    fr="Des logits aux probabilités, selon la température",
    en="From logits to probabilities, by temperature",
)
def test_token_probabilities(submission, oracle, differential, rng):
    temperatures = [1.0, 0, 0.5, 2.0, 0.1, 5.0]
    row = rounded(rng, 4)
    known = [(row, temperature) for temperature in temperatures]
    differential(submission.token_probabilities, expected_probabilities(oracle), known)
    inputs = logit_rows | st.tuples(logit_rows, st.sampled_from(temperatures))
    differential(submission.token_probabilities, expected_probabilities(oracle), inputs, examples=EXAMPLES)


@check(points=0.5, fr="Top-k, ex æquo compris", en="Top-k, ties included")
def test_top_k(submission, oracle, differential, rng):
    inputs = sixteenths().flatmap(lambda row: st.tuples(st.just(row), st.integers(1, len(row))))
    differential(submission.top_k, expected_top_k(oracle), inputs, examples=EXAMPLES)
    large = many_ties(rng)
    differential(submission.top_k, expected_top_k(oracle), [(large, k) for k in (10, 50, 90)])


@check(
    points=1, fr="Top-p : le jeton qui atteint le seuil reste", en="Top-p: the token that reaches the threshold stays"
)
def test_top_p(submission, oracle, differential, rng):
    row = rng.permutation([9, 4, 2, 1]) / PARTS  # reached exactly at 18/32, 26/32 and 30/32
    differential(submission.top_p, expected_top_p(oracle), [(row, number / 32) for number in (18, 20, 26, 27, 30)])
    thresholds = st.integers(1, 31).map(lambda number: number / 32)
    differential(submission.top_p, expected_top_p(oracle), st.tuples(sixteenths(), thresholds), examples=EXAMPLES)


@check(points=0.5, fr="La pénalité de répétition", en="The repetition penalty")
def test_repetition_penalty(submission, oracle, differential, rng):
    row = rng.permutation([2.0, -1.0, 3.0, -0.5, 0.0])
    known = [(row, rng.permutation([*range(5), *range(5)]).tolist(), 2.0), (row, [], 2.0)]
    differential(submission.repetition_penalty, expected_penalty(oracle), known)
    inputs = logit_rows.flatmap(
        lambda row: st.tuples(
            st.just(row),
            st.lists(st.integers(0, len(row) - 1), max_size=4),
            st.sampled_from([2.0, 1.0, 0.5, 1.25, 3.0]),
        )
    )
    differential(submission.repetition_penalty, expected_penalty(oracle), inputs, examples=EXAMPLES)


@check(
    points=1,
    fr="La loi du jeton suivant : l'ordre des réglages",
    en="The next token's distribution: the settings' order",
)
def test_next_distribution(submission, oracle, differential, rng):
    expected, inputs = expected_next(oracle), []
    for _ in range(12):
        logits = rounded(rng, 5)
        logits = np.round(logits - np.median(logits), 3)  # two are negative, two are positive
        low, high = np.argsort(logits)[[1, 3]].tolist()
        ids, k, penalty = [low, high, high, low], int(rng.integers(2, 5)), float(rng.choice([2.0, 4.0]))
        temperature = float(np.round(rng.uniform(0.3, 3), 3))
        left = [expected(logits, ids, temperature, *some) for some in [(None,), (k,), (k, 1.0, penalty)]]
        p = clear_of(np.concatenate([masses(row) for row in left]), rng.uniform(0.3, 0.95, size=20).round(3))[0]
        first, two = masses(expected(logits, ids, 2.0))[:2]
        between = (first + first / two) / 2  # reached by the most probable token once top-k has left two, not before
        inputs += [
            (logits, ids),
            (logits, ids, temperature),
            (logits, ids, temperature, k),
            (logits, ids, temperature, None, p),
            (logits, ids, temperature, k, p),
            (logits, ids, temperature, k, p, penalty),
            (logits, ids, 2.0, 2, float(between)),
            (logits, ids, 1.0, None, 1.0, penalty),
            (logits, ids, 0, k, p, penalty),
            (logits, [], 1.0, None, 1.0, penalty),
        ]
    differential(submission.next_distribution, expected, inputs)


@check(points=0.5, fr="Tirer un jeton avec un nombre de [0, 1[", en="Drawing a token with a number from [0, 1)")
def test_draw(submission, differential, rng):
    row = rng.permutation([0, 4, 4, 8]) / PARTS
    differential(submission.draw, inverted, [(row, number / 4) for number in range(4)])
    numbers = st.integers(0, 31).map(lambda number: number / 32)
    differential(submission.draw, inverted, st.tuples(sixteenths(), numbers), examples=EXAMPLES)


@check(
    points=1,
    fr="Générer : le plus probable, puis selon la graine",
    en="Generating: the most probable, then by the seed",
)
def test_generate(submission, oracle, compare, differential, rng):
    size = 6
    table, last = positive(rng, size), int(rng.integers(size))
    prompt = [int(table[last].argmax()), last]  # a penalty that forgets the prompt goes back to its first token
    certain = [{"k": 1}, {"k": 1, "penalty": 4.0}, {"p": 0, "temperature": 0.5}]
    inputs = [(table, prompt, length, each, [], 1) for each in certain for length in (1, 7)]
    differential(submission.generate, expected_text(oracle), inputs)
    seeds = [int(seed) for seed in rng.choice(2**31, size=10, replace=False)]
    flat = 0.1 * table  # 40 tokens out of six nearly equal ones: two texts agree less than once in 10^25
    texts = submission.generate.map((flat, prompt, 40, {}, [], seed) for seed in [seeds[0], *seeds])
    require_texts(texts, vocabulary=size)
    compare(len(texts[0]), 40, what="len(generate(table, prompt, 40, {}, [], seed))")
    assert texts[1] == texts[0], Text(
        "`generate` renvoie deux textes différents pour la même graine.",
        "`generate` returns two different texts for the same seed.",
    )
    assert any(text != texts[0] for text in texts), Text(
        "`generate` renvoie le même texte pour dix graines différentes.",
        "`generate` returns the same text for ten different seeds.",
    )


@check(points=0.5, fr="S'arrêter à une chaîne d'arrêt", en="Stopping at a stop string")
def test_text_until_stop(submission, differential):
    pieces = st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=5)
    stops = st.lists(st.text("ab", min_size=1, max_size=3), max_size=2)
    differential(submission.text_until_stop, stopped, st.tuples(pieces, stops), exact=True, examples=100)


@check(points=1, fr="La recherche en faisceau, sans jeton de fin", en="Beam search, without an end token")
def test_beam_search(submission, oracle, differential, rng):
    inputs = []
    for size, beams, length in [(2, 1, 1), (2, 2, 2), (3, 1, 4), (3, 2, 2), (4, 3, 2), (3, 5, 2)]:
        table, prompt = rounded(rng, size, size), some_ids(rng, size, 2)
        inputs += [(table, prompt, beams, length, None, penalty) for penalty in (0, 1.0)]
    for beams, length in [(2, 3), (3, 4), (4, 3)]:
        table, order = one_way(rng, 7)
        inputs.append((table, order[:2], beams, length, None, 1.0))
    differential(submission.beam_search, expected_beams(oracle), inputs)


@check(points=1, fr="Générer avec un état gardé en cache", en="Generating with a cached state")
def test_generate_cached(submission, oracle, differential, rng):
    inputs = []
    for size, width, n_prompt, max_new in [(2, 1, 1, 1), (3, 2, 1, 3), (4, 3, 3, 8), (6, 4, 5, 12), (8, 5, 2, 20)]:
        weights = recurrent_weights(rng, vocabulary=size, width=width)
        inputs += [(weights, some_ids(rng, size, n_prompt), max_new), (weights, some_ids(rng, size, n_prompt), 0)]
    differential(submission.generate_cached, expected_cached(oracle), inputs)


@check(
    points=1.5,
    fr="Générer en temps linéaire",
    en="Generating in linear time",
    needs=["generate_cached"],
)
def test_generate_cached_growth(submission, baseline, growth, compare, rng):
    weights = recurrent_weights(rng, vocabulary=16, width=8)

    def draw(n, generator):
        return weights, some_ids(generator, 16, 3), n

    def same(answer, expected):
        compare(answer, expected, what="generate_cached(weights, prompt, n)")

    # a linear time that caches make a little steeper is right all the same; the square is what must not be
    promise = Promise("n log n", sizes=(16, LONGEST))
    assert keeps(growth(submission.generate_cached, baseline.generate_cached, draw, same=same, promise=promise)), Text(
        "Le temps que met `generate_cached` croît plus vite que le nombre de jetons : ne relisez pas le texte.",
        "The time that `generate_cached` takes grows faster than the number of tokens: do not read the text again.",
    )


@check(
    points=1,
    fr="Probabilités : logits immenses ou infinis, températures extrêmes",
    en="Probabilities: huge or infinite logits, extreme temperatures",
    visibility="hidden",
    needs=["token_probabilities"],
)
def test_token_probabilities_extremes(submission, oracle, differential, rng):
    row = rounded(rng, 5)
    with_impossible = np.array([-np.inf, *row, -np.inf])[rng.permutation(7)]
    best = np.array([1000.0, 995.0, 1000.0, -np.inf])[rng.permutation(4)]
    inputs = [
        row + 1e4,
        row - 1e4,
        with_impossible,
        (with_impossible, 0.3),
        (with_impossible, 0),
        (best, 0),  # the first of the two: temperature 0 decides ties
        (best, 1e-306),  # both of them: any other temperature leaves ties as they are
        (best, 1e6),
        (row, 1e9),
    ]
    # a logit of size M is itself rounded to M·eps, which softmax turns into a relative error; 64 as in `tolerance`
    differential(submission.token_probabilities, expected_probabilities(oracle), inputs, rtol=64 * EPSILON * 1e4)


@check(
    points=1,
    fr="Top-p : p = 0, p = 1, ex æquo, grand vocabulaire",
    en="Top-p: p = 0, p = 1, ties, large vocabulary",
    visibility="hidden",
    needs=["top_p"],
)
def test_top_p_edges(submission, oracle, compare, rng):
    some = of_shares(rng.permutation([8, 4, 2, 1, 1]))
    tied = np.array([0.25] * 4)
    # ten tenths add up to less than 1, and a probability of 1e-18 vanishes in the sum: p = 1 keeps them nevertheless
    whole = [np.full(10, 0.1), rng.permutation([1.0, 1e-18]), rng.permutation([0.5, 0.5, 0.0])]
    inputs = [(some, 0), (tied, 0), (tied, 0.5), (tied, 0.25), (tied, 29 / 32), (some, 1), *((row, 1) for row in whole)]
    expected = [expected_top_p(oracle)(*each) for each in inputs]
    for large in (of_shares(rng.exponential(size=200)), many_ties(rng)):
        clear = clear_of(masses(large), rng.uniform(0.05, 0.95, size=10))
        inputs += [(large, p) for p in clear]
        expected += [expected_top_p(oracle, margin=0)(large, p) for p in clear]
    for answer, right in zip(submission.top_p.map(inputs), expected, strict=True):
        compare(answer, right)
        compare(np.asarray(answer) > 0, right > 0, what="top_p(...) > 0")  # a token kept may weigh next to nothing


@check(
    points=1,
    fr="Tirer : aux bornes, et malgré l'arrondi de la somme",
    en="Drawing: at the boundaries, and in spite of the sum's rounding",
    visibility="hidden",
    needs=["draw"],
)
def test_draw_edges(submission, differential, rng):
    below_one = 1 - EPSILON / 2  # the largest number that is drawn; ten tenths add up to exactly that
    large = of_shares(rng.exponential(size=300) * (rng.random(300) < 0.7))
    numbers = clear_of(np.cumsum(large), rng.random(40))
    inputs = [
        (np.array([1.0]), 0.0),
        (np.array([0.0, 0.5, 0.0, 0.5]), 0.5),
        (np.array([0.0, 0.0, 1.0, 0.0]), below_one),
        (np.array([*[0.1] * 10, 0.0]), below_one),
        *((large, u) for u in numbers),
    ]
    differential(submission.draw, inverted, inputs)


@check(
    points=1,
    fr="Générer : jetons de fin, longueur nulle, historique entier",
    en="Generating: end tokens, length zero, the whole history",
    visibility="hidden",
    needs=["generate"],
)
def test_generate_ends(submission, oracle, differential, rng):
    size, certain = 7, {"k": 1, "penalty": 4.0}  # such a penalty keeps a text from going round in circles
    inputs = []
    for _ in range(4):
        table, prompt = positive(rng, size), some_ids(rng, size, 4)
        text = expected_text(oracle)(table, prompt, 12, certain, [], 0)
        appearing = list(dict.fromkeys(text))  # in the order in which they first come
        inputs += [
            (table, prompt, 0, certain, [], 0),
            (table, prompt, 12, certain, appearing[:1], 0),
            (table, prompt, 12, certain, appearing[:0:-1], 0),  # several, the one that comes last named first
            (table, prompt, 12, certain, prompt[:2], 0),  # tokens of the prompt stop nothing there
            (table, prompt[:1], 12, {"temperature": 0}, [], 0),
        ]
    differential(submission.generate, expected_text(oracle), inputs)


@check(
    points=2,
    fr="La loi des textes générés",
    en="The distribution of the texts that are generated",
    visibility="hidden",
    needs=["generate"],
)
def test_generate_law(submission, oracle, same_distribution, rng):
    # 1500 draws show, with probability 0.99, a departure of 0.15 in total variation over thirty texts
    number, size, length, settings = 1500, len(TELLING), 3, TELLING_SETTINGS
    places, names = rng.permutation(size), np.empty(size, dtype=int)
    names[places] = np.arange(size)
    table = np.round(np.array(TELLING)[np.ix_(places, places)] + rng.uniform(-0.05, 0.05, size=(size, size)), 3)
    prompt, ends = names[[0, 0, 1]].tolist(), names[[1]].tolist()  # an end within the prompt, which stops nothing
    exact = oracle.generation_distribution(
        lookup(table),
        torch.tensor(prompt),
        max_new=length,
        strategy=settings_of(oracle, settings),
        stop=oracle.Stop(ids=tuple(ends)),
    )
    seeds = rng.choice(2**31, size=number, replace=False).tolist()
    texts = []
    for some in range(0, number, BATCH):
        batch = seeds[some : some + BATCH]
        texts += submission.generate.map((table, prompt, length, settings, ends, seed) for seed in batch)
    require_texts(texts, vocabulary=size)
    same_distribution([tuple(text) for text in texts], exact, what="generate(table, prompt, 3, settings, ends, seed)")


@check(
    points=1,
    fr="Chaînes d'arrêt : à cheval sur plusieurs morceaux, plusieurs à la fois",
    en="Stop strings: across several pieces, several at once",
    visibility="hidden",
    needs=["text_until_stop"],
)
def test_text_until_stop_edges(submission, differential, rng):
    words = ["".join(rng.choice(list("éà \n"), size=rng.integers(0, 4))) for _ in range(60)]
    text = "".join(words)
    start = int(rng.integers(len(text) // 4, len(text) // 2))
    inputs = [
        ([], ["é"]),
        (words, []),
        (words, ["x"]),
        (words, [text[start : start + 9]]),
        (words, [text[start + 3 : start + 9], text[start : start + 12]]),
        (["a", "bc", "de"], ["d", "c", "abcdef"]),
        (["ab", "cd"], ["bcd", "cd"]),  # both are there at once: the one that begins first cuts
        (["ab", "cd", "ef"], ["bcde", "cd"]),  # the one that is there first cuts
        (["", "a", "", "b"], ["ab"]),
        (["aab"], ["ab", "b"]),
        (["ab"], ["ab"]),
    ]
    differential(submission.text_until_stop, stopped, inputs, exact=True)


@check(
    points=2,
    fr="Faisceau : jeton de fin et normalisation par la longueur",
    en="Beam search: end token and normalisation by length",
    visibility="hidden",
    needs=["beam_search"],
)
def test_beam_search_ends(submission, oracle, differential, rng):
    inputs = []
    for penalty in (0, 0.5, 1.0, 2.0, -1.0):
        for beams in (1, 2, 3, 6):
            table, order = one_way(rng, 8)
            inputs.append((table, order[:1], beams, 5, order[rng.integers(3, 8)], penalty))
    inputs += [(table, order[:1], 3, 4, order[0], 1.0), (table, order[3:5], 2, 2, order[-1], 1.0)]
    differential(submission.beam_search, expected_beams(oracle), inputs)


@check(
    points=1,
    fr="Faisceau : ex æquo, moins de textes que de places",
    en="Beam search: ties, fewer texts than places",
    visibility="hidden",
    needs=["beam_search"],
)
def test_beam_search_ties(submission, oracle, differential, rng):
    inputs = []
    for size, possible, beams, length in [(4, 4, 3, 3), (4, 2, 3, 4), (5, 3, 4, 3), (3, 2, 7, 2), (4, 1, 2, 3)]:
        table = np.full((size, size), -np.inf)  # as many followers for each token, all equally probable
        for row in table:
            row[rng.permutation(size)[:possible]] = 0.0
        inputs += [
            (table, some_ids(rng, size, 1), beams, length, None, 1.0),
            (table, some_ids(rng, size, 1), beams, length, int(rng.integers(size)), 0),
        ]
    differential(submission.beam_search, expected_beams(oracle), inputs)
