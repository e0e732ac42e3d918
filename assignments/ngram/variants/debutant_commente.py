# %% [markdown]
# # Modèles de langue sur des prénoms
#
# Ma solution, avec des boucles et des commentaires à chaque étape.

# %%
# ruff: noqa: B007, B905, PTH123, S311, T201
import math
import random

import numpy as np
import torch

ALPHABET = ".abcdefghijklmnopqrstuvwxyz-'àâçèéêëîïôü"
INDEX = {symbol: index for index, symbol in enumerate(ALPHABET)}
MAX_LENGTH = 30

with open("prenoms.txt", encoding="utf-8") as file:
    NAMES = file.read().split()

print(len(ALPHABET), len(NAMES), NAMES[:5])

# %% [markdown]
# ## 1. Compter les bigrammes


# %%
def bigram_counts(names):
    # Je commence avec un tableau rempli de zéros.
    tableau_des_comptes = np.zeros((40, 40), dtype=int)
    # Je regarde les prénoms un par un.
    for prenom in names:
        # J'ajoute un point avant et un point après.
        prenom_entoure = "." + prenom + "."
        # Je m'arrête un symbole avant la fin, car je regarde aussi le suivant.
        for position in range(len(prenom_entoure) - 1):
            ligne = INDEX[prenom_entoure[position]]
            colonne = INDEX[prenom_entoure[position + 1]]
            tableau_des_comptes[ligne, colonne] = tableau_des_comptes[ligne, colonne] + 1
    return tableau_des_comptes


# %%
counts = bigram_counts(["anna"])
print(counts.sum(), counts[INDEX["n"], INDEX["n"]], counts[INDEX["a"], INDEX["."]])

# %% [markdown]
# ## 2. Des comptes aux probabilités


# %%
def bigram_probabilities(counts, k):
    # V n'est pas toujours 40 : c'est le nombre de lignes.
    nombre_de_symboles = counts.shape[0]
    tableau_des_probabilites = np.zeros((nombre_de_symboles, nombre_de_symboles), dtype=np.float64)
    for ligne in range(nombre_de_symboles):
        # D'abord le dénominateur de cette ligne.
        total_de_la_ligne = 0
        for colonne in range(nombre_de_symboles):
            total_de_la_ligne = total_de_la_ligne + counts[ligne, colonne]
        denominateur = total_de_la_ligne + k * nombre_de_symboles
        # Ensuite chaque case de la ligne.
        for colonne in range(nombre_de_symboles):
            if denominateur == 0:
                # On n'a rien vu et on ne lisse pas : loi uniforme.
                tableau_des_probabilites[ligne, colonne] = 1 / nombre_de_symboles
            else:
                tableau_des_probabilites[ligne, colonne] = (counts[ligne, colonne] + k) / denominateur
    return tableau_des_probabilites


# %%
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 0))
print(bigram_probabilities(np.array([[3, 1], [0, 0]]), 1))

# %% [markdown]
# ## 3. Compter les trigrammes


# %%
def trigram_counts(names):
    dictionnaire_des_comptes = {}
    for prenom in names:
        # Deux points avant, un seul après.
        prenom_entoure = ".." + prenom + "."
        for position in range(len(prenom_entoure) - 2):
            trigramme = prenom_entoure[position : position + 3]
            # Si je ne l'ai jamais vu, je crée la clé.
            if trigramme not in dictionnaire_des_comptes:
                dictionnaire_des_comptes[trigramme] = 0
            dictionnaire_des_comptes[trigramme] = dictionnaire_des_comptes[trigramme] + 1
    return dictionnaire_des_comptes


# %%
print(trigram_counts(["léa"]))

# %% [markdown]
# ## 4. La probabilité d'un trigramme


# %%
def trigram_probability(counts, context, symbol, k):
    # Le total de la « ligne » : tous les symboles possibles après ce contexte.
    total_du_contexte = 0
    for symbole_possible in ALPHABET:
        trigramme = context + symbole_possible
        if trigramme in counts:
            total_du_contexte = total_du_contexte + counts[trigramme]
    denominateur = total_du_contexte + 40 * k
    if denominateur == 0:
        return 1 / 40
    # Le compte du trigramme demandé, 0 s'il n'est pas dans le dictionnaire.
    compte = 0
    if context + symbol in counts:
        compte = counts[context + symbol]
    return (compte + k) / denominateur


# %%
example = {"..l": 3, "..z": 1}
print(trigram_probability(example, "..", "l", 0), trigram_probability(example, "..", "l", 1))
print(trigram_probability(example, "qx", "l", 0))

# %%
for n in range(2, 6):
    kept, aside = [], []
    for place, name in enumerate(NAMES):
        wrapped = "." * (n - 1) + name + "."
        grams = [wrapped[start : start + n] for start in range(len(name) + 1)]
        (aside if place % 10 == 0 else kept).extend(grams)
    known = set(kept)
    share = sum(gram in known for gram in aside) / len(aside)
    print(f"n = {n}: {40**n:,} cells, {len(known):,} seen, {share:.0%} of the new ones among them")

# %% [markdown]
# ## 5. Suivre un prénom pas à pas


# %%
def transition_table(name, probabilities):
    liste_des_transitions = []
    symbole_courant = "."
    # Je parcours les lettres du prénom puis la frontière de la fin.
    for symbole_suivant in name + ".":
        probabilite = probabilities[INDEX[symbole_courant], INDEX[symbole_suivant]]
        liste_des_transitions.append((symbole_courant, symbole_suivant, float(probabilite)))
        symbole_courant = symbole_suivant
    return liste_des_transitions


# %%
model = bigram_probabilities(bigram_counts(NAMES), 0.1)
for first, second, probability in transition_table("léonie", model):
    print(first, second, round(probability, 3))

# %% [markdown]
# ## 6. Mesurer la surprise


# %%
def average_nll(names, probabilities):
    somme_des_surprises = 0.0
    nombre_de_transitions = 0
    for prenom in names:
        for _, _, probabilite in transition_table(prenom, probabilities):
            # Le logarithme de zéro n'existe pas : la surprise est infinie.
            if probabilite == 0:
                return float("inf")
            somme_des_surprises = somme_des_surprises - math.log(probabilite)
            nombre_de_transitions = nombre_de_transitions + 1
    return somme_des_surprises / nombre_de_transitions


# %%
def bits_per_byte(names, nll):
    transitions = sum(len(name) + 1 for name in names)
    size = sum(len((name + ".").encode("utf-8")) for name in names)
    return nll * transitions / (math.log(2) * size)


example = np.full((40, 40), 1 / 40)
print(average_nll(["al", ""], example), math.log(40))
print(bits_per_byte(["éa"], math.log(40)))
print(average_nll(NAMES, model), bits_per_byte(NAMES, average_nll(NAMES, model)))

# %% [markdown]
# ## 7. Inventer des prénoms


# %%
def sample_names(probabilities, n, seed):
    # Un seul générateur pour tout l'appel.
    generateur = random.Random(seed)
    prenoms_inventes = []
    for _ in range(n):
        prenom = ""
        indice_courant = 0
        while len(prenom) < MAX_LENGTH:
            # Je tire un nombre entre 0 et 1, puis j'avance dans la ligne
            # jusqu'à ce que la somme des probabilités le dépasse.
            nombre_tire = generateur.random()
            somme = 0.0
            indice_suivant = None
            for indice in range(40):
                probabilite = probabilities[indice_courant, indice]
                if probabilite > 0:
                    somme = somme + probabilite
                    # Je garde toujours le dernier symbole possible, pour le cas
                    # où la somme n'atteindrait pas tout à fait 1.
                    indice_suivant = indice
                    if somme > nombre_tire:
                        break
            if indice_suivant == 0:
                break
            prenom = prenom + ALPHABET[indice_suivant]
            indice_courant = indice_suivant
        prenoms_inventes.append(prenom)
    return prenoms_inventes


# %%
print(sample_names(model, 10, seed=1))

# %% [markdown]
# ## 8. Apprentissage, validation, test


# %%
def split_names(names, seed):
    # Je fais une copie, pour ne pas mélanger la liste que l'on me donne.
    prenoms_melanges = list(names)
    random.Random(seed).shuffle(prenoms_melanges)
    taille = len(prenoms_melanges) // 10
    validation = prenoms_melanges[:taille]
    test = prenoms_melanges[taille : 2 * taille]
    apprentissage = prenoms_melanges[2 * taille :]
    return apprentissage, validation, test


# %%
train, validation, test = split_names(NAMES, seed=1)
print(len(train), len(validation), len(test), validation[:5])
for k in (0.01, 0.1, 1):
    print(k, average_nll(validation, bigram_probabilities(bigram_counts(train), k)))

# %% [markdown]
# ## 9. Contextes et cibles


# %%
def context_windows(names, n):
    liste_des_contextes = []
    liste_des_cibles = []
    for prenom in names:
        # Au début, le contexte n'est fait que de frontières.
        contexte = [0] * n
        for symbole in prenom + ".":
            indice = INDEX[symbole]
            liste_des_contextes.append(contexte)
            liste_des_cibles.append(indice)
            # J'enlève le plus ancien et j'ajoute le nouveau à la fin.
            contexte = contexte[1:]
            contexte.append(indice)
    # reshape sert pour la liste vide, qui doit donner la forme (0, n).
    tableau_des_contextes = np.array(liste_des_contextes, dtype=int).reshape(len(liste_des_cibles), n)
    tableau_des_cibles = np.array(liste_des_cibles, dtype=int)
    return tableau_des_contextes, tableau_des_cibles


# %%
contexts, targets = context_windows(["léa"], 3)
for context, target in zip(contexts, targets):
    print("".join(ALPHABET[index] for index in context), "->", ALPHABET[target])

# %% [markdown]
# ## 10. Le plus petit réseau


# %%
def linear_loss(weights, symbols, targets):
    nombre_d_exemples = len(symbols)
    perte_totale = 0.0
    gradient = np.zeros(weights.shape)
    for exemple in range(nombre_d_exemples):
        symbole = symbols[exemple]
        cible = targets[exemple]
        # Les scores de tous les symboles suivants, moins le plus grand.
        scores = weights[symbole] - weights[symbole].max()
        exponentielles = np.exp(scores)
        somme = exponentielles.sum()
        # Astuce de l'énoncé : le logarithme de la somme moins le score.
        perte_totale = perte_totale + math.log(somme) - scores[cible]
        # Ce que le modèle prédit, moins ce qui est arrivé.
        gradient[symbole] = gradient[symbole] + exponentielles / somme
        gradient[symbole, cible] = gradient[symbole, cible] - 1
    return perte_totale / nombre_d_exemples, gradient / nombre_d_exemples


# %%
print(linear_loss(np.array([[0, math.log(3)], [0, 0]]), np.array([0]), np.array([1])))

contexts, targets = context_windows(train, 1)
weights = np.zeros((40, 40))
for step in range(100):
    loss, gradient = linear_loss(weights, contexts[:, 0], targets)
    weights -= 50 * gradient
print(loss, average_nll(train, bigram_probabilities(bigram_counts(train), 0)))

# %% [markdown]
# ## 11. Le perceptron


# %%
def mlp_logits(parameters, contexts):
    nombre_d_exemples = contexts.shape[0]
    longueur_du_contexte = contexts.shape[1]
    nombre_de_symboles = parameters["C"].shape[0]
    taille_du_plongement = parameters["C"].shape[1]
    tous_les_scores = np.zeros((nombre_d_exemples, nombre_de_symboles))
    for exemple in range(nombre_d_exemples):
        # Je mets bout à bout les plongements du contexte.
        entree = np.zeros(longueur_du_contexte * taille_du_plongement)
        for place in range(longueur_du_contexte):
            debut = place * taille_du_plongement
            plongement = parameters["C"][contexts[exemple, place]]
            entree[debut : debut + taille_du_plongement] = plongement
        # Couche cachée, puis scores.
        couche_cachee = np.tanh(parameters["d"] + parameters["H"] @ entree)
        tous_les_scores[exemple] = parameters["b"] + parameters["U"] @ couche_cachee
    return tous_les_scores


# %%
tiny = {"C": [[0], [1]], "H": [[1, -1]], "d": [0], "U": [[1], [2]], "b": [0, 1]}
tiny = {name: np.array(values, dtype=np.float64) for name, values in tiny.items()}
print(mlp_logits(tiny, np.array([[1, 0]])))

# %% [markdown]
# ## 12. L'entraînement
#
# Je suis la recette de l'énoncé.

# %%
N_STEPS, N_BATCH, LOOK_EVERY = 1000, 128, 50
cross_entropy = torch.nn.functional.cross_entropy


def learning_rate(step):
    return 1.0 if step < 700 else 0.1


def initial_parameters(generator, m=10, h=64):
    parameters = {
        "C": torch.randn(40, m, generator=generator, dtype=torch.float64),
        "H": torch.randn(h, 3 * m, generator=generator, dtype=torch.float64) / math.sqrt(3 * m),
        "d": torch.zeros(h, dtype=torch.float64),
        "U": torch.randn(40, h, generator=generator, dtype=torch.float64) / (10 * math.sqrt(h)),
        "b": torch.zeros(40, dtype=torch.float64),
    }
    return {name: array.requires_grad_() for name, array in parameters.items()}


# %%
def scores_du_reseau(parametres, contextes):
    # La même chose que mlp_logits, mais avec PyTorch et tous les exemples à la fois.
    plongements = parametres["C"][contextes]
    entree = plongements.reshape(contextes.shape[0], -1)
    couche_cachee = torch.tanh(parametres["d"] + entree @ parametres["H"].T)
    return parametres["b"] + couche_cachee @ parametres["U"].T


def train_mlp(train, validation, seed):
    generateur = torch.Generator()
    generateur.manual_seed(seed)
    parametres = initial_parameters(generateur)

    contextes, cibles = context_windows(train, 3)
    contextes = torch.tensor(contextes)
    cibles = torch.tensor(cibles)
    contextes_de_validation, cibles_de_validation = context_windows(validation, 3)
    contextes_de_validation = torch.tensor(contextes_de_validation)
    cibles_de_validation = torch.tensor(cibles_de_validation)

    meilleure_perte = float("inf")
    meilleurs_parametres = None
    for pas in range(N_STEPS + 1):
        # De temps en temps (et avant le premier pas), je regarde la validation.
        if pas % LOOK_EVERY == 0:
            with torch.no_grad():
                scores = scores_du_reseau(parametres, contextes_de_validation)
                perte_de_validation = cross_entropy(scores, cibles_de_validation).item()
            if perte_de_validation < meilleure_perte:
                meilleure_perte = perte_de_validation
                # Il faut copier, sinon les pas suivants changeraient aussi la sauvegarde.
                meilleurs_parametres = {}
                for nom in parametres:
                    meilleurs_parametres[nom] = parametres[nom].detach().clone().numpy()
        # Un mini-lot tiré avec remise.
        tirage = torch.randint(len(cibles), (N_BATCH,), generator=generateur)
        perte = cross_entropy(scores_du_reseau(parametres, contextes[tirage]), cibles[tirage])
        # J'efface les anciens gradients avant de calculer les nouveaux.
        for nom in parametres:
            parametres[nom].grad = None
        perte.backward()
        with torch.no_grad():
            for nom in parametres:
                parametres[nom] -= learning_rate(pas) * parametres[nom].grad
    return meilleurs_parametres


# %%
def mlp_nll(names, parameters):
    contexts, targets = context_windows(names, 3)
    scores = torch.as_tensor(mlp_logits(parameters, contexts))
    return cross_entropy(scores, torch.as_tensor(targets)).item()


parameters = train_mlp(train, validation, seed=1)
bigrams = bigram_probabilities(bigram_counts(train), 0.1)
print("validation:", average_nll(validation, bigrams), mlp_nll(validation, parameters))
nlls = average_nll(test, bigrams), mlp_nll(test, parameters)
print("test, in bits per byte:", *(bits_per_byte(test, nll) for nll in nlls))
