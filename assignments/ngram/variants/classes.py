# %% [markdown]
# # Language models of first names
#
# Objects do the work; the functions that were asked for hand over to them.

# %%
# ruff: noqa: B007, B905, PTH123, S311, T201
import math
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn


class Alphabet:
    """The symbols in their order, and the way back from a symbol to its index."""

    def __init__(self, symbols):
        self.symbols = symbols
        self.boundary = symbols[0]
        self._places = {symbol: place for place, symbol in enumerate(symbols)}

    def __len__(self):
        return len(self.symbols)

    def __iter__(self):
        return iter(self.symbols)

    def __getitem__(self, place):
        return self.symbols[place]

    def place(self, symbol):
        return self._places[symbol]

    def wrap(self, name, before=1):
        return self.boundary * before + name + self.boundary

    def grams(self, name, size):
        """The runs of `size` symbols of a name, one for each symbol that is predicted."""
        text = self.wrap(name, size - 1)
        for end in range(size, len(text) + 1):
            yield text[end - size : end]


SYMBOLS = Alphabet(".abcdefghijklmnopqrstuvwxyz-'àâçèéêëîïôü")
ALPHABET = SYMBOLS.symbols
INDEX = {symbol: index for index, symbol in enumerate(ALPHABET)}
MAX_LENGTH = 30

with open("prenoms.txt", encoding="utf-8") as file:
    NAMES = file.read().split()

# %% [markdown]
# ## Tables


# %%
class NGrams:
    """Counts of n-grams, row by row: a row belongs to one context."""

    def __init__(self, size):
        self.size = size
        self.rows = defaultdict(Counter)

    def read(self, names):
        for name in names:
            for gram in SYMBOLS.grams(name, self.size):
                self.rows[gram[:-1]][gram[-1]] += 1
        return self

    def as_dictionary(self):
        return {context + symbol: number for context, row in self.rows.items() for symbol, number in row.items()}

    def as_square(self):
        square = np.zeros((len(SYMBOLS), len(SYMBOLS)), dtype=np.int64)
        for context, row in self.rows.items():
            for symbol, number in row.items():
                square[SYMBOLS.place(context), SYMBOLS.place(symbol)] = number
        return square


@dataclass
class AdditiveSmoothing:
    k: float

    def __call__(self, row):
        row = np.asarray(row, dtype=np.float64) + self.k
        total = row.sum()
        return row / total if total else np.full(len(row), 1 / len(row))


class Chain:
    """A Markov chain over symbols, read from a table of probabilities."""

    def __init__(self, table):
        self.table = table

    def follow(self, name):
        for pair in SYMBOLS.grams(name, 2):
            first, second = pair
            yield first, second, float(self.table[SYMBOLS.place(first), SYMBOLS.place(second)])

    def draw(self, rng):
        name, state = "", 0
        while len(name) < MAX_LENGTH:
            (state,) = rng.choices(range(len(SYMBOLS)), weights=self.table[state])
            if state == 0:
                break
            name += SYMBOLS[state]
        return name


@dataclass
class Surprise:
    """Adds up surprises and gives their mean."""

    parts: list = field(default_factory=list)

    def add(self, probability):
        self.parts.append(-math.log(probability) if probability > 0 else math.inf)

    @property
    def mean(self):
        return sum(self.parts) / len(self.parts)


# %%
def bigram_counts(names):
    return NGrams(2).read(names).as_square()


def bigram_probabilities(counts, k):
    return np.stack([AdditiveSmoothing(k)(row) for row in counts])


def trigram_counts(names):
    return NGrams(3).read(names).as_dictionary()


def trigram_probability(counts, context, symbol, k):
    row = AdditiveSmoothing(k)([counts.get(context + other, 0) for other in SYMBOLS])
    return float(row[SYMBOLS.place(symbol)])


def transition_table(name, probabilities):
    return list(Chain(probabilities).follow(name))


def average_nll(names, probabilities):
    chain, surprise = Chain(probabilities), Surprise()
    for name in names:
        for _, _, probability in chain.follow(name):
            surprise.add(probability)
    return surprise.mean


def sample_names(probabilities, n, seed):
    chain, rng = Chain(probabilities), random.Random(seed)
    return [chain.draw(rng) for _ in range(n)]


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

# %% [markdown]
# ## Splitting, and examples


# %%
class Splitter:
    def __init__(self, seed):
        self.rng = random.Random(seed)

    def __call__(self, names):
        tenth = len(names) // 10
        held_out = self.rng.sample(range(len(names)), 2 * tenth)
        validation, test = set(held_out[:tenth]), set(held_out[tenth:])
        parts = [], [], []
        for place, name in enumerate(names):
            parts[(place in validation) + 2 * (place in test)].append(name)
        return parts


class Examples(torch.utils.data.Dataset):
    def __init__(self, names, length):
        grams = [gram for name in names for gram in SYMBOLS.grams(name, length + 1)]
        codes = [[SYMBOLS.place(symbol) for symbol in gram] for gram in grams]
        codes = torch.tensor(codes, dtype=torch.int64).reshape(len(grams), length + 1)
        self.contexts, self.targets = codes[:, :length], codes[:, length]

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, chosen):
        return self.contexts[chosen], self.targets[chosen]


def split_names(names, seed):
    return Splitter(seed)(names)


def context_windows(names, n):
    examples = Examples(names, n)
    return examples.contexts.numpy(), examples.targets.numpy()


# %%
train, validation, test = split_names(NAMES, seed=1)
print(len(train), len(validation), len(test), validation[:5])
for k in (0.01, 0.1, 1):
    print(k, average_nll(validation, bigram_probabilities(bigram_counts(train), k)))

# %%
contexts, targets = context_windows(["léa"], 3)
for context, target in zip(contexts, targets):
    print("".join(ALPHABET[index] for index in context), "->", ALPHABET[target])

# %% [markdown]
# ## Networks


# %%
class OneHotModel:
    """Works on the table of pairs: each row of W is met once, however many examples there are."""

    def __init__(self, weights):
        self.top = weights.max(axis=1, keepdims=True)
        self.weights = weights
        self.exponentials = np.exp(weights - self.top)
        self.totals = self.exponentials.sum(axis=1, keepdims=True)

    @property
    def surprises(self):
        return self.top + np.log(self.totals) - self.weights

    @property
    def probabilities(self):
        return self.exponentials / self.totals

    def loss_and_gradient(self, pairs):
        number = pairs.sum()
        loss = (pairs * self.surprises).sum() / number
        gradient = (pairs.sum(axis=1, keepdims=True) * self.probabilities - pairs) / number
        return float(loss), gradient


def linear_loss(weights, symbols, targets):
    pairs = np.zeros(weights.shape)
    np.add.at(pairs, (symbols, targets), 1)
    return OneHotModel(weights).loss_and_gradient(pairs)


# %%
print(linear_loss(np.array([[0, math.log(3)], [0, 0]]), np.array([0]), np.array([1])))

contexts, targets = context_windows(train, 1)
weights = np.zeros((40, 40))
for step in range(100):
    loss, gradient = linear_loss(weights, contexts[:, 0], targets)
    weights -= 50 * gradient
print(loss, average_nll(train, bigram_probabilities(bigram_counts(train), 0)))


# %%
class Perceptron(nn.Module):
    def __init__(self, symbols, length, width, hidden):
        super().__init__()
        self.embedding = nn.Embedding(symbols, width, dtype=torch.float64)
        self.inner = nn.Linear(length * width, hidden, dtype=torch.float64)
        self.outer = nn.Linear(hidden, symbols, dtype=torch.float64)

    def forward(self, contexts):
        x = self.embedding(contexts).flatten(start_dim=1)
        return self.outer(torch.tanh(self.inner(x)))

    def named(self):
        return {
            "C": self.embedding.weight,
            "H": self.inner.weight,
            "d": self.inner.bias,
            "U": self.outer.weight,
            "b": self.outer.bias,
        }

    @torch.no_grad()
    def start(self, generator):
        for name, parameter in self.named().items():
            parameter.zero_()
            if name in "CHU":
                parameter.normal_(generator=generator)
        self.inner.weight /= math.sqrt(self.inner.in_features)
        self.outer.weight /= 10 * math.sqrt(self.outer.in_features)
        return self

    @classmethod
    @torch.no_grad()
    def load(cls, parameters, length):
        symbols, width = parameters["C"].shape
        model = cls(symbols, length, width, len(parameters["d"]))
        for name, parameter in model.named().items():
            parameter.copy_(torch.as_tensor(parameters[name]))
        return model


def mlp_logits(parameters, contexts):
    contexts = torch.as_tensor(contexts).long()
    with torch.no_grad():
        return Perceptron.load(parameters, contexts.shape[1])(contexts).numpy()


# %%
tiny = {"C": [[0], [1]], "H": [[1, -1]], "d": [0], "U": [[1], [2]], "b": [0, 1]}
tiny = {name: np.array(values, dtype=np.float64) for name, values in tiny.items()}
print(mlp_logits(tiny, np.array([[1, 0]])))


# %%
class BestSoFar:
    def __init__(self, model, examples):
        self.model, self.examples = model, examples
        self.loss, self.parameters = math.inf, None

    @torch.no_grad()
    def look(self):
        scores = self.model(self.examples.contexts)
        loss = nn.functional.cross_entropy(scores, self.examples.targets).item()
        if loss < self.loss:
            self.loss = loss
            self.parameters = {name: tensor.numpy().copy() for name, tensor in self.model.named().items()}


class Trainer:
    epochs, batch_size = 8, 128

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def fit(self, model, examples, best):
        model.start(self.generator)
        best.look()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
        decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.75)
        for _ in range(self.epochs):
            order = torch.randperm(len(examples), generator=self.generator)
            for count, batch in enumerate(order.split(self.batch_size)):
                contexts, targets = examples[batch]
                loss = nn.functional.cross_entropy(model(contexts), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if count % 40 == 0:
                    best.look()
            best.look()
            decay.step()


def train_mlp(train, validation, seed):
    model = Perceptron(len(SYMBOLS), 3, 12, 64)
    best = BestSoFar(model, Examples(validation, 3))
    Trainer(seed).fit(model, Examples(train, 3), best)
    return best.parameters


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
