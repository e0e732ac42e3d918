# %% [markdown]
# # Language models of first names
#
# Plain Python lists, dictionaries and loops; NumPy only wraps what is returned.

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
def bigram_counts(names):
    table = [[0] * 40 for _ in range(40)]
    for name in names:
        previous = 0
        for symbol in name:
            current = INDEX[symbol]
            table[previous][current] += 1
            previous = current
        table[previous][0] += 1
    return np.array(table)


# %%
counts = bigram_counts(["anna"])
print(counts.sum(), counts[INDEX["n"], INDEX["n"]], counts[INDEX["a"], INDEX["."]])


# %%
def bigram_probabilities(counts, k):
    rows = counts.tolist()
    size = len(rows)
    result = []
    for row in rows:
        total = sum(row) + k * size
        if total == 0:
            result.append([1.0 / size] * size)
        else:
            result.append([(count + k) / total for count in row])
    return np.array(result, dtype=np.float64).reshape(size, size)


# %%
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 0))
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 1))


# %%
def trigram_counts(names):
    table = {}
    for name in names:
        before, last = ".", "."
        for symbol in name + ".":
            key = before + last + symbol
            table[key] = table.get(key, 0) + 1
            before, last = last, symbol
    return table


# %%
print(trigram_counts(["léa"]))


# %%
def trigram_probability(counts, context, symbol, k):
    hits, total = 0, 0
    for trigram, count in counts.items():
        if trigram[:2] == context:
            total += count
            if trigram[2] == symbol:
                hits = count
    total += 40 * k
    if total == 0:
        return 1 / 40
    return (hits + k) / total


# %%
example = {"..l": 3, "..z": 1}
print(trigram_probability(example, "..", "l", 0), trigram_probability(example, "..", "l", 1))
print(trigram_probability(example, "qx", "l", 0))


# %%
def transition_table(name, probabilities):
    table = []
    for first, second in zip("." + name, name + "."):
        table.append((first, second, float(probabilities[INDEX[first]][INDEX[second]])))
    return table


# %%
model = bigram_probabilities(bigram_counts(NAMES), 0.1)
for first, second, probability in transition_table("léonie", model):
    print(first, second, round(probability, 3))


# %%
def average_nll(names, probabilities):
    rows = probabilities.tolist()
    total, number = 0.0, 0
    for name in names:
        row = rows[0]
        for symbol in name + ".":
            index = INDEX[symbol]
            total += -math.log(row[index]) if row[index] > 0 else math.inf
            number += 1
            row = rows[index]
    return total / number


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
def sample_names(probabilities, n, seed):
    rng = random.Random(seed)
    rows = probabilities.tolist()
    names = []
    for _ in range(n):
        symbols = []
        row = rows[0]
        for _ in range(MAX_LENGTH):
            left = rng.random() * sum(row)
            for index, probability in enumerate(row):
                left -= probability
                if left < 0:
                    break
            if index == 0:
                break
            symbols.append(ALPHABET[index])
            row = rows[index]
        names.append("".join(symbols))
    return names


# %%
print(sample_names(model, 10, seed=1))


# %%
def split_names(names, seed):
    rng = random.Random(seed)
    hat = list(names)
    tenth = len(names) // 10
    validation, test = [], []
    for _ in range(tenth):
        validation.append(hat.pop(rng.randrange(len(hat))))
        test.append(hat.pop(rng.randrange(len(hat))))
    return hat, validation, test


# %%
train, validation, test = split_names(NAMES, seed=1)
print(len(train), len(validation), len(test), validation[:5])
for k in (0.01, 0.1, 1):
    print(k, average_nll(validation, bigram_probabilities(bigram_counts(train), k)))


# %%
def context_windows(names, n):
    contexts, targets = [], []
    for name in names:
        codes = [0] * n
        for symbol in name:
            codes += [INDEX[symbol]]
        codes.append(0)
        for place in range(n, len(codes)):
            contexts.append(codes[place - n : place])
            targets.append(codes[place])
    return np.array(contexts, dtype=int).reshape(-1, n), np.array(targets, dtype=int)


# %%
contexts, targets = context_windows(["léa"], 3)
for context, target in zip(contexts, targets):
    print("".join(ALPHABET[index] for index in context), "->", ALPHABET[target])


# %%
def linear_loss(weights, symbols, targets):
    rows = weights.tolist()
    size = len(rows)
    gradient = [[0.0] * size for _ in range(size)]
    number = len(symbols)
    loss = 0.0
    for symbol, target in zip(symbols.tolist(), targets.tolist()):
        row, slope = rows[symbol], gradient[symbol]
        top = max(row)
        exponentials = [0.0] * size
        total = 0.0
        for column in range(size):
            exponentials[column] = math.exp(row[column] - top)
            total += exponentials[column]
        loss += math.log(total) + top - row[target]
        for column in range(size):
            slope[column] += exponentials[column] / total / number
        slope[target] -= 1 / number
    return loss / number, np.array(gradient)


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
    C, H, d, U, b = (parameters[key].tolist() for key in "CHdUb")
    result = []
    for context in contexts.tolist():
        x = []
        for index in context:
            x.extend(C[index])
        hidden = []
        for weights, bias in zip(H, d):
            score = bias
            for weight, value in zip(weights, x):
                score += weight * value
            hidden.append(math.tanh(score))
        scores = []
        for weights, bias in zip(U, b):
            score = bias
            for weight, value in zip(weights, hidden):
                score += weight * value
            scores.append(score)
        result.append(scores)
    return np.array(result).reshape(len(result), len(b))


# %%
tiny = {"C": [[0], [1]], "H": [[1, -1]], "d": [0], "U": [[1], [2]], "b": [0, 1]}
tiny = {name: np.array(values, dtype=np.float64) for name, values in tiny.items()}
print(mlp_logits(tiny, np.array([[1, 0]])))

# %% [markdown]
# ## 12. A perceptron that is counted, not descended
#
# A hidden unit with large weights is a switch: it is +1 for one context and -1 for every other.
# One switch for each last symbol holds the bigram table, and one for each of the 160 most
# frequent contexts of two symbols corrects it. All that is left to choose is how strongly each
# level is pulled towards the one below, and the validation set chooses that.

# %%
SWITCH = 25.0
PAIRS = 160


def nested_counts(names):
    singles = dict.fromkeys(ALPHABET, 0)
    doubles = {symbol: {} for symbol in ALPHABET}
    triples = {}
    for name in names:
        before, last = ".", "."
        for symbol in name + ".":
            singles[symbol] += 1
            doubles[last][symbol] = doubles[last].get(symbol, 0) + 1
            row = triples.setdefault(before + last, {})
            row[symbol] = row.get(symbol, 0) + 1
            before, last = last, symbol
    return singles, doubles, triples


def pulled(row, below, strength):
    total = sum(row.values()) + strength
    return {symbol: (row.get(symbol, 0) + strength * below[symbol]) / total for symbol in ALPHABET}


def train_mlp(train, validation, seed):
    singles, doubles, triples = nested_counts(train)
    seen = nested_counts(validation)[2]
    frequent = sorted(triples, key=lambda context: -sum(triples[context].values()))[:PAIRS]
    uniform = dict.fromkeys(ALPHABET, 1 / 40)

    best = math.inf
    for first in (1, 40, 1e9):
        letters = pulled(singles, uniform, first)
        for second in (1, 4, 16, 64, 1e9):
            bigrams = {last: pulled(doubles[last], letters, second) for last in ALPHABET}
            for third in (1, 3, 10, 30, 1e9):
                trigrams = {context: pulled(triples[context], bigrams[context[1]], third) for context in frequent}
                loss = 0.0
                for context, row in seen.items():
                    model = trigrams.get(context, bigrams[context[1]])
                    for symbol, count in row.items():
                        loss -= count * math.log(model[symbol])
                if loss < best:
                    best, chosen = loss, (bigrams, trigrams)

    bigrams, trigrams = chosen
    units = list(ALPHABET) + frequent
    random.Random(seed).shuffle(units)
    C = [[float(row == column) for column in range(40)] for row in range(40)]
    H, d, columns = [], [], []
    for unit in units:
        row = [0.0] * 120
        row[80 + INDEX[unit[-1]]] = 2 * SWITCH
        if len(unit) == 1:
            bias = -SWITCH
            column = [math.log(bigrams[unit][symbol]) / 2 for symbol in ALPHABET]
        else:
            row[40 + INDEX[unit[0]]] = 2 * SWITCH
            bias = -3 * SWITCH
            upper, lower = trigrams[unit], bigrams[unit[1]]
            column = [math.log(upper[symbol] / lower[symbol]) / 2 for symbol in ALPHABET]
        H.append(row)
        d.append(bias)
        columns.append(column)
    U = [list(row) for row in zip(*columns)]
    b = [sum(row) for row in U]
    parameters = {"C": C, "H": H, "d": d, "U": U, "b": b}
    return {name: np.array(values, dtype=np.float64) for name, values in parameters.items()}


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
