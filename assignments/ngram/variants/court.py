# %% [markdown]
# # Language models of first names, briefly

# %%
# ruff: noqa: B007, B905, PTH123, S311, T201
import math
import random
from collections import Counter

import numpy as np
import torch

ALPHABET = ".abcdefghijklmnopqrstuvwxyz-'àâçèéêëîïôü"
INDEX = {symbol: index for index, symbol in enumerate(ALPHABET)}
MAX_LENGTH = 30

with open("prenoms.txt", encoding="utf-8") as file:
    NAMES = file.read().split()

print(len(ALPHABET), len(NAMES), NAMES[:5])


# %%
def runs(names, n):
    return [w[i : i + n] for w in ("." * (n - 1) + x + "." for x in names) for i in range(len(w) - n + 1)]


def codes(names, n):
    return np.array([[INDEX[s] for s in g] for g in runs(names, n)], dtype=int).reshape(-1, n)


def bigram_counts(names):
    return np.histogram2d(*codes(names, 2).T, bins=40, range=[[0, 40]] * 2)[0].astype(int)


def bigram_probabilities(counts, k):
    t = (counts + k).sum(1, keepdims=True)
    return np.where(t > 0, (counts + k) / np.where(t > 0, t, 1), 1 / len(t))


def trigram_counts(names):
    return dict(Counter(runs(names, 3)))


def trigram_probability(counts, context, symbol, k):
    total = sum(c for g, c in counts.items() if g.startswith(context)) + 40 * k
    return (counts.get(context + symbol, 0) + k) / total if total else 1 / 40


def transition_table(name, probabilities):
    return [(*g, float(probabilities[INDEX[g[0]], INDEX[g[1]]])) for g in runs([name], 2)]


def average_nll(names, probabilities):
    with np.errstate(divide="ignore"):
        return float(np.mean(-np.log(probabilities[tuple(codes(names, 2).T)])))


def sample_names(probabilities, n, seed):
    rng = np.random.default_rng(seed)

    def name():
        i, s = 0, ""
        while len(s) < MAX_LENGTH and (i := rng.choice(40, p=probabilities[i])):
            s += ALPHABET[i]
        return s

    return [name() for _ in range(n)]


def split_names(names, seed):
    x, t = random.Random(seed).sample(names, len(names)), len(names) // 10
    return x[2 * t :], x[:t], x[t : 2 * t]


def context_windows(names, n):
    c = codes(names, n + 1)
    return c[:, :n], c[:, n]


def linear_loss(weights, symbols, targets):
    logp = torch.log_softmax(torch.tensor(weights), 1).numpy()
    hits = np.zeros_like(logp)
    np.add.at(hits, (symbols, targets), 1 / len(symbols))
    return -(hits * logp).sum(), hits.sum(1, keepdims=True) * np.exp(logp) - hits


def mlp_logits(parameters, contexts):
    C, H, d, U, b = (torch.as_tensor(parameters[k]) for k in "CHdUb")
    return b + torch.tanh(d + C[torch.tensor(contexts).long()].flatten(1) @ H.T) @ U.T


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
def train_mlp(train, validation, seed):
    g = torch.Generator().manual_seed(seed)
    p = initial_parameters(g)
    adam = torch.optim.Adam(p.values(), lr=0.01)
    (x, y), (vx, vy) = (map(torch.tensor, context_windows(z, 3)) for z in (train, validation))
    seen = []
    for step in range(601):
        if step % 25 == 0:
            v = cross_entropy(mlp_logits(p, vx.numpy()), vy).item()
            seen.append((v, step, {k: t.detach().clone() for k, t in p.items()}))
        i = torch.randint(len(y), (N_BATCH,), generator=g)
        adam.zero_grad()
        cross_entropy(mlp_logits(p, x[i].numpy()), y[i]).backward()
        adam.step()
    return min(seen)[2]


# %%
counts = bigram_counts(["anna"])
print(counts.sum(), counts[INDEX["n"], INDEX["n"]], counts[INDEX["a"], INDEX["."]])

# %%
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 0))
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 1))

# %%
print(trigram_counts(["léa"]))

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
model = bigram_probabilities(bigram_counts(NAMES), 0.1)
for first, second, probability in transition_table("léonie", model):
    print(first, second, round(probability, 3))


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
print(sample_names(model, 10, seed=1))

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
print(linear_loss(np.array([[0, math.log(3)], [0, 0]]), np.array([0]), np.array([1])))

contexts, targets = context_windows(train, 1)
weights = np.zeros((40, 40))
for step in range(100):
    loss, gradient = linear_loss(weights, contexts[:, 0], targets)
    weights -= 50 * gradient
print(loss, average_nll(train, bigram_probabilities(bigram_counts(train), 0)))

# %%
tiny = {"C": [[0], [1]], "H": [[1, -1]], "d": [0], "U": [[1], [2]], "b": [0, 1]}
tiny = {name: np.array(values, dtype=np.float64) for name, values in tiny.items()}
print(mlp_logits(tiny, np.array([[1, 0]])))


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
