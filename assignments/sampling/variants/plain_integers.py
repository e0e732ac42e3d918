# %% [markdown]
# # Générer : des logits au texte
#
# Du Python sans bibliothèque : des listes, et pour le faisceau des entiers exacts.
# NumPy ne sert qu'à rendre la réponse.

# %%
import math
from bisect import insort

import numpy as np


# %%
def greedy(logits):
    return sorted(range(len(logits)), key=lambda v: (-logits[v], v))[0]


# %%
def softmax(logits, temperature=1.0):
    choisi = greedy(logits)
    if temperature == 0:
        return [1.0 if v == choisi else 0.0 for v in range(len(logits))]
    poids = []
    for logit in logits:
        x = (float(logit) - float(logits[choisi])) / temperature
        poids.append(0.0 if x < -745 else math.exp(x))
    total = sum(poids)
    return [w / total for w in poids]


def token_probabilities(logits, temperature=1.0):
    return np.array(softmax(logits, temperature))


# %%
def diviser(gardes, taille):
    """Les couples (-probabilité, token) gardés deviennent une loi."""
    loi = [0.0] * taille
    total = -sum(oppose for oppose, _ in gardes)
    for oppose, v in gardes:
        loi[v] = -oppose / total
    return np.array(loi)


def top_k(probabilities, k):
    # les k meilleurs de ceux que j'ai lus, toujours en ordre
    meilleurs = []
    for v, x in enumerate(probabilities):
        insort(meilleurs, (-float(x), v))
        if len(meilleurs) > k:
            meilleurs.pop()
    return diviser(meilleurs, len(probabilities))


# %%
def top_p(probabilities, p):
    a_prendre = sorted(((-float(x), v) for v, x in enumerate(probabilities)), reverse=True)
    pris, masse = [], 0.0
    while a_prendre:
        pris.append(a_prendre.pop())
        masse -= pris[-1][0]
        if masse >= p and p != 1:
            break
    return diviser(pris, len(probabilities))


# %%
def repetition_penalty(logits, ids, penalty):
    nouveaux = [float(x) for x in logits]
    for v in set(ids):
        nouveaux[v] = nouveaux[v] / penalty if nouveaux[v] > 0 else nouveaux[v] * penalty
    return np.array(nouveaux)


# %%
def next_distribution(logits, ids, temperature=1.0, k=None, p=1.0, penalty=1.0):
    loi = softmax(repetition_penalty(logits, ids, penalty), temperature)
    if k is not None:
        loi = top_k(loi, k)
    return top_p(loi, p)


# %%
def draw(probabilities, u):
    # u est une distance à parcourir : chaque token en mange sa part
    dernier = None
    for v, x in enumerate(probabilities):
        if x > 0:
            u -= x
            dernier = v
            if u < 0:
                break
    return dernier


# %%
class SplitMix:
    """Un petit générateur de nombres : un compteur de 64 bits, bien mélangé."""

    LIMITE = 2**64

    def __init__(self, seed):
        self.compteur = self.melange(seed + 1)

    def melange(self, z):
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % self.LIMITE
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % self.LIMITE
        return z ^ (z >> 31)

    def random(self):
        self.compteur = (self.compteur + 0x9E3779B97F4A7C15) % self.LIMITE
        return (self.melange(self.compteur) >> 11) / 2**53


def generate(table, prompt, max_new, settings, end_ids, seed):
    generateur = SplitMix(seed)
    texte = list(prompt)
    for _ in range(max_new):
        loi = next_distribution(table[texte[-1]], texte, **settings)
        texte.append(draw(loi, generateur.random()))
        if texte[-1] in end_ids:
            break
    return texte[len(prompt) :]


# %%
def text_until_stop(pieces, stops):
    lettres = []
    # les chaînes d'arrêt commencées : (place du début, chaîne, lettres déjà reconnues)
    commencees = []
    for n, morceau in enumerate(pieces, start=1):
        coupures = []
        for lettre in morceau:
            commencees += [(len(lettres), stop, 0) for stop in stops]
            commencees = [(debut, stop, i + 1) for debut, stop, i in commencees if stop[i] == lettre]
            coupures += [debut for debut, stop, i in commencees if i == len(stop)]
            commencees = [suivie for suivie in commencees if suivie[2] < len(suivie[1])]
            lettres.append(lettre)
        if coupures:
            return "".join(lettres[: min(coupures)]), n
    return "".join(lettres), len(pieces)


# %%
UNITE = 1074  # tout float positif est un multiple entier de 2 ** -1074


def en_entier(x):
    haut, bas = float(x).as_integer_ratio()
    return haut * (2**UNITE // bas)


def logarithme(produit, n):
    """log(produit / 2 ** (UNITE * n)), même quand ce quotient est trop petit pour un float."""
    quotient = produit / 2 ** (UNITE * n)
    if quotient > 1e-300:
        return math.log(quotient)
    return math.log(produit) - UNITE * n * math.log(2)


def beam_search(table, prompt, n_beams, max_new, end_id, length_penalty):
    # les probabilités deviennent des entiers : leurs produits sont exacts, et leurs ex æquo aussi
    entiers = [[en_entier(x) for x in softmax(ligne)] for ligne in table]
    en_cours, termines = [(1, [])], []
    for n in range(1, max_new + 1):
        suites = []
        for rang, (produit, ids) in enumerate(en_cours):
            for v, facteur in enumerate(entiers[ids[-1] if ids else prompt[-1]]):
                if facteur > 0:
                    suites.append((-produit * facteur, rang, v))
        suites.sort()
        classement = [(-oppose, [*en_cours[rang][1], v]) for oppose, rang, v in suites]
        for produit, ids in classement[:n_beams]:
            if n == max_new or ids[-1] == end_id:
                termines.append((ids, logarithme(produit, n) / n**length_penalty))
        en_cours = [(produit, ids) for produit, ids in classement if ids[-1] != end_id][:n_beams]
    termines.sort(key=lambda fini: -fini[1])
    return termines[:n_beams]


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
def produit(vecteur, matrice):
    return [sum(x * ligne[j] for x, ligne in zip(vecteur, matrice, strict=True)) for j in range(len(matrice[0]))]


def generate_cached(weights, prompt, max_new):
    plongements, recurrence, sortie = (weights[nom].tolist() for nom in ("embedding", "recurrence", "output"))
    etat = [0.0] * len(recurrence)
    nouveaux = []
    for token in prompt:
        etat = [math.tanh(a + b) for a, b in zip(plongements[token], produit(etat, recurrence), strict=True)]
    while len(nouveaux) < max_new:
        nouveaux.append(greedy(produit(etat, sortie)))
        suite = produit(etat, recurrence)
        etat = [math.tanh(a + b) for a, b in zip(plongements[nouveaux[-1]], suite, strict=True)]
    return nouveaux
