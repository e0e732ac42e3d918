# %% [markdown]
# # Sampling: from logits to text
# As short as I could make it.

# %%
import re
from itertools import accumulate

import numpy as np


# %%
def greedy(logits):
    return np.argmax(logits)


# %%
def token_probabilities(logits, temperature=1.0):
    x = logits - np.max(logits)
    with np.errstate(over="ignore"):
        w = np.exp(x / temperature) if temperature else np.arange(len(x)) == greedy(x)
    return w / w.sum()


# %%
def head(probabilities, n):
    kept = np.zeros_like(probabilities)
    best = np.lexsort((np.arange(len(kept)), -probabilities))[:n]
    kept[best] = probabilities[best]
    return kept / kept.sum()


def top_k(probabilities, k):
    return head(probabilities, k)


# %%
def top_p(probabilities, p):
    mass = np.cumsum(np.sort(probabilities)[::-1])
    return head(probabilities, None if p == 1 else 1 + np.sum(mass < p))


# %%
def repetition_penalty(logits, ids, penalty):
    out = np.copy(logits)
    i = list({*ids})
    out[i] *= penalty ** -np.where(out[i] > 0, 1.0, -1.0)
    return out


# %%
def next_distribution(logits, ids, temperature=1.0, k=None, p=1.0, penalty=1.0):
    return top_p(top_k(token_probabilities(repetition_penalty(logits, ids, penalty), temperature), k), p)


# %%
def draw(probabilities, u):
    possible = np.flatnonzero(probabilities)
    return possible[np.searchsorted(np.cumsum(probabilities[possible])[:-1], u, side="right")]


# %%
def generate(table, prompt, max_new, settings, end_ids, seed):
    # Gumbel's trick: the argmax of log p + noise is a draw from p
    rng, ids = np.random.default_rng(seed), [*prompt]
    with np.errstate(divide="ignore"):
        while len(ids) < len(prompt) + max_new and (len(ids) == len(prompt) or ids[-1] not in end_ids):
            p = next_distribution(table[ids[-1]], ids, **settings)
            ids.append(int(np.argmax(np.log(p) + rng.gumbel(size=len(p)))))
    return ids[len(prompt) :]


# %%
def text_until_stop(pieces, stops):
    stop = re.compile("|".join(map(re.escape, stops)) or r"(?!)")
    for n, text in enumerate(accumulate(pieces), 1):
        if m := stop.search(text):
            return text[: m.start()], n
    return "".join(pieces), len(pieces)


# %%
def beam_search(table, prompt, n_beams, max_new, end_id, length_penalty):
    beam, done = [(0.0, [])], []
    with np.errstate(divide="ignore"):
        logs = np.log([token_probabilities(row) for row in table]).tolist()
    for n in range(1, max_new + 1):
        new = [(s + x, [*t, v]) for s, t in beam for v, x in enumerate(logs[[*prompt, *t][-1]]) if x > -np.inf]
        new.sort(key=lambda e: -e[0])
        done += [(t, s / n**length_penalty) for s, t in new[:n_beams] if n == max_new or t[-1] == end_id]
        beam = [e for e in new if e[1][-1] != end_id][:n_beams]
    return sorted(done, key=lambda e: e[1], reverse=True)[:n_beams]


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
    state, new = start(weights), []
    for token in prompt:
        state, logits = step(weights, state, token)
    while len(new) < max_new:
        new += [greedy(logits)]
        state, logits = step(weights, state, new[-1])
    return new
