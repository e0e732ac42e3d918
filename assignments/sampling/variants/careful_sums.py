# %% [markdown]
# # Générer : des logits au texte
#
# Ici l'arrondi est suivi de près : sommes exactes (`math.fsum`, `Fraction`), logarithmes tant que possible,
# et aucune division dont le quotient pourrait déborder.

# %%
import math
from fractions import Fraction

import numpy as np


# %%
def greedy(logits):
    logits = np.asarray(logits, dtype=np.float64).tolist()
    return logits.index(max(logits))


# %%
def log_somme_exp(valeurs):
    """log(Σ exp(x)) : le maximum sort de la somme, et log1p garde ce qui est petit devant lui."""
    valeurs = list(valeurs)
    m = max(valeurs)
    place = valeurs.index(m)
    return m + math.log1p(math.fsum(math.exp(x - m) for i, x in enumerate(valeurs) if i != place))


def log_probabilites(logits, temperature):
    m = max(logits)
    # un écart trop grand pour un float donne -inf, donc une probabilité nulle : c'est ce qu'il faut
    ecarts = [(float(x) - float(m)) / float(temperature) for x in logits]
    total = log_somme_exp(ecarts)
    return [x - total for x in ecarts]


def token_probabilities(logits, temperature=1.0):
    if temperature == 0:
        loi = np.zeros(len(logits), dtype=np.float64)
        loi[greedy(logits)] = 1
        return loi
    return np.array([math.exp(x) for x in log_probabilites(logits, temperature)], dtype=np.float64)


# %%
def ordre(probabilites):
    # le couple (-probabilité, numéro) dit toute la règle
    return [v for _, v in sorted((-x, v) for v, x in enumerate(probabilites))]


def tronquer(probabilites, gardes):
    total = math.fsum(probabilites[v] for v in gardes)
    loi = np.zeros(len(probabilites), dtype=np.float64)
    for v in gardes:
        loi[v] = probabilites[v] / total
    return loi


def top_k(probabilities, k):
    probabilites = probabilities.tolist()
    return tronquer(probabilites, ordre(probabilites)[:k])


# %%
def top_p(probabilities, p):
    probabilites = probabilities.tolist()
    classement = ordre(probabilites)
    if p == 1:
        return tronquer(probabilites, classement)
    seuil, masse, n = Fraction(p), Fraction(0), 0
    while n == 0 or (masse < seuil and n < len(classement)):
        masse += Fraction(probabilites[classement[n]])  # exacte : un float est une fraction
        n += 1
    return tronquer(probabilites, classement[:n])


# %%
def repetition_penalty(logits, ids, penalty):
    resultat = np.array(logits, dtype=np.float64, copy=True)
    for v in np.unique(np.array(ids, dtype=np.int64)):
        resultat[v] = resultat[v] / penalty if resultat[v] > 0 else resultat[v] * penalty
    return resultat


# %%
def next_distribution(logits, ids, temperature=1.0, k=None, p=1.0, penalty=1.0):
    loi = token_probabilities(repetition_penalty(logits, ids, penalty), temperature)
    if k is not None:
        loi = top_k(loi, k)
    return top_p(loi, p)


# %%
def draw(probabilities, u):
    cumul, seuil, dernier = Fraction(0), Fraction(u), None
    for v, x in enumerate(probabilities.tolist()):
        if x == 0:
            continue
        cumul += Fraction(x)
        if cumul > seuil:
            return v
        dernier = v
    return dernier


# %%
def generate(table, prompt, max_new, settings, end_ids, seed):
    generateur = np.random.Generator(np.random.Philox(seed))
    fin = set(end_ids)
    texte = list(prompt)
    while len(texte) - len(prompt) < max_new:
        loi = next_distribution(table[texte[-1]], texte, **settings)
        texte.append(draw(loi, generateur.random()))
        if texte[-1] in fin:
            break
    return texte[len(prompt) :]


# %%
def text_until_stop(pieces, stops):
    lus = []
    for morceau in pieces:
        lus.append(morceau)
        texte = "".join(lus)
        debuts = [debut for debut in range(len(texte)) if texte.startswith(tuple(stops), debut)]
        if debuts:
            return texte[: debuts[0]], len(lus)
    return "".join(lus), len(lus)


# %%
def beam_search(table, prompt, n_beams, max_new, end_id, length_penalty):
    log_loi = [log_probabilites(ligne, 1.0) for ligne in table]
    # un texte : (liste de ses log-probabilités, liste de ses tokens) ; la somme est refaite sans arrondi intermédiaire
    en_cours = [([], [])]
    termines = []
    for n in range(1, max_new + 1):
        suites = []
        for rang, (logs, ids) in enumerate(en_cours):
            for v, x in enumerate(log_loi[ids[-1] if ids else prompt[-1]]):
                if x > -math.inf:
                    suites.append((-math.fsum([*logs, x]), rang, v))
        suites.sort()
        prolonges = [
            (-oppose, [*en_cours[rang][0], log_loi[(en_cours[rang][1] or prompt)[-1]][v]], [*en_cours[rang][1], v])
            for oppose, rang, v in suites
        ]
        for place, (log_p, _, ids) in enumerate(prolonges[:n_beams]):
            if n == max_new or ids[-1] == end_id:
                score = log_p / math.pow(n, length_penalty)
                termines.append((-score, n, place, ids))
        en_cours = [(logs, ids) for _, logs, ids in prolonges if ids[-1] != end_id][:n_beams]
    termines.sort()
    return [(ids, -oppose) for oppose, _, _, ids in termines[:n_beams]]


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
    etat = start(weights)
    for token in prompt[:-1]:
        etat, _ = step(weights, etat, token)
    texte = [prompt[-1]]
    while len(texte) <= max_new:
        etat, logits = step(weights, etat, texte[-1])
        texte.append(greedy(logits))
    return texte[1:]
