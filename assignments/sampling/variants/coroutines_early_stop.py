# %% [markdown]
# # Sampling: from logits to text
# Coroutines hold what must be remembered between two tokens. Beam search gives up as soon as
# no running text can still win.

# %%
import math
import random
import re
from itertools import islice

import numpy as np
import torch


# %%
def greedy(logits):
    best, best_logit = None, -math.inf
    for token, logit in enumerate(logits):
        if logit > best_logit:
            best, best_logit = token, logit
    return best


# %%
def token_probabilities(logits, temperature=1.0):
    if temperature == 0:
        return np.bincount([greedy(logits)], minlength=len(logits)).astype(np.float64)
    # powers of two instead of powers of e
    with np.errstate(over="ignore"):
        weights = np.exp2((logits - np.amax(logits)) * math.log2(math.e) / temperature)
    return weights / math.fsum(weights)


# %%
def truncation(probabilities):
    """Coroutine: takes the tokens from the most probable on; send(None) asks for the result."""
    kept = np.zeros(len(probabilities), dtype=bool)
    order = np.lexsort([-probabilities])
    mass = 0.0
    for token in order:
        more = yield mass
        if not more:
            break
        kept[token] = True
        mass += probabilities[token]
    else:
        yield mass
    yield np.where(kept, probabilities, 0.0) / np.sum(probabilities, where=kept)


def top_k(probabilities, k):
    taking = truncation(probabilities)
    next(taking)
    for _ in range(k):
        taking.send(True)
    return taking.send(False)


# %%
def top_p(probabilities, p):
    taking = truncation(probabilities)
    next(taking)
    mass, taken = taking.send(True), 1
    while taken < len(probabilities) and (p == 1 or mass < p):
        mass, taken = taking.send(True), taken + 1
    return taking.send(False)


# %%
def repetition_penalty(logits, ids, penalty):
    result = torch.tensor(logits, dtype=torch.float64)
    result[list(ids)] = torch.minimum(result * penalty, torch.zeros(())).add(torch.relu(result) / penalty)[list(ids)]
    return result


# %%
def next_distribution(logits, ids, temperature=1.0, k=None, p=1.0, penalty=1.0):
    distribution = token_probabilities(repetition_penalty(logits, ids, penalty).numpy(), temperature)
    if k:
        distribution = top_k(distribution, k)
    return top_p(distribution, p)


# %%
def draw(probabilities, u):
    """Halving on the running sums."""
    sums = np.add.accumulate(probabilities)
    low, high = 0, int(np.max(np.nonzero(probabilities)))
    while low < high:
        middle = (low + high) // 2
        if sums[middle] > u:
            high = middle
        else:
            low = middle + 1
    return low


# %%
def tokens_of(table, prompt, settings, end_ids, rng):
    text = list(prompt)
    while True:
        token = draw(next_distribution(table[text[-1]], text, **settings), rng.random())
        text.append(token)
        yield token
        if token in end_ids:
            return


def generate(table, prompt, max_new, settings, end_ids, seed):
    rng = random.Random(f"melody {seed}")  # noqa: S311
    return list(islice(tokens_of(table, prompt, settings, end_ids, rng), max_new))


# %%
def text_until_stop(pieces, stops):
    text = "".join(pieces)
    # every place where a stop string begins, overlaps included, and where the shortest one there ends
    shortest_first = "|".join(re.escape(stop) for stop in sorted(stops, key=len))
    spans = [m.span(1) for m in re.finditer(f"(?=({shortest_first}))", text, re.DOTALL)] if stops else []
    if not spans:
        return text, len(pieces)
    first_end = min(end for _, end in spans)
    read, n = 0, 0
    while read < first_end:
        read += len(pieces[n])
        n += 1
    return text[: min(begin for begin, end in spans if end <= read)], n


# %%
def extensions(running, log_p):
    for rank, (total, ids) in enumerate(running):
        for token, more in enumerate(log_p[ids[-1]]):
            if more != -math.inf:
                yield -(total + more), rank, token


def best_hope(total, n, max_new, length_penalty):
    """No text that goes on from this one can have a higher score: log p falls, n is at most max_new."""
    return total / (max_new if length_penalty > 0 else n + 1) ** length_penalty


def beam_search(table, prompt, n_beams, max_new, end_id, length_penalty):
    log_p = torch.log_softmax(torch.tensor(table, dtype=torch.float64), dim=-1).tolist()
    running = [(0.0, [prompt[-1]])]
    finished = []
    for n in range(1, max_new + 1):
        ranked = [(-cost, [*running[rank][1], token]) for cost, rank, token in sorted(extensions(running, log_p))]
        finished += [
            (ids[1:], total / n**length_penalty) for total, ids in ranked[:n_beams] if n == max_new or ids[-1] == end_id
        ]
        finished = sorted(finished, key=lambda pair: -pair[1])[:n_beams]
        running = [pair for pair in ranked if pair[1][-1] != end_id][:n_beams]
        hopes = [best_hope(total, n, max_new, length_penalty) for total, _ in running]
        if len(finished) == n_beams and all(hope < finished[-1][1] for hope in hopes):
            break
    return finished


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
def reader(weights):
    """Coroutine: send it a token, it answers with the logits of the next one. Its state is the cache."""
    state, logits = start(weights), None
    while True:
        token = yield logits
        state, logits = step(weights, state, token)


def generate_cached(weights, prompt, max_new):
    reading = reader(weights)
    next(reading)
    for token in prompt:
        logits = reading.send(token)
    new = []
    while len(new) < max_new:
        new.append(greedy(logits))
        logits = reading.send(new[-1])
    return new
