# %% [markdown]
# # Language models of first names
#
# Names share their beginnings: they are kept in a prefix tree, and what depends on a beginning
# only is computed once. Draws use alias tables, so that a symbol costs one look-up.

# %%
# ruff: noqa: B007, B905, PTH123, S311, T201
import math
import random

import numpy as np
import torch

ALPHABET = ".abcdefghijklmnopqrstuvwxyz-'àâçèéêëîïôü"
INDEX = {symbol: index for index, symbol in enumerate(ALPHABET)}
MAX_LENGTH = 30

with open("prenoms.txt", encoding="utf-8") as file:
    NAMES = file.read().split()

print(len(ALPHABET), len(NAMES), NAMES[:5])


# %%
class Node:
    """A prefix; `number` names of the list begin with it."""

    __slots__ = ("branches", "number")

    def __init__(self):
        self.number = 0
        self.branches = {}


def prefix_tree(names):
    root = Node()
    for name in names:
        node = root
        node.number += 1
        for symbol in name + ".":
            node = node.branches.setdefault(symbol, Node())
            node.number += 1
    return root


def edges(root, memory):
    """(context of `memory` symbols, next symbol, number of names), edge after edge."""
    waiting = [("." * memory, root)]
    while waiting:
        context, node = waiting.pop()
        for symbol, branch in node.branches.items():
            yield context, symbol, branch.number
            waiting.append(((context + symbol)[-memory:], branch))


# %%
def bigram_counts(names):
    table = np.zeros((40, 40), dtype=np.int64)
    for context, symbol, number in edges(prefix_tree(names), 1):
        table[INDEX[context], INDEX[symbol]] += number
    return table


# %%
counts = bigram_counts(["anna"])
print(counts.sum(), counts[INDEX["n"], INDEX["n"]], counts[INDEX["a"], INDEX["."]])


# %%
def bigram_probabilities(counts, k):
    V = counts.shape[1]
    totals = counts.sum(axis=1) + k * V
    table = np.full(counts.shape, 1 / V)
    known = totals > 0
    table[known] = (counts[known] + k) / totals[known, None]
    return table


# %%
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 0))
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 1))


# %%
def trigram_counts(names):
    table = {}
    for context, symbol, number in edges(prefix_tree(names), 2):
        table[context + symbol] = table.get(context + symbol, 0) + number
    return table


# %%
print(trigram_counts(["léa"]))


# %%
def trigram_probability(counts, context, symbol, k):
    # the trigrams of a context stand side by side in sorted order
    keys = sorted(counts)
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < context:
            low = middle + 1
        else:
            high = middle
    total = 40 * k
    while low < len(keys) and keys[low].startswith(context):
        total += counts[keys[low]]
        low += 1
    return 1 / 40 if total == 0 else (counts.get(context + symbol, 0) + k) / total


# %%
example = {"..l": 3, "..z": 1}
print(trigram_probability(example, "..", "l", 0), trigram_probability(example, "..", "l", 1))
print(trigram_probability(example, "qx", "l", 0))


# %%
def transition_table(name, probabilities):
    path = edges(prefix_tree([name]), 1)
    return [(a, b, float(probabilities[INDEX[a], INDEX[b]])) for a, b, _ in path]


# %%
model = bigram_probabilities(bigram_counts(NAMES), 0.1)
for first, second, probability in transition_table("léonie", model):
    print(first, second, round(probability, 3))


# %%
def average_nll(names, probabilities):
    with np.errstate(divide="ignore"):
        surprises = (-np.log(probabilities)).tolist()
    total, transitions = 0.0, 0
    for context, symbol, number in edges(prefix_tree(names), 1):
        total += number * surprises[INDEX[context]][INDEX[symbol]]
        transitions += number
    return total / transitions


# %%
def bits_per_byte(names, nll):
    transitions = sum(len(name) + 1 for name in names)
    size = sum(len((name + ".").encode("utf-8")) for name in names)
    return nll * transitions / (math.log(2) * size)


example = np.full((40, 40), 1 / 40)
print(average_nll(["al", ""], example), math.log(40))
print(bits_per_byte(["éa"], math.log(40)))
print(average_nll(NAMES, model), bits_per_byte(NAMES, average_nll(NAMES, model)))


# %%
def alias_table(row):
    """Forty columns of equal width, each shared by two symbols at most."""
    heights = [40 * probability for probability in row]
    aliases = list(range(40))
    small = [column for column, height in enumerate(heights) if height < 1]
    large = [column for column, height in enumerate(heights) if height >= 1]
    while small and large:
        column, giver = small.pop(), large.pop()
        aliases[column] = giver
        heights[giver] -= 1 - heights[column]
        (small if heights[giver] < 1 else large).append(giver)
    # what is left has height 1, but for rounding; a column of height 0 is never left over
    for column in small + large:
        heights[column] = 1.0
    return heights, aliases


def sample_names(probabilities, n, seed):
    rng = random.Random(seed)
    tables = [alias_table(row) for row in probabilities.tolist()]
    names = []
    for _ in range(n):
        name, state = [], 0
        for _ in range(MAX_LENGTH):
            heights, aliases = tables[state]
            column = rng.randrange(40)
            state = column if rng.random() < heights[column] else aliases[column]
            if state == 0:
                break
            name.append(ALPHABET[state])
        names.append("".join(name))
    return names


# %%
print(sample_names(model, 10, seed=1))


# %%
def split_names(names, seed):
    """Fisher-Yates, stopped as soon as the two small parts are full."""
    rng = random.Random(seed)
    names = list(names)
    tenth = len(names) // 10
    for place in range(2 * tenth):
        other = rng.randrange(place, len(names))
        names[place], names[other] = names[other], names[place]
    return names[2 * tenth :], names[:tenth], names[tenth : 2 * tenth]


# %%
train, validation, test = split_names(NAMES, seed=1)
print(len(train), len(validation), len(test), validation[:5])
for k in (0.01, 0.1, 1):
    print(k, average_nll(validation, bigram_probabilities(bigram_counts(train), k)))


# %%
def context_windows(names, n):
    # the windows of a beginning, found once however many names share it
    known = {"": [(0,) * n]}

    def states(prefix):
        """The contexts met while reading a prefix, one more than it has symbols."""
        start = len(prefix)
        while prefix[:start] not in known:
            start -= 1
        for end in range(start + 1, len(prefix) + 1):
            before = known[prefix[: end - 1]]
            known[prefix[:end]] = [*before, (*before[-1], INDEX[prefix[end - 1]])[1:]]
        return known[prefix]

    contexts = [context for name in names for context in states(name)]
    targets = [INDEX[symbol] for name in names for symbol in name + "."]
    return (
        np.array(contexts, dtype=np.int64).reshape(len(contexts), n),
        np.array(targets, dtype=np.int64),
    )


# %%
contexts, targets = context_windows(["léa"], 3)
for context, target in zip(contexts, targets):
    print("".join(ALPHABET[index] for index in context), "->", ALPHABET[target])


# %%
def linear_loss(weights, symbols, targets):
    # examples are sorted, so that those of one symbol form one slice
    order = np.lexsort((targets, symbols))
    symbols, targets = np.asarray(symbols)[order], np.asarray(targets)[order]
    present, starts = np.unique(symbols, return_index=True)
    sizes = np.diff([*starts, len(symbols)])

    scores = weights[present] - weights[present].max(axis=1, keepdims=True)
    norms = np.log(np.exp(scores).sum(axis=1, keepdims=True))
    logs = scores - norms
    surprises = -logs[np.repeat(np.arange(len(present)), sizes), targets]
    gradient = np.zeros(weights.shape)
    for row, symbol in enumerate(present):
        part = targets[starts[row] : starts[row] + sizes[row]]
        happened = np.bincount(part, minlength=len(weights))
        gradient[symbol] = (sizes[row] * np.exp(logs[row]) - happened) / len(symbols)
    return np.add.reduceat(surprises, starts).sum() / len(symbols), gradient


# %%
print(linear_loss(np.array([[0, math.log(3)], [0, 0]]), np.array([0]), np.array([1])))

contexts, targets = context_windows(train, 1)
weights = np.zeros((40, 40))
for step in range(100):
    loss, gradient = linear_loss(weights, contexts[:, 0], targets)
    weights -= 50 * gradient
print(loss, average_nll(train, bigram_probabilities(bigram_counts(train), 0)))


# %%
def mlp_logits(parameters, contexts):
    # each distinct context goes through the network once
    places = {}
    order = [places.setdefault(context, len(places)) for context in map(tuple, contexts.tolist())]
    scores = np.zeros((len(places), len(parameters["b"])))
    for context, place in places.items():
        x = np.concatenate([parameters["C"][index] for index in context])
        hidden = np.tanh(parameters["d"] + parameters["H"].dot(x))
        scores[place] = parameters["b"] + parameters["U"].dot(hidden)
    return scores[order] if order else np.zeros((0, len(parameters["b"])))


# %%
tiny = {"C": [[0], [1]], "H": [[1, -1]], "d": [0], "U": [[1], [2]], "b": [0, 1]}
tiny = {name: np.array(values, dtype=np.float64) for name, values in tiny.items()}
print(mlp_logits(tiny, np.array([[1, 0]])))

# %% [markdown]
# ## 12. Training
#
# The tree gives each distinct context with the number of times each symbol followed it, so that
# the whole training set takes little more than a minibatch, and no step depends on chance.
# Resilient propagation looks at the sign of the slope only: a step grows while the sign lasts,
# and shrinks when it changes.


# %%
def followers(names):
    places, rows = {}, []
    for context, symbol, number in edges(prefix_tree(names), 3):
        if context not in places:
            places[context] = len(rows)
            rows.append(np.zeros(40))
        rows[places[context]][INDEX[symbol]] += number
    contexts = np.array([[INDEX[symbol] for symbol in context] for context in places])
    return contexts, np.stack(rows)


def forward(parameters, contexts):
    x = parameters["C"][contexts].reshape(len(contexts), -1)
    hidden = np.tanh(x @ parameters["H"].T + parameters["d"])
    scores = hidden @ parameters["U"].T + parameters["b"]
    scores -= scores.max(axis=1, keepdims=True)
    return x, hidden, scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def slopes(parameters, contexts, table):
    x, hidden, logs = forward(parameters, contexts)
    errors = (table.sum(axis=1, keepdims=True) * np.exp(logs) - table) / table.sum()
    inner = (errors @ parameters["U"]) * (1 - hidden**2)
    back = (inner @ parameters["H"]).reshape(*contexts.shape, -1)
    embeddings = np.zeros_like(parameters["C"])
    np.add.at(embeddings, contexts, back)
    return {
        "C": embeddings,
        "H": inner.T @ x,
        "d": inner.sum(axis=0),
        "U": errors.T @ hidden,
        "b": errors.sum(axis=0),
    }


def train_mlp(train, validation, seed):
    rng = np.random.default_rng(seed)
    m, h, rounds = 8, 48, 100
    now = {
        "C": rng.normal(size=(40, m)),
        "H": rng.normal(size=(h, 3 * m)) / math.sqrt(3 * m),
        "d": np.zeros(h),
        "U": rng.normal(size=(40, h)) / (10 * math.sqrt(h)),
        "b": np.zeros(40),
    }
    steps = {name: np.full(array.shape, 0.01) for name, array in now.items()}
    before = {name: np.zeros(array.shape) for name, array in now.items()}
    contexts, table = followers(train)
    held, awaited = followers(validation)
    best, kept = math.inf, None
    for _ in range(rounds):
        loss = -(awaited * forward(now, held)[2]).sum()
        if loss < best:
            best, kept = loss, now
        after = {}
        for name, slope in slopes(now, contexts, table).items():
            same = slope * before[name]
            factor = np.where(same > 0, 1.2, np.where(same < 0, 0.5, 1.0))
            steps[name] = np.clip(steps[name] * factor, 1e-6, 0.3)
            before[name] = np.where(same < 0, 0.0, slope)
            after[name] = now[name] - np.sign(before[name]) * steps[name]
        now = after
    return kept


# %%
N_STEPS, N_BATCH, LOOK_EVERY = 1000, 128, 50
cross_entropy = torch.nn.functional.cross_entropy


def learning_rate(step):
    return 1.0 if step < 700 else 0.1


def initial_parameters(generator, m=10, h=64):
    parameters = {
        "C": torch.randn(40, m, generator=generator, dtype=torch.float64),
        "H": torch.randn(h, 3 * m, generator=generator, dtype=torch.float64) / math.sqrt(3 * m),
        "d": torch.zeros(h, dtype=torch.float64),
        "U": torch.randn(40, h, generator=generator, dtype=torch.float64) / (10 * math.sqrt(h)),
        "b": torch.zeros(40, dtype=torch.float64),
    }
    return {name: array.requires_grad_() for name, array in parameters.items()}


# %%
def mlp_nll(names, parameters):
    contexts, targets = context_windows(names, 3)
    scores = torch.as_tensor(mlp_logits(parameters, contexts))
    return cross_entropy(scores, torch.as_tensor(targets)).item()


parameters = train_mlp(train, validation, seed=1)
bigrams = bigram_probabilities(bigram_counts(train), 0.1)
print("validation:", average_nll(validation, bigrams), mlp_nll(validation, parameters))
nlls = average_nll(test, bigrams), mlp_nll(test, parameters)
print("test, in bits per byte:", *(bits_per_byte(test, nll) for nll in nlls))
