# %% [markdown]
# # Générer : des logits au texte
#
# À l'envers : au lieu de choisir les meilleurs tokens, j'écarte les moins bons, un par un, tant que l'énoncé le permet.
# Le softmax se lit comme une suite de duels : $p_v = 1 / \sum_u e^{(l_u - l_v)/t}$.

# %%
import hashlib

import numpy as np
import torch


# %%
def greedy(logits):
    candidats = list(range(len(logits)))
    while len(candidats) > 1:
        # le dernier et l'avant-dernier se battent : à égalité, le plus petit numéro gagne
        grand, petit = candidats.pop(), candidats.pop()
        candidats.append(grand if logits[grand] > logits[petit] else petit)
    return candidats[0]


# %%
def token_probabilities(logits, temperature=1.0):
    logits = np.asarray(logits, dtype=np.float64)
    loi = np.zeros(len(logits))
    if temperature == 0:
        loi[greedy(logits)] = 1
        return torch.from_numpy(loi)
    possibles = np.flatnonzero(logits > -np.inf)
    with np.errstate(over="ignore"):
        for v in possibles:
            loi[v] = 1 / np.sum(np.exp((logits[possibles] - logits[v]) / temperature))
    return torch.from_numpy(loi)


# %%
def pire(masses):
    """Le token à écarter d'abord : la plus petite masse ; parmi des ex æquo, le plus grand numéro."""
    return min(masses, key=lambda v: (masses[v], -v))


def en_tenseur(masses, taille):
    loi = torch.zeros(taille, dtype=torch.float64)
    total = sum(masses.values())
    for v, masse in masses.items():
        loi[v] = masse / total
    return loi


def top_k(probabilities, k):
    masses = dict(enumerate(probabilities.tolist()))
    while len(masses) > k:
        del masses[pire(masses)]
    return en_tenseur(masses, len(probabilities))


# %%
def top_p(probabilities, p):
    masses = dict(enumerate(probabilities.tolist()))
    # un token est de trop si les autres ont encore une masse >= p
    while p < 1 and len(masses) > 1:
        v = pire(masses)
        if sum(masse for u, masse in masses.items() if u != v) < p:
            break
        del masses[v]
    return en_tenseur(masses, len(probabilities))


# %%
def repetition_penalty(logits, ids, penalty):
    positifs = np.clip(logits, 0, None)
    negatifs = np.clip(logits, None, 0)
    vus = np.zeros(len(logits), dtype=bool)
    for v in ids:
        vus[v] = True
    return np.where(vus, positifs / penalty + negatifs * penalty, logits)


# %%
def next_distribution(logits, ids, temperature=1.0, k=None, p=1.0, penalty=1.0):
    if k is None:
        k = len(logits)
    return top_p(top_k(token_probabilities(repetition_penalty(logits, ids, penalty), temperature), k), p)


# %%
def draw(probabilities, u):
    bornes = np.cumsum(np.asarray(probabilities))
    token = int(np.digitize(u, bornes))
    while token >= len(bornes) or probabilities[token] == 0:
        token -= 1
    return token


# %%
def uniforme(seed, position):
    """Le tirage de cette position : 53 bits d'une empreinte de la graine et de la position."""
    empreinte = hashlib.sha256(f"{seed} {position}".encode()).digest()
    return (int.from_bytes(empreinte[:8], "big") >> 11) / 2**53


def generate(table, prompt, max_new, settings, end_ids, seed):
    nouveaux = []
    while len(nouveaux) < max_new and not set(nouveaux[-1:]) & set(end_ids):
        texte = list(prompt) + nouveaux
        loi = next_distribution(table[texte[-1]], texte, **settings)
        nouveaux.append(draw(loi, uniforme(seed, len(nouveaux))))
    return nouveaux


# %%
def text_until_stop(pieces, stops):
    # on part du texte entier et on rend des morceaux tant qu'il contient encore une chaîne d'arrêt
    def debuts(n):
        texte = "".join(pieces[:n])
        return [texte.find(stop) for stop in stops if texte.find(stop) >= 0]

    n = len(pieces)
    if not debuts(n):
        return "".join(pieces), n
    while debuts(n - 1):
        n -= 1
    return "".join(pieces[:n])[: min(debuts(n))], n


# %%
def beam_search(table, prompt, n_beams, max_new, end_id, length_penalty):
    lois = [token_probabilities(ligne).tolist() for ligne in table]
    # le faisceau est un dictionnaire ordonné : tokens -> log p, le mieux classé d'abord
    faisceau = {(): 0.0}
    termines = {}
    for n in range(1, max_new + 1):
        suites = {}
        for ids, log_p in faisceau.items():
            for v, probabilite in enumerate(lois[(tuple(prompt) + ids)[-1]]):
                if probabilite > 0:
                    suites[(*ids, v)] = log_p + np.log(probabilite)
        classement = sorted(suites, key=suites.get, reverse=True)
        for ids in classement[:n_beams]:
            if n == max_new or ids[-1] == end_id:
                termines[ids] = float(suites[ids]) * n**-length_penalty
        faisceau = {ids: suites[ids] for ids in classement if ids[-1] != end_id}
        while len(faisceau) > n_beams:
            faisceau.popitem()
    # le plus mauvais part d'abord ; parmi des ex æquo, celui qui a été terminé le dernier
    while len(termines) > n_beams:
        numeros = {ids: i for i, ids in enumerate(termines)}
        del termines[min(termines, key=lambda ids: (termines[ids], -numeros[ids]))]
    return [(list(ids), termines[ids]) for ids in sorted(termines, key=termines.get, reverse=True)]


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
    a_lire = list(prompt)[::-1]  # une pile : le prochain token à lire est au-dessus
    etat, logits, nouveaux = start(weights), None, []
    while a_lire or len(nouveaux) < max_new:
        if not a_lire:
            a_lire.append(greedy(logits))
            nouveaux.append(a_lire[-1])
        etat, logits = step(weights, etat, a_lire.pop())
    return nouveaux
