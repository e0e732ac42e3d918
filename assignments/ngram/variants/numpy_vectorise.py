# %% [markdown]
# # Modèles de langue sur des prénoms
#
# Tout en NumPy, sans boucle sur les symboles ; le gradient du perceptron est écrit à la main.

# %%
# ruff: noqa: B007, B905, F401, PTH123, T201
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
# Une table de correspondance : point de code Unicode -> indice dans l'alphabet.
CODES = np.zeros(max(map(ord, ALPHABET)) + 1, dtype=np.int64)
CODES[[ord(symbole) for symbole in ALPHABET]] = np.arange(40)
LETTRES = np.array(list(ALPHABET))


def encoder(texte):
    return CODES[np.frombuffer(texte.encode("utf-32-le"), dtype=np.uint32)]


# %%
def bigram_counts(names):
    # Deux prénoms voisins partagent leur frontière : aucune paire ne s'ajoute entre eux.
    suite = encoder("." + "".join(name + "." for name in names))
    return np.bincount(40 * suite[:-1] + suite[1:], minlength=1600).reshape(40, 40)


# %%
counts = bigram_counts(["anna"])
print(counts.sum(), counts[INDEX["n"], INDEX["n"]], counts[INDEX["a"], INDEX["."]])


# %%
def bigram_probabilities(counts, k):
    smoothed = counts.astype(np.float64) + k
    totals = smoothed.sum(axis=1, keepdims=True)
    uniform = np.full_like(smoothed, 1 / len(counts))
    return np.divide(smoothed, totals, out=uniform, where=totals != 0)


# %%
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 0))
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 1))


# %%
def trigram_counts(names):
    contexts, targets = context_windows(names, 2)
    keys, numbers = np.unique(1600 * contexts[:, 0] + 40 * contexts[:, 1] + targets, return_counts=True)
    rows = np.stack([keys // 1600, keys // 40 % 40, keys % 40], axis=1)
    return {"".join(row): int(number) for row, number in zip(LETTRES[rows], numbers)}


def context_windows(names, n):
    lengths = np.array([len(name) + 1 for name in names], dtype=np.int64)
    suite = encoder("".join("." * n + name + "." for name in names))
    # L'exemple numéro e du prénom numéro p commence à e + n·p.
    starts = np.arange(lengths.sum()) + n * np.repeat(np.arange(len(names)), lengths)
    windows = suite[starts[:, None] + np.arange(n + 1)]
    return windows[:, :n], windows[:, n]


# %%
print(trigram_counts(["léa"]))


# %%
def trigram_probability(counts, context, symbol, k):
    row = np.array([counts.get(context + following, 0) for following in ALPHABET]) + k
    total = row.sum()
    return float(row[INDEX[symbol]] / total) if total > 0 else 1 / 40


# %%
example = {"..l": 3, "..z": 1}
print(trigram_probability(example, "..", "l", 0), trigram_probability(example, "..", "l", 1))
print(trigram_probability(example, "qx", "l", 0))

# %%
for n in range(2, 6):
    kept, aside = [], []
    for place, name in enumerate(NAMES):
        wrapped = "." * (n - 1) + name + "."
        grams = [wrapped[start : start + n] for start in range(len(name) + 1)]
        (aside if place % 10 == 0 else kept).extend(grams)
    known = set(kept)
    share = sum(gram in known for gram in aside) / len(aside)
    print(f"n = {n}: {40**n:,} cells, {len(known):,} seen, {share:.0%} of the new ones among them")


# %%
def transition_table(name, probabilities):
    suite = encoder("." + name + ".")
    row = probabilities[suite[:-1], suite[1:]]
    return list(zip("." + name, name + ".", row.tolist()))


# %%
model = bigram_probabilities(bigram_counts(NAMES), 0.1)
for first, second, probability in transition_table("léonie", model):
    print(first, second, round(probability, 3))


# %%
def average_nll(names, probabilities):
    suite = encoder("." + "".join(name + "." for name in names))
    with np.errstate(divide="ignore"):
        return float(-np.log(probabilities[suite[:-1], suite[1:]]).mean())


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
    rng = np.random.default_rng(seed)
    cumulated = probabilities.cumsum(axis=1)
    cumulated /= cumulated[:, -1:]
    draws = np.zeros((n, MAX_LENGTH), dtype=np.int64)
    current = np.zeros(n, dtype=np.int64)
    # Tous les prénoms avancent ensemble ; ce qui suit le premier point est coupé à la fin.
    for step in range(MAX_LENGTH):
        current = (cumulated[current] <= rng.random((n, 1))).sum(axis=1)
        draws[:, step] = current
    return ["".join(row).partition(".")[0] for row in LETTRES[draws]]


# %%
print(sample_names(model, 10, seed=1))


# %%
def split_names(names, seed):
    tenth = len(names) // 10
    order = np.random.default_rng(seed).permutation(len(names))
    parts = np.split(order, [tenth, 2 * tenth])
    validation, test, train = ([names[place] for place in part] for part in parts)
    return train, validation, test


# %%
train, validation, test = split_names(NAMES, seed=1)
print(len(train), len(validation), len(test), validation[:5])
for k in (0.01, 0.1, 1):
    print(k, average_nll(validation, bigram_probabilities(bigram_counts(train), k)))

# %%
contexts, targets = context_windows(["léa"], 3)
for context, target in zip(contexts, targets):
    print("".join(ALPHABET[index] for index in context), "->", ALPHABET[target])


# %%
def log_softmax(scores):
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def linear_loss(weights, symbols, targets):
    logs = log_softmax(weights)[symbols]
    examples = np.arange(len(symbols))
    errors = np.exp(logs)
    errors[examples, targets] -= 1
    gradient = np.zeros(weights.shape)
    np.add.at(gradient, symbols, errors / len(symbols))
    return -logs[examples, targets].mean(), gradient


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
    width = parameters["H"].shape[1]
    x = parameters["C"][contexts].reshape(len(contexts), width)
    return parameters["b"] + np.tanh(parameters["d"] + x @ parameters["H"].T) @ parameters["U"].T


# %%
tiny = {"C": [[0], [1]], "H": [[1, -1]], "d": [0], "U": [[1], [2]], "b": [0, 1]}
tiny = {name: np.array(values, dtype=np.float64) for name, values in tiny.items()}
print(mlp_logits(tiny, np.array([[1, 0]])))

# %% [markdown]
# Rétropropagation à la main, puis Adam avec un taux qui décroît.


# %%
def mlp_gradients(parameters, contexts, targets):
    number, n = contexts.shape
    x = parameters["C"][contexts].reshape(number, -1)
    hidden = np.tanh(parameters["d"] + x @ parameters["H"].T)
    errors = np.exp(log_softmax(parameters["b"] + hidden @ parameters["U"].T))
    errors[np.arange(number), targets] -= 1
    errors /= number
    back = errors @ parameters["U"] * (1 - hidden**2)
    embeddings = np.zeros_like(parameters["C"])
    np.add.at(embeddings, contexts, (back @ parameters["H"]).reshape(number, n, -1))
    return {
        "C": embeddings,
        "H": back.T @ x,
        "d": back.sum(axis=0),
        "U": errors.T @ hidden,
        "b": errors.sum(axis=0),
    }


def train_mlp(train, validation, seed, m=12, h=80, steps=700, batch=256):
    rng = np.random.default_rng(seed)
    now = {
        "C": rng.normal(size=(40, m)),
        "H": rng.normal(size=(h, 3 * m)) / np.sqrt(3 * m),
        "d": np.zeros(h),
        "U": rng.normal(size=(40, h)) / (10 * np.sqrt(h)),
        "b": np.zeros(40),
    }
    first = {name: np.zeros_like(array) for name, array in now.items()}
    second = {name: np.zeros_like(array) for name, array in now.items()}
    contexts, targets = context_windows(train, 3)
    held, awaited = context_windows(validation, 3)

    def validation_loss():
        return -log_softmax(mlp_logits(now, held))[np.arange(len(awaited)), awaited].mean()

    best, kept = validation_loss(), now
    for step in range(1, steps + 1):
        chosen = rng.integers(len(targets), size=batch)
        gradients = mlp_gradients(now, contexts[chosen], targets[chosen])
        rate = 0.01 * (1 - step / steps) + 1e-4
        for name, slope in gradients.items():
            first[name] = 0.9 * first[name] + 0.1 * slope
            second[name] = 0.99 * second[name] + 0.01 * slope**2
        # Un nouveau dictionnaire à chaque pas : « kept » n'est jamais modifié.
        now = {
            name: array - rate * (first[name] / (1 - 0.9**step)) / (np.sqrt(second[name] / (1 - 0.99**step)) + 1e-8)
            for name, array in now.items()
        }
        if step % 50 == 0 and (loss := validation_loss()) < best:
            best, kept = loss, now
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
