# %% [markdown]
# # Sampling: from logits to text
# Other algorithms where I know one: quickselect instead of sorting, a search for the threshold by halving,
# an automaton for the stop strings, a trellis with back-pointers for beam search, memoised rows.

# %%
from bisect import bisect_right
from collections import deque
from functools import cache

import numpy as np


# %%
def greedy(logits):
    best = np.max(logits)
    return next(v for v in range(len(logits)) if logits[v] == best)


# %%
def token_probabilities(logits, temperature=1.0):
    if temperature == 0:
        one = np.zeros(len(logits))
        one[greedy(logits)] = 1.0
        return one
    best = np.max(logits)
    # most tokens are far behind: only those that are not lost in underflow need an exponential
    result = np.zeros(len(logits))
    near = np.flatnonzero(best - logits <= 800 * temperature)
    result[near] = np.exp((logits[near] - best) / temperature)
    return result / np.sum(result)


# %%
def threshold_of(probabilities, k):
    """The k-th largest value, by quickselect."""
    values, wanted = np.asarray(probabilities), k
    while True:
        pivot = values[len(values) // 2]
        above, equal = values[values > pivot], np.count_nonzero(values == pivot)
        if wanted <= len(above):
            values = above
        elif wanted <= len(above) + equal:
            return pivot
        else:
            wanted -= len(above) + equal
            values = values[values < pivot]


def mask_of(probabilities, k):
    threshold = threshold_of(probabilities, k)
    mask = probabilities > threshold
    tied = np.flatnonzero(probabilities == threshold)
    mask[tied[: k - np.count_nonzero(mask)]] = True
    return mask


def masked(probabilities, mask):
    total = np.dot(probabilities, mask)
    return np.where(mask, probabilities, 0.0) / total


def top_k(probabilities, k):
    return masked(probabilities, mask_of(probabilities, k))


# %%
def top_p(probabilities, p):
    if p == 1:
        return masked(probabilities, np.ones(len(probabilities), dtype=bool))
    # the mass of the first n tokens grows with n: halve the interval [few, enough]
    few, enough = 0, len(probabilities)
    while enough - few > 1:
        n = (few + enough) // 2
        if probabilities[mask_of(probabilities, n)].sum() >= p:
            enough = n
        else:
            few = n
    return masked(probabilities, mask_of(probabilities, enough))


# %%
def repetition_penalty(logits, ids, penalty):
    counts = np.bincount(np.asarray(ids, dtype=np.int64), minlength=len(logits))
    result = np.empty(len(logits))
    for v, (logit, count) in enumerate(zip(logits, counts, strict=True)):
        if count == 0:
            result[v] = logit
        elif logit > 0:
            result[v] = logit / penalty
        else:
            result[v] = logit * penalty
    return result


# %%
def next_distribution(logits, ids, temperature=1.0, k=None, p=1.0, penalty=1.0):
    if penalty != 1:
        logits = repetition_penalty(logits, ids, penalty)
    distribution = token_probabilities(logits, temperature)
    if k is not None and k < len(logits):
        distribution = top_k(distribution, k)
    if p < 1:
        distribution = top_p(distribution, p)
    return distribution


# %%
class FenwickTree:
    """Prefix sums of masses, and the search for the first prefix above a number, in log V steps."""

    def __init__(self, masses):
        self.tree = [0.0, *map(float, masses)]
        for i in range(1, len(self.tree)):
            parent = i + (i & -i)
            if parent < len(self.tree):
                self.tree[parent] += self.tree[i]

    def first_above(self, u):
        position, stride = 0, 1 << (len(self.tree).bit_length() - 1)
        while stride:
            if position + stride < len(self.tree) and self.tree[position + stride] <= u:
                position += stride
                u -= self.tree[position]
            stride >>= 1
        return position


def draw(probabilities, u):
    possible = np.flatnonzero(probabilities)
    place = FenwickTree(probabilities[possible]).first_above(u)
    return int(possible[min(place, len(possible) - 1)])


# %%
class AliasTable:
    """Walker's alias method: a draw in constant time once the table is made."""

    def __init__(self, probabilities):
        self.n = len(probabilities)
        self.share = np.array(probabilities) * self.n
        self.alias = list(range(self.n))
        small = [v for v in range(self.n) if self.share[v] < 1]
        large = [v for v in range(self.n) if self.share[v] >= 1]
        while small and large:
            little, big = small.pop(), large.pop()
            self.alias[little] = big
            self.share[big] -= 1 - self.share[little]
            (small if self.share[big] < 1 else large).append(big)
        for v in small + large:
            # what rounding has left: a token without mass sends to the heaviest one
            if probabilities[v] > 0:
                self.share[v] = 1.0
            else:
                self.alias[v] = int(np.argmax(probabilities))

    def draw(self, rng):
        v = rng.integers(self.n)
        return int(v) if rng.random() < self.share[v] else self.alias[v]


def generate(table, prompt, max_new, settings, end_ids, seed):
    rng = np.random.Generator(np.random.PCG64(seed))
    memory = {}

    def table_for(ids):
        # without a penalty the distribution depends on the last token alone
        key = ids[-1] if settings.get("penalty", 1.0) == 1 else None
        if key is None or key not in memory:
            memory[key] = AliasTable(next_distribution(table[ids[-1]], ids, **settings))
        return memory[key]

    ids = list(prompt)
    stop_at = len(prompt) + max_new
    while len(ids) < stop_at:
        ids.append(table_for(ids).draw(rng))
        if ids[-1] in end_ids:
            break
    return ids[len(prompt) :]


# %%
def automaton(words):
    """Aho and Corasick: moves of each state, and the longest word that ends there."""
    moves, longest, link = [{}], [0], [0]
    for word in words:
        state = 0
        for letter in word:
            if letter not in moves[state]:
                moves[state][letter] = len(moves)
                moves.append({})
                longest.append(0)
                link.append(0)
            state = moves[state][letter]
        longest[state] = len(word)
    queue = deque(moves[0].values())
    while queue:
        state = queue.popleft()
        longest[state] = max(longest[state], longest[link[state]])
        for letter, child in moves[state].items():
            back = link[state]
            while back and letter not in moves[back]:
                back = link[back]
            link[child] = moves[back].get(letter, 0) if moves[back].get(letter) != child else 0
            queue.append(child)
    return moves, longest, link


def text_until_stop(pieces, stops):
    moves, longest, link = automaton(stops)
    state = place = 0
    for n, piece in enumerate(pieces, 1):
        cut = None
        for letter in piece:
            while state and letter not in moves[state]:
                state = link[state]
            state = moves[state].get(letter, 0)
            place += 1
            if longest[state]:
                begin = place - longest[state]
                cut = begin if cut is None else min(cut, begin)
        if cut is not None:
            return "".join(pieces[:n])[:cut], n
    return "".join(pieces), len(pieces)


# %%
def beam_search(table, prompt, n_beams, max_new, end_id, length_penalty):
    @cache
    def successors(token):
        """Possible tokens after this one, with log p, best first; no text can need more than K + 1 of them."""
        row = np.asarray(table[token], dtype=np.float64)
        logs = row - np.logaddexp.reduce(row)
        order = np.argsort(-logs, kind="stable")[: n_beams + 1]
        return [(int(v), float(logs[v])) for v in order if logs[v] > -np.inf]

    # trellis[n]: the running texts of step n, best first, as (log p, token, place of its parent at step n - 1)
    trellis = [[(0.0, prompt[-1], None)]]
    costs, ends = [], []  # finished texts, by rising cost (the opposite of the score), the older first among equals
    for n in range(1, max_new + 1):
        column = [
            (log_p + more, v, parent)
            for parent, (log_p, token, _) in enumerate(trellis[-1])
            for v, more in successors(token)
        ]
        column.sort(key=lambda node: (-node[0], node[2], node[1]))
        for node in column[:n_beams]:
            if n == max_new or node[1] == end_id:
                cost = -node[0] / n**length_penalty
                place = bisect_right(costs, cost)
                costs.insert(place, cost)
                ends.insert(place, (n, node))
                del costs[n_beams:], ends[n_beams:]
        trellis.append([node for node in column if node[1] != end_id][:n_beams])

    def unroll(n, node):
        tokens = []
        while n > 0:
            tokens.append(node[1])
            n -= 1
            node = trellis[n][node[2]]
        return tokens[::-1]

    return [(unroll(n, node), -cost) for cost, (n, node) in zip(costs, ends, strict=True)]


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
    states = [start(weights)]
    ids = list(prompt)
    for position in range(len(prompt) + max_new):
        if position >= len(prompt):
            ids.append(greedy(states[position] @ weights["output"]))
        # one state kept for each position, as a transformer's cache would
        state, _ = step(weights, states[position], ids[position])
        states.append(state)
    return ids[len(prompt) :]
