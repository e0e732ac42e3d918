# %% [markdown]
# # Générer : des logits au texte
#
# J'ai tout écrit avec des boucles, pas à pas, pour être sûr de comprendre.

# %%
import math
import random

import numpy as np


# %%
def greedy(logits):
    # je suppose d'abord que le meilleur est le premier
    meilleur_token = 0
    for token in range(len(logits)):
        # « > » et non « >= » : en cas d'égalité le plus petit numéro reste
        if logits[token] > logits[meilleur_token]:
            meilleur_token = token
    return meilleur_token


# %%
def token_probabilities(logits, temperature=1.0):
    nombre_de_tokens = len(logits)
    gagnant = greedy(logits)
    # cas spécial : on ne divise pas par zéro
    if temperature == 0:
        reponse = np.zeros(nombre_de_tokens)
        reponse[gagnant] = 1.0
        return reponse
    # je retire le plus grand logit AVANT de diviser
    plus_grand_logit = float(logits[gagnant])
    liste_des_exponentielles = []
    for token in range(nombre_de_tokens):
        ecart = float(logits[token]) - plus_grand_logit
        liste_des_exponentielles.append(math.exp(ecart / temperature))
    # la somme
    somme = 0.0
    for valeur in liste_des_exponentielles:
        somme = somme + valeur
    # le quotient
    reponse = np.zeros(nombre_de_tokens)
    for token in range(nombre_de_tokens):
        reponse[token] = liste_des_exponentielles[token] / somme
    return reponse


# %%
def chercher_le_plus_probable(probabilites, deja_pris):
    # le token le plus probable parmi ceux qui ne sont pas encore pris
    plus_probable = -1
    for token in range(len(probabilites)):
        if deja_pris[token]:
            continue
        if plus_probable == -1 or probabilites[token] > probabilites[plus_probable]:
            plus_probable = token
    return plus_probable


def garder_et_diviser(probabilites, deja_pris):
    somme = 0.0
    for token in range(len(probabilites)):
        if deja_pris[token]:
            somme = somme + probabilites[token]
    reponse = np.zeros(len(probabilites))
    for token in range(len(probabilites)):
        if deja_pris[token]:
            reponse[token] = probabilites[token] / somme
    return reponse


def top_k(probabilities, k):
    probabilites = [float(valeur) for valeur in probabilities]
    deja_pris = [False] * len(probabilites)
    # je prends k fois le plus probable de ceux qui restent
    for _ in range(k):
        token = chercher_le_plus_probable(probabilites, deja_pris)
        deja_pris[token] = True
    return garder_et_diviser(probabilites, deja_pris)


# %%
def top_p(probabilities, p):
    probabilites = [float(valeur) for valeur in probabilities]
    nombre_de_tokens = len(probabilites)
    deja_pris = [False] * nombre_de_tokens
    if p == 1:
        # tous les tokens sont gardés
        for token in range(nombre_de_tokens):
            deja_pris[token] = True
        return garder_et_diviser(probabilites, deja_pris)
    masse = 0.0
    nombre_de_pris = 0
    while nombre_de_pris < nombre_de_tokens:
        token = chercher_le_plus_probable(probabilites, deja_pris)
        deja_pris[token] = True
        nombre_de_pris = nombre_de_pris + 1
        masse = masse + probabilites[token]
        if masse >= p:
            # le seuil est atteint : ce token-ci reste, on ne prend pas les suivants
            break
    return garder_et_diviser(probabilites, deja_pris)


# %%
def repetition_penalty(logits, ids, penalty):
    # une copie, pour ne pas abîmer les logits reçus
    nouveaux_logits = np.zeros(len(logits))
    for token in range(len(logits)):
        nouveaux_logits[token] = logits[token]
    tokens_deja_vus = []
    for token in ids:
        if token in tokens_deja_vus:
            continue  # une seule fois par token
        tokens_deja_vus.append(token)
        if nouveaux_logits[token] > 0:
            nouveaux_logits[token] = nouveaux_logits[token] / penalty
        else:
            nouveaux_logits[token] = nouveaux_logits[token] * penalty
    return nouveaux_logits


# %%
def next_distribution(logits, ids, temperature=1.0, k=None, p=1.0, penalty=1.0):
    # étape 1 : la pénalité
    logits_penalises = repetition_penalty(logits, ids, penalty)
    # étape 2 : la température
    probabilites = token_probabilities(logits_penalises, temperature)
    # étape 3 : top-k, si on le demande
    if k is not None:
        probabilites = top_k(probabilites, k)
    # étape 4 : top-p
    return top_p(probabilites, p)


# %%
def draw(probabilities, u):
    somme = 0.0
    dernier_possible = 0
    for token in range(len(probabilities)):
        somme = somme + probabilities[token]
        if somme > u:
            return token
        if probabilities[token] > 0:
            dernier_possible = token
    # l'arrondi n'a laissé aucun token
    return dernier_possible


# %%
def generate(table, prompt, max_new, settings, end_ids, seed):
    generateur = random.Random(seed)  # noqa: S311
    texte = []
    for token in prompt:
        texte.append(token)  # noqa: PERF402
    nouveaux = []
    while len(nouveaux) < max_new:
        ligne = table[texte[-1]]
        probabilites = next_distribution(ligne, texte, **settings)
        token = draw(probabilites, generateur.random())
        texte.append(token)
        nouveaux.append(token)
        if token in end_ids:
            break
    return nouveaux


# %%
def position_de(chaine, texte):
    # la première position où la chaîne commence dans le texte, -1 si elle n'y est pas
    for debut in range(len(texte) - len(chaine) + 1):
        if texte[debut : debut + len(chaine)] == chaine:
            return debut
    return -1


def text_until_stop(pieces, stops):
    texte = ""
    nombre_lu = 0
    for morceau in pieces:
        texte = texte + morceau
        nombre_lu = nombre_lu + 1
        coupure = -1
        for chaine in stops:
            position = position_de(chaine, texte)
            if position != -1 and (coupure == -1 or position < coupure):
                coupure = position
        if coupure != -1:
            return texte[:coupure], nombre_lu
    return texte, nombre_lu


# %%
def logarithmes_de_la_ligne(ligne):
    # log du softmax : logit - maximum - log(somme des exponentielles)
    maximum = max(ligne)
    somme = 0.0
    for logit in ligne:
        somme = somme + math.exp(logit - maximum)
    return [float(logit - maximum - math.log(somme)) for logit in ligne]


def inserer_dans_le_classement(classement, element):
    # le classement est décroissant ; à égalité, le nouveau passe APRÈS les anciens
    place = len(classement)
    while place > 0 and classement[place - 1][0] < element[0]:
        place = place - 1
    classement.insert(place, element)


def beam_search(table, prompt, n_beams, max_new, end_id, length_penalty):
    en_cours = [(0.0, [])]
    termines = []
    for pas in range(1, max_new + 1):
        # 1. tous les prolongements, classés
        prolongements = []
        for log_p, tokens in en_cours:
            dernier = tokens[-1] if len(tokens) > 0 else prompt[-1]
            logarithmes = logarithmes_de_la_ligne(table[dernier])
            for token in range(len(logarithmes)):
                if logarithmes[token] == -math.inf:
                    continue  # probabilité nulle
                inserer_dans_le_classement(prolongements, (log_p + logarithmes[token], [*tokens, token]))
        # 2. ceux qui sont terminés, parmi les K premiers
        for log_p, tokens in prolongements[:n_beams]:
            if tokens[-1] == end_id or pas == max_new:
                score = log_p / len(tokens) ** length_penalty
                inserer_dans_le_classement(termines, (score, tokens))
        # 3. les K premiers qui continuent
        en_cours = []
        for log_p, tokens in prolongements:
            if tokens[-1] != end_id and len(en_cours) < n_beams:
                en_cours.append((log_p, tokens))
    reponse = []
    for score, tokens in termines[:n_beams]:
        reponse.append((tokens, score))
    return reponse


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
    # d'abord lire l'amorce, une seule fois
    for token in prompt:
        etat, logits = step(weights, etat, token)
    nouveaux = []
    for _ in range(max_new):
        token = greedy(logits)
        nouveaux.append(token)
        # puis seulement le token que l'on vient d'écrire
        etat, logits = step(weights, etat, token)
    return nouveaux
