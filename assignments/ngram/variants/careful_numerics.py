# %% [markdown]
# # Language models of first names
#
# Rounding is kept out as long as it can be: exact fractions, exact sums, no logarithm of a
# number that may have been rounded to zero, and draws that compare whole numbers.

# %%
# ruff: noqa: B007, B905, PTH123, S311, T201
import math
import random
from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate

import numpy as np
import torch

ALPHABET = ".abcdefghijklmnopqrstuvwxyz-'àâçèéêëîïôü"
INDEX = {symbol: index for index, symbol in enumerate(ALPHABET)}
MAX_LENGTH = 30

with open("prenoms.txt", encoding="utf-8") as file:
    NAMES = file.read().split()

print(len(ALPHABET), len(NAMES), NAMES[:5])


# %%
def bigram_counts(names):
    # sort all pairs, then measure the runs of equal ones
    pairs = sorted((INDEX[first], INDEX[second]) for name in names for first, second in zip("." + name, name + "."))
    table = np.zeros((40, 40), dtype=np.int64)
    start = 0
    while start < len(pairs):
        stop = bisect_right(pairs, pairs[start], lo=start)
        table[pairs[start]] = stop - start
        start = stop
    return table


# %%
counts = bigram_counts(["anna"])
print(counts.sum(), counts[INDEX["n"], INDEX["n"]], counts[INDEX["a"], INDEX["."]])


# %%
def exact_share(count, total, k, size):
    """(count + k) / (total + k size), rounded once."""
    below = total + k * size
    return float((count + k) / below) if below else 1 / size


def bigram_probabilities(counts, k):
    size = len(counts)
    k = Fraction(k)
    result = np.empty((size, size), dtype=np.float64)
    for row, line in enumerate(counts.tolist()):
        total = sum(line)
        shares = {count: exact_share(count, total, k, size) for count in set(line)}
        result[row] = [shares[count] for count in line]
    return result


# %%
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 0))
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 1))


# %%
def trigram_counts(names):
    table = {}
    for name in sorted(names):
        padded = ".." + name + "."
        for place, symbol in enumerate(padded[2:]):
            key = padded[place : place + 2] + symbol
            table[key] = table.setdefault(key, 0) + 1
    return table


# %%
print(trigram_counts(["léa"]))


# %%
def trigram_probability(counts, context, symbol, k):
    total = sum(counts.get(context + other, 0) for other in ALPHABET)
    return exact_share(counts.get(context + symbol, 0), total, Fraction(k), 40)


# %%
example = {"..l": 3, "..z": 1}
print(trigram_probability(example, "..", "l", 0), trigram_probability(example, "..", "l", 1))
print(trigram_probability(example, "qx", "l", 0))


# %%
def transition_table(name, probabilities):
    symbols = [".", *name, "."]
    return [
        (symbols[place], symbols[place + 1], probabilities.item(*map(INDEX.get, symbols[place:][:2])))
        for place in range(len(symbols) - 1)
    ]


# %%
model = bigram_probabilities(bigram_counts(NAMES), 0.1)
for first, second, probability in transition_table("léonie", model):
    print(first, second, round(probability, 3))


# %%
def average_nll(names, probabilities):
    surprises = []
    for name in names:
        for _, _, probability in transition_table(name, probabilities):
            if probability == 0:
                return math.inf
            # near 1, the logarithm of the complement is the better known
            if probability > 0.5:
                surprises.append(-math.log1p(probability - 1))
            else:
                surprises.append(-math.log(probability))
    return math.fsum(surprises) / len(surprises)


# %%
def bits_per_byte(names, nll):
    transitions = sum(len(name) + 1 for name in names)
    size = sum(len((name + ".").encode("utf-8")) for name in names)
    return nll * transitions / (math.log(2) * size)


example = np.full((40, 40), 1 / 40)
print(average_nll(["al", ""], example), math.log(40))
print(bits_per_byte(["éa"], math.log(40)))
print(average_nll(NAMES, model), bits_per_byte(NAMES, average_nll(NAMES, model)))

# %% [markdown]
# ## 7. Making up names
#
# Every float is a fraction whose denominator is a power of two, so a row is a list of whole
# numbers over one denominator, and `randrange` draws without any rounding at all.


# %%
def whole_weights(row):
    fractions = [Fraction(probability) for probability in row]
    common = max(fraction.denominator for fraction in fractions)
    return list(accumulate(int(fraction * common) for fraction in fractions))


def sample_names(probabilities, n, seed):
    rng = random.Random(seed)
    rows = [whole_weights(row) for row in probabilities.tolist()]
    names = []
    for _ in range(n):
        codes = []
        state = 0
        while len(codes) < MAX_LENGTH:
            state = bisect_right(rows[state], rng.randrange(rows[state][-1]))
            if state == 0:
                break
            codes.append(state)
        names.append("".join(map(ALPHABET.__getitem__, codes)))
    return names


# %%
print(sample_names(model, 10, seed=1))


# %%
def split_names(names, seed):
    # deal the names out in order: each goes to a part with the chance that its free places give
    rng = random.Random(seed)
    tenth = len(names) // 10
    free = [len(names) - 2 * tenth, tenth, tenth]
    parts = [], [], []
    for name in names:
        place = rng.randrange(sum(free))
        part = 0
        while place >= free[part]:
            place -= free[part]
            part += 1
        free[part] -= 1
        parts[part].append(name)
    return parts


# %%
train, validation, test = split_names(NAMES, seed=1)
print(len(train), len(validation), len(test), validation[:5])
for k in (0.01, 0.1, 1):
    print(k, average_nll(validation, bigram_probabilities(bigram_counts(train), k)))


# %%
def context_windows(names, n):
    number = sum(len(name) + 1 for name in names)
    contexts = np.zeros((number, n), dtype=np.int64)
    targets = np.zeros(number, dtype=np.int64)
    row = 0
    for name in names:
        codes = [INDEX[symbol] for symbol in name]
        for place in range(len(codes) + 1):
            past = codes[max(0, place - n) : place]
            contexts[row, n - len(past) :] = past
            targets[row] = codes[place] if place < len(codes) else 0
            row += 1
    return contexts, targets


# %%
contexts, targets = context_windows(["léa"], 3)
for context, target in zip(contexts, targets):
    print("".join(ALPHABET[index] for index in context), "->", ALPHABET[target])


# %%
def log_partition(scores):
    """ln sum e^s along the last axis: the largest term is taken out, and log1p adds the rest."""
    scores = np.sort(scores, axis=-1)
    top = scores[..., -1]
    return top + np.log1p(np.exp(scores[..., :-1] - top[..., None]).sum(axis=-1))


def linear_loss(weights, symbols, targets):
    weights = np.asarray(weights, dtype=np.float64)
    norms = log_partition(weights)
    loss = math.fsum(norms[symbols] - weights[symbols, targets]) / len(symbols)
    size = len(weights)
    pairs = np.zeros((size, size), dtype=np.int64)
    for symbol, target in zip(symbols, targets):
        pairs[symbol, target] += 1
    gradient = np.zeros((size, size))
    for row in np.flatnonzero(pairs.sum(axis=1)):
        # p - 1 from the other probabilities would be better still, but this much is enough
        predicted = np.exp(weights[row] - norms[row])
        gradient[row] = (pairs[row].sum() * predicted - pairs[row]) / len(symbols)
    return loss, gradient


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
    C, H, d, U, b = (np.asarray(parameters[name], dtype=np.float64) for name in "CHdUb")
    width = C.shape[1]
    n = contexts.shape[1]
    # what each symbol adds to the hidden layer in each place of the context, once and for all
    added = np.stack([C @ H[:, place * width : (place + 1) * width].T for place in range(n)])
    hidden = np.tanh(added[np.arange(n), contexts].sum(axis=1) + d)
    return hidden @ U.T + b


# %%
tiny = {"C": [[0], [1]], "H": [[1, -1]], "d": [0], "U": [[1], [2]], "b": [0, 1]}
tiny = {name: np.array(values, dtype=np.float64) for name, values in tiny.items()}
print(mlp_logits(tiny, np.array([[1, 0]])))

# %% [markdown]
# ## 12. Training
#
# Only the last layer is trained: the embeddings are one-hot vectors and the first layer stays
# as it was drawn, wider for recent symbols. The problem is then convex: it has no local minimum
# to be caught in.


# %%
def train_mlp(train, validation, seed):
    rng = np.random.default_rng(seed)
    h, steps, batch = 200, 700, 256
    spread = np.repeat([0.3, 1.0, 1.5], 40)
    parameters = {
        "C": np.eye(40),
        "H": rng.normal(size=(h, 120)) * spread,
        "d": np.zeros(h),
        "U": np.zeros((40, h)),
        "b": np.zeros(40),
    }

    def features(contexts):
        blocks = parameters["H"].reshape(h, 3, 40)
        places = (blocks[:, place, contexts[:, place]].T for place in range(3))
        return np.tanh(parameters["d"] + sum(places))

    contexts, targets = context_windows(train, 3)
    held, awaited = context_windows(validation, 3)
    seen, held = features(contexts), features(held)

    def validation_loss(U, b):
        scores = held @ U.T + b
        return math.fsum(log_partition(scores) - scores[np.arange(len(awaited)), awaited])

    U, b = parameters["U"], parameters["b"]
    best, kept = validation_loss(U, b), (U, b)
    slope_U, slope_b = np.zeros_like(U), np.zeros_like(b)
    for step in range(steps):
        chosen = rng.integers(len(targets), size=batch)
        scores = seen[chosen] @ U.T + b
        errors = np.exp(scores - log_partition(scores)[:, None])
        errors[np.arange(batch), targets[chosen]] -= 1
        slope_U = 0.9 * slope_U + 0.1 * errors.T @ seen[chosen] / batch
        slope_b = 0.9 * slope_b + 0.1 * errors.mean(axis=0)
        rate = 0.5 * (1 - step / steps)
        U, b = U - rate * slope_U, b - rate * slope_b
        if step % 50 == 49 or step == steps - 1:
            loss = validation_loss(U, b)
            if loss < best:
                best, kept = loss, (U, b)
    parameters["U"], parameters["b"] = kept
    return parameters


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
