# %% [markdown]
# # Sampling: from logits to text
# No loop statement, nothing is reassigned: maps, folds, comprehensions, lazy sequences.

# %%
import math
import random
from functools import partial, reduce
from itertools import accumulate, chain, dropwhile, islice, repeat, takewhile
from operator import itemgetter

import numpy as np


# %%
def greedy(logits):
    return max(enumerate(logits), key=itemgetter(1))[0]


# %%
def normalise(weights):
    weights = tuple(weights)
    total = sum(weights)
    return np.fromiter((w / total for w in weights), dtype=np.float64, count=len(weights))


def token_probabilities(logits, temperature=1.0):
    if temperature == 0:
        return normalise(map(partial(lambda best, v: float(v == best), greedy(logits)), range(len(logits))))
    top = float(max(logits))
    return normalise(math.exp((float(logit) - top) / temperature) for logit in logits)


# %%
def ranking(probabilities):
    return sorted(range(len(probabilities)), key=lambda v: -probabilities[v])


def keep(probabilities, tokens):
    tokens = frozenset(tokens)
    return normalise(float(x) if v in tokens else 0.0 for v, x in enumerate(probabilities))


def top_k(probabilities, k):
    return keep(probabilities, islice(ranking(probabilities), k))


# %%
def top_p(probabilities, p):
    order = ranking(probabilities)
    mass_before = chain([-1.0], accumulate(float(probabilities[v]) for v in order))
    nucleus = (v for v, _ in takewhile(lambda pair: p == 1 or pair[1] < p, zip(order, mass_before, strict=False)))
    return keep(probabilities, nucleus)


# %%
def repetition_penalty(logits, ids, penalty):
    seen = frozenset(map(int, ids))
    return np.array(
        [x if v not in seen else x / penalty if x > 0 else x * penalty for v, x in enumerate(map(float, logits))]
    )


# %%
def next_distribution(logits, ids, temperature=1.0, k=None, p=1.0, penalty=1.0):
    stages = (
        lambda x: repetition_penalty(x, ids, penalty),
        lambda x: token_probabilities(x, temperature),
        lambda x: x if k is None else top_k(x, k),
        lambda x: top_p(x, p),
    )
    return reduce(lambda x, stage: stage(x), stages, logits)


# %%
def draw(probabilities, u):
    possible = [(v, float(x)) for v, x in enumerate(probabilities) if x > 0]
    sums = zip((v for v, _ in possible), accumulate(x for _, x in possible), strict=True)
    return next(dropwhile(lambda pair: pair[1] <= u, sums), possible[-1])[0]


# %%
def generate(table, prompt, max_new, settings, end_ids, seed):
    rng = random.Random(seed)  # noqa: S311

    def extend(state, _):
        ids, alive = state
        if not alive:
            return state
        law = next_distribution(table[ids[-1]], ids, **settings)
        longer = (*ids, *rng.choices(range(len(law)), weights=law))
        return longer, longer[-1] not in end_ids

    ids, _ = reduce(extend, range(max_new), (tuple(prompt), True))
    return list(ids[len(prompt) :])


# %%
def text_until_stop(pieces, stops):
    def cut(text):
        return min((text.index(stop) for stop in stops if stop in text), default=None)

    reads = ((n, text, cut(text)) for n, text in enumerate(accumulate(pieces, initial="")))
    n, text, place = next(
        (read for read in reads if read[2] is not None),
        (len(pieces), "".join(pieces), None),
    )
    return text[:place], n


# %%
def log_probabilities(row):
    return [math.log(x) if x > 0 else -math.inf for x in token_probabilities(row)]


def beam_search(table, prompt, n_beams, max_new, end_id, length_penalty):
    log_p = list(map(log_probabilities, table))

    def after(text):
        ids, total = text
        return (((*ids, v), total + x) for v, x in enumerate(log_p[ids[-1]]) if x > -math.inf)

    def advance(search, n):
        running, finished = search
        ranked = sorted(chain.from_iterable(map(after, running)), key=lambda text: -text[1])
        ended = (text for text in islice(ranked, n_beams) if n == max_new or text[0][-1] == end_id)
        going_on = (text for text in ranked if text[0][-1] != end_id)
        return (
            tuple(islice(going_on, n_beams)),
            (*finished, *((list(ids[1:]), total / n**length_penalty) for ids, total in ended)),
        )

    _, finished = reduce(advance, range(1, max_new + 1), ((((prompt[-1],), 0.0),), ()))
    return sorted(finished, key=lambda text: -text[1])[:n_beams]


# %%
def start(weights):
    return np.zeros(len(weights["recurrence"]))


def step(weights, state, token):
    state = np.tanh(weights["embedding"][token] + state @ weights["recurrence"])
    return state, state @ weights["output"]


# %%
def generate_slow(weights, prompt, max_new):
    ids = list(prompt)
    for _ in range(max_new):
        state = start(weights)
        for token in ids:
            state, logits = step(weights, state, token)
        ids.append(greedy(logits))
    return ids[len(prompt) :]


# %%
def generate_cached(weights, prompt, max_new):
    def read(memory, token):
        return step(weights, memory[0], token)

    begun = reduce(read, prompt, (start(weights), None))
    memories = accumulate(repeat(None), lambda memory, _: read(memory, greedy(memory[1])), initial=begun)
    return [greedy(logits) for _, logits in islice(memories, max_new)]
