# %% [markdown]
# # Language models of first names
#
# Tensors from one end to the other: every array returned is a PyTorch tensor.

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
def encode(text):
    return torch.tensor([INDEX[symbol] for symbol in text], dtype=torch.int64)


# %%
def bigram_counts(names):
    codes = encode("." + "".join(name + "." for name in names))
    return torch.bincount(40 * codes[:-1] + codes[1:], minlength=1600).reshape(40, 40)


# %%
counts = bigram_counts(["anna"])
print(counts.sum(), counts[INDEX["n"], INDEX["n"]], counts[INDEX["a"], INDEX["."]])


# %%
def bigram_probabilities(counts, k):
    smoothed = torch.as_tensor(counts).double() + k
    totals = smoothed.sum(dim=1, keepdim=True)
    return torch.where(totals > 0, smoothed / totals, 1 / smoothed.shape[0])


# %%
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 0))
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 1))


# %%
def trigram_counts(names):
    codes = encode("".join(".." + name + "." for name in names))
    if len(codes) == 0:
        return {}
    windows = codes.unfold(0, 3, 1)
    # a window is a trigram of one name if no boundary separates its first two symbols from
    # what follows: its last symbol must not be one of the two boundaries that open a name
    lengths = torch.tensor([len(name) + 3 for name in names])
    ends = lengths.cumsum(0)
    keep = torch.ones(len(codes), dtype=torch.bool)
    keep[ends - lengths] = False
    keep[ends - lengths + 1] = False
    rows, numbers = windows[keep[2:]].unique(dim=0, return_counts=True)
    keys = ("".join(ALPHABET[code] for code in row) for row in rows.tolist())
    return dict(zip(keys, numbers.tolist()))


# %%
print(trigram_counts(["léa"]))


# %%
def trigram_probability(counts, context, symbol, k):
    row = torch.tensor([counts.get(context + following, 0) for following in ALPHABET], dtype=torch.float64)
    row += k
    if row.sum() == 0:
        return 1 / len(ALPHABET)
    return (row / row.sum())[INDEX[symbol]].item()


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
    codes = encode("." + name + ".")
    chosen = torch.as_tensor(probabilities)[codes[:-1], codes[1:]]
    return list(zip("." + name, name + ".", chosen.tolist()))


# %%
model = bigram_probabilities(bigram_counts(NAMES), 0.1)
for first, second, probability in transition_table("léonie", model):
    print(first, second, round(probability, 3))


# %%
def average_nll(names, probabilities):
    codes = encode("." + "".join(name + "." for name in names))
    return -torch.as_tensor(probabilities)[codes[:-1], codes[1:]].log().mean().item()


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
    generator = torch.Generator().manual_seed(seed)
    rows = torch.as_tensor(probabilities)
    state = torch.zeros(n, dtype=torch.int64)
    alive = torch.arange(n)
    names = [""] * n
    for _ in range(MAX_LENGTH):
        if len(alive) == 0:
            break
        state = torch.multinomial(rows[state], 1, generator=generator)[:, 0]
        alive, state = alive[state != 0], state[state != 0]
        for place, code in zip(alive.tolist(), state.tolist()):
            names[place] += ALPHABET[code]
    return names


# %%
print(sample_names(model, 10, seed=1))


# %%
def split_names(names, seed):
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed))
    tenth = len(names) // 10
    sizes = [len(names) - 2 * tenth, tenth, tenth]
    return tuple([names[place] for place in part.tolist()] for part in order.split(sizes))


# %%
train, validation, test = split_names(NAMES, seed=1)
print(len(train), len(validation), len(test), validation[:5])
for k in (0.01, 0.1, 1):
    print(k, average_nll(validation, bigram_probabilities(bigram_counts(train), k)))


# %%
def context_windows(names, n):
    windows = [torch.zeros((0, n + 1), dtype=torch.int64)]
    windows += [encode("." * n + name + ".").unfold(0, n + 1, 1) for name in names]
    windows = torch.cat(windows)
    return windows[:, :n], windows[:, n]


# %%
contexts, targets = context_windows(["léa"], 3)
for context, target in zip(contexts, targets):
    print("".join(ALPHABET[index] for index in context), "->", ALPHABET[target])


# %%
def linear_loss(weights, symbols, targets):
    w = torch.tensor(weights, dtype=torch.float64, requires_grad=True)
    symbols, targets = torch.as_tensor(symbols).long(), torch.as_tensor(targets).long()
    loss = torch.nn.functional.cross_entropy(w[symbols], targets)
    (gradient,) = torch.autograd.grad(loss, w)
    return loss.item(), gradient


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
    C, H, d, U, b = (torch.as_tensor(parameters[name]) for name in "CHdUb")
    x = C[torch.as_tensor(contexts).long()].flatten(start_dim=1)
    return torch.addmm(b, torch.tanh(torch.addmm(d, x, H.T)), U.T)


# %%
tiny = {"C": [[0], [1]], "H": [[1, -1]], "d": [0], "U": [[1], [2]], "b": [0, 1]}
tiny = {name: np.array(values, dtype=np.float64) for name, values in tiny.items()}
print(mlp_logits(tiny, np.array([[1, 0]])))

# %% [markdown]
# ## 12. Training
#
# Adam with weight decay, and a rate that follows half a cosine.


# %%
def train_mlp(train, validation, seed):
    generator = torch.Generator().manual_seed(seed)
    m, h, steps, every = 16, 100, 600, 30

    def normal(*shape, scale=1.0):
        drawn = torch.randn(*shape, generator=generator, dtype=torch.float64) * scale
        return drawn.requires_grad_()

    parameters = {
        "C": normal(40, m),
        "H": normal(h, 3 * m, scale=(3 * m) ** -0.5),
        "d": normal(h, scale=0.0),
        "U": normal(40, h, scale=0.1 * h**-0.5),
        "b": normal(40, scale=0.0),
    }
    optimizer = torch.optim.AdamW(parameters.values(), lr=0.01, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    contexts, targets = context_windows(train, 3)
    held, awaited = context_windows(validation, 3)
    best, kept = math.inf, None
    for step in range(steps + 1):
        if step % every == 0:
            with torch.no_grad():
                score = torch.nn.functional.cross_entropy(mlp_logits(parameters, held), awaited)
            if score < best:
                best = score
                kept = {name: tensor.detach().clone() for name, tensor in parameters.items()}
        batch = torch.randint(len(targets), (200,), generator=generator)
        loss = torch.nn.functional.cross_entropy(mlp_logits(parameters, contexts[batch]), targets[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
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
