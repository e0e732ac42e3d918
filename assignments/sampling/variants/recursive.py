# %% [markdown]
# # Générer : des logits au texte
#
# Diviser pour régner : chaque fonction coupe son problème en deux moitiés, et se rappelle elle-même.

# %%
import math
import random

import numpy as np


# %%
def moities(suite):
    milieu = len(suite) // 2
    return suite[:milieu], suite[milieu:]


def somme(valeurs):
    if len(valeurs) == 0:
        return 0.0
    if len(valeurs) == 1:
        return valeurs[0]
    gauche, droite = moities(valeurs)
    return somme(gauche) + somme(droite)


def fusion(gauche, droite, cle):
    resultat, i, j = [], 0, 0
    while i < len(gauche) and j < len(droite):
        if cle(gauche[i]) >= cle(droite[j]):
            resultat.append(gauche[i])
            i += 1
        else:
            resultat.append(droite[j])
            j += 1
    return resultat + gauche[i:] + droite[j:]


def tri(suite, cle):
    """Tri fusion, décroissant et stable."""
    if len(suite) < 2:
        return suite
    gauche, droite = moities(suite)
    return fusion(tri(gauche, cle), tri(droite, cle), cle)


# %%
def meilleur(logits, debut, fin):
    if fin - debut == 1:
        return debut
    milieu = (debut + fin) // 2
    a, b = meilleur(logits, debut, milieu), meilleur(logits, milieu, fin)
    return a if logits[a] >= logits[b] else b


def greedy(logits):
    return meilleur(logits, 0, len(logits))


# %%
def token_probabilities(logits, temperature=1.0):
    choisi = greedy(logits)
    if temperature == 0:
        return np.array([float(v == choisi) for v in range(len(logits))])
    poids = [math.exp(float(logit - logits[choisi]) / temperature) for logit in logits]
    total = somme(poids)
    return np.array([w / total for w in poids])


# %%
def renormaliser(probabilities, gardes):
    reste = [float(x) if v in gardes else 0.0 for v, x in enumerate(probabilities)]
    total = somme(reste)
    return np.array([x / total for x in reste])


def classer(probabilities):
    return tri(list(range(len(probabilities))), lambda v: probabilities[v])


def top_k(probabilities, k):
    return renormaliser(probabilities, set(classer(probabilities)[:k]))


# %%
def noyau(masses, p):
    """Le plus petit nombre de masses, depuis la première, dont la somme est >= p (toutes, s'il n'y en a pas)."""
    if len(masses) == 1:
        return 1
    gauche, droite = moities(masses)
    masse_gauche = somme(gauche)
    if masse_gauche >= p:
        return noyau(gauche, p)
    return len(gauche) + noyau(droite, p - masse_gauche)


def top_p(probabilities, p):
    ordre = classer(probabilities)
    n = len(ordre) if p == 1 else noyau([float(probabilities[v]) for v in ordre], p)
    return renormaliser(probabilities, set(ordre[:n]))


# %%
def repetition_penalty(logits, ids, penalty):
    reste = np.array(logits, dtype=np.float64)

    def penaliser(tokens):
        if len(tokens) == 1:
            v = tokens[0]
            reste[v] = reste[v] / penalty if reste[v] > 0 else reste[v] * penalty
        elif tokens:
            for moitie in moities(tokens):
                penaliser(moitie)

    penaliser(list(set(ids)))
    return reste


# %%
def next_distribution(logits, ids, temperature=1.0, k=None, p=1.0, penalty=1.0):
    if penalty != 1.0:
        return next_distribution(repetition_penalty(logits, ids, penalty), ids, temperature, k, p)
    loi = token_probabilities(logits, temperature)
    return top_p(loi if k is None else top_k(loi, k), p)


# %%
def draw(probabilities, u):
    """Descente dans l'arbre des moitiés : à gauche si u y tombe, sinon à droite avec ce qui reste de u."""

    def descendre(debut, fin, u):
        if fin - debut == 1:
            return debut
        milieu = (debut + fin) // 2
        masse_gauche = somme(probabilities[debut:milieu])
        if u < masse_gauche or not np.any(probabilities[milieu:fin]):
            return descendre(debut, milieu, u)
        return descendre(milieu, fin, u - masse_gauche)

    return descendre(0, len(probabilities), u)


# %%
def generate(table, prompt, max_new, settings, end_ids, seed):
    rng = random.Random(seed)  # noqa: S311

    def ecrire(texte, n):
        """Ajoute n tokens au texte, ou moins : vrai tant qu'aucun n'est un token de fin."""
        if n == 0:
            return True
        if n == 1:
            texte.append(draw(next_distribution(table[texte[-1]], texte, **settings), rng.random()))
            return texte[-1] not in end_ids
        return ecrire(texte, n // 2) and ecrire(texte, n - n // 2)

    texte = list(prompt)
    ecrire(texte, max_new)
    return texte[len(prompt) :]


# %%
def text_until_stop(pieces, stops):
    def contient(n):
        texte = "".join(pieces[:n])
        return any(stop in texte for stop in stops)

    def premier(sans, avec):
        """Les sans premiers morceaux ne contiennent rien, les avec premiers contiennent une chaîne d'arrêt."""
        if avec - sans == 1:
            return avec
        milieu = (sans + avec) // 2
        return premier(sans, milieu) if contient(milieu) else premier(milieu, avec)

    if not contient(len(pieces)):
        return "".join(pieces), len(pieces)
    n = premier(0, len(pieces))
    texte = "".join(pieces[:n])
    return texte[: min(texte.find(stop) for stop in stops if stop in texte)], n


# %%
def log_softmax(ligne):
    m = float(max(ligne))
    total = m + math.log(somme([math.exp(x - m) for x in ligne]))
    return [float(x) - total for x in ligne]


def beam_search(table, prompt, n_beams, max_new, end_id, length_penalty):
    log_loi = [log_softmax(ligne) for ligne in table]

    def pas(n, en_cours):
        """Les textes terminés au pas n et à ceux qui le suivent."""
        if n > max_new or not en_cours:
            return []
        suites = [
            (log_p + log_loi[(ids or prompt)[-1]][v], [*ids, v])
            for log_p, ids in en_cours
            for v in range(len(table))
            if log_loi[(ids or prompt)[-1]][v] != -math.inf
        ]
        classement = tri(suites, lambda suite: suite[0])
        finis = [
            (ids, log_p / n**length_penalty) for log_p, ids in classement[:n_beams] if ids[-1] == end_id or n == max_new
        ]
        return finis + pas(n + 1, [suite for suite in classement if suite[1][-1] != end_id][:n_beams])

    return tri(pas(1, [(0.0, [])]), lambda fini: fini[1])[:n_beams]


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
    def lire(etat, tokens):
        if len(tokens) == 1:
            return step(weights, etat, tokens[0])
        gauche, droite = moities(tokens)
        return lire(lire(etat, gauche)[0], droite)

    def ecrire(etat, logits, n):
        if n == 0:
            return [], etat, logits
        if n == 1:
            token = greedy(logits)
            return [token], *step(weights, etat, token)
        debut, etat, logits = ecrire(etat, logits, n // 2)
        suite, etat, logits = ecrire(etat, logits, n - n // 2)
        return debut + suite, etat, logits

    return ecrire(*lire(start(weights), list(prompt)), max_new)[0]
