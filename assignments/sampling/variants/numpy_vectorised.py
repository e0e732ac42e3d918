# %% [markdown]
# # Sampling: from logits to text
# Everything on whole arrays.

# %%
import numpy as np


# %%
def greedy(logits):
    return int(np.argmax(logits))


# %%
def token_probabilities(logits, temperature=1.0):
    logits = np.asarray(logits, dtype=np.float64)
    if temperature == 0:
        return np.eye(len(logits))[greedy(logits)]
    with np.errstate(over="ignore", under="ignore"):
        weights = np.exp((logits - logits.max()) / temperature)
    return weights / weights.sum()


# %%
def falling(probabilities):
    """Token numbers by falling probability, ties by rising number."""
    return np.argsort(-np.asarray(probabilities), kind="stable")


def keep_only(probabilities, tokens):
    kept = np.zeros(len(probabilities))
    kept[tokens] = probabilities[tokens]
    return kept / kept.sum()


def top_k(probabilities, k):
    return keep_only(probabilities, falling(probabilities)[:k])


# %%
def top_p(probabilities, p):
    if p >= 1:
        return probabilities / probabilities.sum()
    order = falling(probabilities)
    mass = np.cumsum(probabilities[order])
    # index of the first token at which the mass is >= p
    last = np.searchsorted(mass, p, side="left")
    return keep_only(probabilities, order[: last + 1])


# %%
def repetition_penalty(logits, ids, penalty):
    seen = np.isin(np.arange(len(logits)), ids)
    changed = np.where(logits > 0, logits / penalty, logits * penalty)
    return np.where(seen, changed, logits)


# %%
def next_distribution(logits, ids, temperature=1.0, k=None, p=1.0, penalty=1.0):
    probabilities = token_probabilities(repetition_penalty(logits, ids, penalty), temperature)
    if k is not None:
        probabilities = top_k(probabilities, k)
    return top_p(probabilities, p)


# %%
def draw(probabilities, u):
    above = np.cumsum(probabilities) > u
    if above.any():
        return int(above.argmax())
    return int(np.flatnonzero(probabilities)[-1])


# %%
def generate(table, prompt, max_new, settings, end_ids, seed):
    uniforms = np.random.default_rng(seed).random(max_new)
    text = list(prompt)
    for u in uniforms:
        text.append(draw(next_distribution(table[text[-1]], text, **settings), u))
        if text[-1] in end_ids:
            break
    return text[len(prompt) :]


# %%
def text_until_stop(pieces, stops):
    text = ""
    for n, piece in enumerate(pieces, start=1):
        text += piece
        found = np.array([text.find(stop) for stop in stops], dtype=int)
        found = found[found >= 0]
        if found.size:
            return text[: found.min()], n
    return text, len(pieces)


# %%
def log_softmax_rows(table):
    shifted = table - table.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def beam_search(table, prompt, n_beams, max_new, end_id, length_penalty):
    log_table = log_softmax_rows(np.asarray(table, dtype=np.float64))
    n_tokens = log_table.shape[1]
    running = np.array([[prompt[-1]]])  # column 0 is the end of the prompt
    log_p = np.zeros(1)
    finished = []
    for n in range(1, max_new + 1):
        scores = (log_p[:, None] + log_table[running[:, -1]]).ravel()
        order = np.argsort(-scores, kind="stable")
        order = order[np.isfinite(scores[order])]
        parents, tokens = np.divmod(order, n_tokens)
        ends = np.zeros(len(order), dtype=bool) if end_id is None else tokens == end_id
        done = np.ones(len(order), dtype=bool) if n == max_new else ends
        for rank in np.flatnonzero(done[:n_beams]):
            ids = [*running[parents[rank], 1:].tolist(), int(tokens[rank])]
            finished.append((ids, float(scores[order[rank]] / n**length_penalty)))
        alive = np.flatnonzero(~ends)[:n_beams]
        if not len(alive):
            break
        running = np.column_stack([running[parents[alive]], tokens[alive]])
        log_p = scores[order[alive]]
    best = np.argsort([-score for _, score in finished], kind="stable")[:n_beams]
    return [finished[i] for i in best]


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
    state = start(weights)
    new = np.empty(max_new, dtype=int)
    for token in prompt:
        state, logits = step(weights, state, token)
    for i in range(max_new):
        new[i] = logits.argmax()
        state, logits = step(weights, state, new[i])
    return new.tolist()
