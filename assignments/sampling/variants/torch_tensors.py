# %% [markdown]
# # Sampling: from logits to text
# In PyTorch throughout: distributions are float64 tensors.

# %%
import numpy as np
import torch
import torch.nn.functional as F


# %%
def as_float64(values):
    return torch.as_tensor(np.array(values, dtype=np.float64))


def greedy(logits):
    return torch.argmax(as_float64(logits)).item()


# %%
def token_probabilities(logits, temperature=1.0):
    logits = as_float64(logits)
    if temperature == 0:
        return F.one_hot(torch.tensor(greedy(logits)), len(logits)).double()
    return torch.softmax((logits - logits.max()) / temperature, dim=0)


# %%
def top_k(probabilities, k):
    values, tokens = torch.sort(as_float64(probabilities), descending=True, stable=True)
    values[k:] = 0
    return torch.zeros_like(values).scatter_(0, tokens, values / values.sum())


# %%
def top_p(probabilities, p):
    values, tokens = torch.sort(as_float64(probabilities), descending=True, stable=True)
    if p < 1:
        before = torch.cumsum(values, 0).roll(1)
        before[0] = -1.0  # the first is always kept
        values = torch.where(before < p, values, 0.0)
    return torch.zeros_like(values).scatter_(0, tokens, values / values.sum())


# %%
def repetition_penalty(logits, ids, penalty):
    logits = as_float64(logits)
    index = torch.tensor(sorted(set(ids)), dtype=torch.long)
    chosen = logits[index]
    return logits.index_copy(0, index, torch.where(chosen > 0, chosen / penalty, chosen * penalty))


# %%
def next_distribution(logits, ids, temperature=1.0, k=None, p=1.0, penalty=1.0):
    distribution = token_probabilities(repetition_penalty(logits, ids, penalty), temperature)
    if k is not None:
        distribution = top_k(distribution, k)
    return top_p(distribution, p)


# %%
def draw(probabilities, u):
    probabilities = as_float64(probabilities)
    token = torch.searchsorted(torch.cumsum(probabilities, 0), torch.tensor(u, dtype=torch.float64), right=True).item()
    return token if token < len(probabilities) else torch.nonzero(probabilities)[-1].item()


# %%
def generate(table, prompt, max_new, settings, end_ids, seed):
    generator = torch.Generator().manual_seed(seed)
    new = []
    for _ in range(max_new):
        text = [*prompt, *new]
        distribution = next_distribution(table[text[-1]], text, **settings)
        new.append(torch.multinomial(distribution, 1, generator=generator).item())
        if new[-1] in end_ids:
            break
    return new


# %%
def text_until_stop(pieces, stops):
    text, n = "", 0
    while n < len(pieces):
        text += pieces[n]
        n += 1
        inside = [stop for stop in stops if stop in text]
        if inside:
            return text[: min(map(text.index, inside))], n
    return text, n


# %%
def beam_search(table, prompt, n_beams, max_new, end_id, length_penalty):
    log_table = torch.log_softmax(as_float64(table), dim=1)
    n_tokens = log_table.shape[1]
    last = torch.tensor([prompt[-1]])
    log_p = torch.zeros(1, dtype=torch.float64)
    history = torch.empty((1, 0), dtype=torch.long)
    ids, scores = [], []
    for n in range(1, max_new + 1):
        ranked, flat = torch.sort((log_p[:, None] + log_table[last]).flatten(), descending=True, stable=True)
        possible = ranked > -torch.inf
        ranked, flat = ranked[possible], flat[possible]
        extended = torch.cat([history[flat // n_tokens], (flat % n_tokens)[:, None]], dim=1)
        ends = extended[:, -1] == (-1 if end_id is None else end_id)
        done = ends[:n_beams] | (n == max_new)
        ids += extended[:n_beams][done].tolist()
        scores += (ranked[:n_beams][done] / n**length_penalty).tolist()
        history, log_p = extended[~ends][:n_beams], ranked[~ends][:n_beams]
        last = history[:, -1]
    order = torch.sort(torch.tensor(scores, dtype=torch.float64), descending=True, stable=True).indices
    return [(ids[i], scores[i]) for i in order[:n_beams].tolist()]


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
@torch.no_grad()
def generate_cached(weights, prompt, max_new):
    embedding, recurrence, output = (as_float64(weights[name]) for name in ("embedding", "recurrence", "output"))
    state = torch.zeros(len(recurrence), dtype=torch.float64)
    for token in prompt:
        state = torch.tanh(embedding[token] + state @ recurrence)
    new = []
    for _ in range(max_new):
        new.append(torch.argmax(state @ output).item())
        state = torch.tanh(embedding[new[-1]] + state @ recurrence)
    return new
