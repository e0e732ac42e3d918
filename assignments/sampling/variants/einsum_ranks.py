# %% [markdown]
# # Générer : des logits au texte
#
# Sans aucun tri : le rang d'un token est le nombre de tokens qui passent avant lui, et ce nombre se lit
# dans une matrice de comparaisons. Les sommes sont des produits de matrices.

# %%
import numpy as np


# %%
def passe_avant(valeurs):
    """Matrice booléenne : [u, v] est vrai si u passe avant v."""
    numeros = np.arange(len(valeurs))
    plus_grand = valeurs[:, None] > valeurs[None, :]
    ex_aequo = (valeurs[:, None] == valeurs[None, :]) & (numeros[:, None] < numeros[None, :])
    return plus_grand | ex_aequo


def rangs(valeurs):
    return np.einsum("uv->v", passe_avant(valeurs).astype(np.int64))


def greedy(logits):
    return int(np.flatnonzero(rangs(logits) == 0)[0])


# %%
def token_probabilities(logits, temperature=1.0):
    if temperature == 0:
        return (rangs(logits) == 0).astype(np.float64)
    with np.errstate(over="ignore"):
        poids = np.exp((logits - np.max(logits)) / temperature)
    return np.einsum("v,->v", poids, 1.0 / np.einsum("v->", poids))


# %%
def restreindre(probabilities, garde):
    reste = np.einsum("v,v->v", probabilities, garde.astype(np.float64))
    return reste / np.einsum("v->", reste)


def top_k(probabilities, k):
    return restreindre(probabilities, rangs(probabilities) < k)


# %%
def top_p(probabilities, p):
    # un token est gardé tant que la masse de ceux qui passent avant lui n'atteint pas p
    avant = np.einsum("u,uv->v", probabilities, passe_avant(probabilities).astype(np.float64))
    garde = (avant < p) | (rangs(probabilities) == 0)
    if p == 1:
        garde = np.ones(len(probabilities), dtype=bool)
    return restreindre(probabilities, garde)


# %%
def repetition_penalty(logits, ids, penalty):
    facteur = np.ones(len(logits))
    facteur[ids if len(ids) else []] = penalty
    facteur = np.where(logits > 0, 1.0 / facteur, facteur)
    return logits * facteur


# %%
def next_distribution(logits, ids, temperature=1.0, k=None, p=1.0, penalty=1.0):
    probabilites = token_probabilities(repetition_penalty(logits, list(ids), penalty), temperature)
    return top_p(top_k(probabilites, len(probabilites) if k is None else k), p)


# %%
def draw(probabilities, u):
    v = len(probabilities)
    triangle = np.triu(np.ones((v, v)))
    cumul = np.einsum("i,ij->j", probabilities, triangle)
    # le nombre de cumuls qui ne dépassent pas u est le numéro du token
    return int(min(np.sum(cumul <= u), np.max(np.nonzero(probabilities))))


# %%
def generate(table, prompt, max_new, settings, end_ids, seed):
    rng = np.random.default_rng(seed)
    texte = np.zeros(len(prompt) + max_new, dtype=int)
    texte[: len(prompt)] = prompt
    fin = len(prompt)
    while fin < len(texte):
        loi = next_distribution(table[texte[fin - 1]], texte[:fin].tolist(), **settings)
        texte[fin] = rng.choice(len(loi), p=loi)
        fin += 1
        if texte[fin - 1] in end_ids:
            break
    return texte[len(prompt) : fin].tolist()


# %%
def text_until_stop(pieces, stops):
    texte = "".join(pieces)
    longueurs = np.cumsum([0, *map(len, pieces)])
    # où finit la première apparition de chaque chaîne d'arrêt
    fins = [texte.index(stop) + len(stop) for stop in stops if stop in texte]
    if not fins:
        return texte, len(pieces)
    n = int(np.argmax(longueurs >= min(fins)))
    lu = texte[: longueurs[n]]
    return lu[: min(lu.index(stop) for stop in stops if stop in lu)], n


# %%
def beam_search(table, prompt, n_beams, max_new, end_id, length_penalty):
    # les textes sont des matrices un-parmi-V : (textes, pas, V)
    v = len(table)
    unite = np.eye(v)
    log_loi = np.stack([np.log(np.maximum(token_probabilities(ligne), 5e-324)) for ligne in table])
    possible = np.stack([token_probabilities(ligne) > 0 for ligne in table])
    textes = unite[[prompt[-1]]][:, None, :]
    log_p = np.zeros(1)
    termines = []
    for n in range(1, max_new + 1):
        derniers = textes[:, -1]
        suites = log_p[:, None] + np.einsum("ki,iv->kv", derniers, log_loi)
        parents, tokens = np.nonzero(np.einsum("ki,iv->kv", derniers, possible.astype(float)) > 0.5)
        if not len(parents):
            break
        valeurs = suites[parents, tokens]
        # parents puis tokens croissants : le rang départage les ex æquo comme il faut
        places = rangs(valeurs)
        classement = np.einsum("r,rp->p", np.arange(len(valeurs)), places[:, None] == np.arange(len(valeurs)))
        parents, tokens, valeurs = parents[classement], tokens[classement], valeurs[classement]
        prolonges = np.concatenate([textes[parents], unite[tokens][:, None, :]], axis=1)
        finit = np.array([token == end_id for token in tokens])
        for i in range(min(n_beams, len(tokens))):
            if finit[i] or n == max_new:
                ids = np.einsum("nv,v->n", prolonges[i, 1:], np.arange(v)).astype(int).tolist()
                termines.append((ids, float(valeurs[i] / n**length_penalty)))
        textes, log_p = prolonges[~finit][:n_beams], valeurs[~finit][:n_beams]
        if not len(log_p):
            break
    if not termines:
        return []
    places = rangs(np.array([score for _, score in termines]))
    return [termines[int(np.argmax(places == r))] for r in range(min(n_beams, len(termines)))]


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
    tokens = list(prompt)
    lus = 0
    while True:
        while lus < len(tokens):
            etat, logits = step(weights, etat, tokens[lus])
            lus += 1
        if len(tokens) - len(prompt) == max_new:
            return tokens[len(prompt) :]
        tokens.append(greedy(logits))
