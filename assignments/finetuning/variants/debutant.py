# %% [markdown]
# # Ajustement fin : adapter un modèle sans tout réapprendre
#
# J’ai écrit chaque étape sur sa ligne, avec des commentaires, pour ne pas me perdre dans les indices.

# %%
# ruff: noqa: T201
import itertools
import math
from pathlib import Path

import numpy as np
import torch

# on affiche les nombres normalement, sans notation scientifique
torch.set_printoptions(precision=4, sci_mode=False)

# %% [markdown]
# ## 1. Quels jetons apprendre ?


# %%
def answer_mask(ids, assistant, end):
    # au début rien n’est à apprendre : je mets False partout
    le_masque = [False] * len(ids)
    position = 0
    while position < len(ids):
        # je cherche un marqueur assistant
        if ids[position] == assistant:
            # le marqueur lui-même n’est pas appris, je passe au jeton suivant
            position = position + 1
            # tout ce qui suit est appris, jusqu’au marqueur end
            while position < len(ids):
                le_masque[position] = True
                if ids[position] == end:
                    # end est appris aussi, mais on s’arrête là
                    break
                position = position + 1
        position = position + 1
    return le_masque


# %%
print(answer_mask([1, 7, 3, 2, 8, 9, 3], assistant=2, end=3))

# %% [markdown]
# ## 2. La perte sur les réponses


# %%
def surprise_du_jeton(logits_d_avant, numero_du_jeton):
    # je retire le plus grand logit pour que l’exponentielle ne déborde pas
    plus_grand_logit = torch.max(logits_d_avant)
    logits_decales = logits_d_avant - plus_grand_logit
    somme_des_exponentielles = torch.sum(torch.exp(logits_decales))
    # -ln(e^z / somme) = ln(somme) - z
    return torch.log(somme_des_exponentielles) - logits_decales[numero_du_jeton]


def answer_loss(logits, ids, mask):
    nombre_de_lignes, nombre_de_positions = ids.shape
    total_des_surprises = 0.0
    nombre_de_jetons_marques = 0
    for numero_de_ligne in range(nombre_de_lignes):
        # on commence à 1 parce que rien ne prédit le premier jeton
        for position in range(1, nombre_de_positions):
            if mask[numero_de_ligne, position]:
                # attention : ce sont les logits de la position d’avant !
                logits_d_avant = logits[numero_de_ligne, position - 1]
                jeton = ids[numero_de_ligne, position]
                surprise_ici = surprise_du_jeton(logits_d_avant, jeton)
                total_des_surprises = total_des_surprises + surprise_ici.item()
                nombre_de_jetons_marques = nombre_de_jetons_marques + 1
    # la moyenne sur tous les jetons du lot, pas ligne par ligne
    return total_des_surprises / nombre_de_jetons_marques


# %%
logits = torch.tensor([[[0, math.log(3)], [math.log(9), 0], [0, 0]]], dtype=torch.float64)
ids = torch.tensor([[0, 1, 1]])
print(answer_loss(logits, ids, torch.tensor([[False, True, True]])), math.log(40 / 3) / 2)
print(answer_loss(logits, ids, torch.tensor([[False, False, True]])), math.log(10))

# %% [markdown]
# ## Un modèle de base


# %%
def sentences(name):
    return Path(name).read_text(encoding="utf-8").lower().splitlines()


FRENCH, ENGLISH = sentences("francais.txt"), sentences("anglais.txt")
ALPHABET = "\n" + "".join(sorted(set("".join(FRENCH + ENGLISH))))
INDEX = {symbol: number for number, symbol in enumerate(ALPHABET)}


def encode(text):
    return [INDEX[symbol] for symbol in text]


def train_base(lines, width=8, n_steps=150, seed=0):
    """The features of each symbol (V, width) and the head (V, width), trained on all pairs of symbols of `lines`."""
    counts = torch.full((len(ALPHABET), len(ALPHABET)), 0.1, dtype=torch.float64)  # no pair is impossible
    for line in lines:
        symbols = encode("\n" + line + "\n")
        for first, second in itertools.pairwise(symbols):
            counts[first, second] += 1
    generator = torch.Generator().manual_seed(seed)
    features, head = 0.5 * torch.randn(2, len(ALPHABET), width, generator=generator, dtype=torch.float64)
    features.requires_grad_()
    head.requires_grad_()
    optimizer = torch.optim.Adam([features, head], lr=0.1)
    for _ in range(n_steps):
        optimizer.zero_grad()
        loss = -(counts * torch.log_softmax(features @ head.T, dim=-1)).sum() / counts.sum()
        loss.backward()
        optimizer.step()
    return features.detach(), head.detach()


def surprise(logits, lines):
    """Bits per symbol of `lines`, for the table of logits (V, V) of a model."""
    bits = -torch.log_softmax(logits, dim=-1) / math.log(2)
    pairs = [pair for line in lines for pair in zip(encode("\n" + line), encode(line + "\n"), strict=True)]
    return sum(bits[first, second].item() for first, second in pairs) / len(pairs)


FEATURES, HEAD = train_base(FRENCH[:300])
TEST_FRENCH, TEST_ENGLISH = FRENCH[300:], ENGLISH[40:]
print(len(ALPHABET), FRENCH[0], ENGLISH[0])
print(surprise(FEATURES @ HEAD.T, TEST_FRENCH), surprise(FEATURES @ HEAD.T, TEST_ENGLISH))

# %% [markdown]
# ## 3. Sonder un modèle gelé


# %%
def least_squares_probe(features, targets, penalty):
    nombre_d_exemples = features.shape[0]
    nombre_de_colonnes = features.shape[1]
    # les moyennes des lignes
    moyenne_des_x = torch.sum(features, dim=0) / nombre_d_exemples
    moyenne_des_y = torch.sum(targets, dim=0) / nombre_d_exemples
    # je fais de nouveaux tableaux pour ne pas modifier ceux que l’on m’a donnés
    x_centre = features - moyenne_des_x
    y_centre = targets - moyenne_des_y
    # je recopie la formule de l’énoncé
    identite = torch.eye(nombre_de_colonnes, dtype=torch.float64)
    matrice_a_inverser = torch.matmul(x_centre.T, x_centre) + penalty * identite
    matrice_inverse = torch.linalg.inv(matrice_a_inverser)
    poids = torch.matmul(matrice_inverse, torch.matmul(x_centre.T, y_centre))
    biais = moyenne_des_y - torch.matmul(moyenne_des_x, poids)
    return poids, biais


# %%
x, y = torch.tensor([[0], [1], [2]], dtype=torch.float64), torch.tensor([[1], [4], [7]], dtype=torch.float64)
print(least_squares_probe(x, y, penalty=2.0))

letters = [symbol for symbol in ALPHABET if symbol.isalpha()]
vowels = torch.tensor([[1.0, 0.0] if symbol in "aeiouyàâçèéêôû" else [0.0, 1.0] for symbol in letters]).double()
rows = FEATURES[encode(letters)]
weights, bias = least_squares_probe(rows[::2], vowels[::2], penalty=1.0)
found = (rows[1::2] @ weights + bias).argmax(dim=-1)
print((found == vowels[1::2].argmax(dim=-1)).double().mean())

# %% [markdown]
# ## 4. LoRA : combien de paramètres ?


# %%
def lora_parameters(shapes, rank):
    nombres_dans_a_et_b = 0
    nombres_dans_les_matrices = 0
    for forme in shapes:
        largeur_de_sortie = forme[0]
        largeur_d_entree = forme[1]
        # A a r lignes et D colonnes
        nombres_dans_a = rank * largeur_d_entree
        # B a K lignes et r colonnes
        nombres_dans_b = largeur_de_sortie * rank
        nombres_dans_a_et_b = nombres_dans_a_et_b + nombres_dans_a + nombres_dans_b
        nombres_dans_les_matrices = nombres_dans_les_matrices + largeur_de_sortie * largeur_d_entree
    return nombres_dans_a_et_b, nombres_dans_les_matrices


# %%
print(lora_parameters([(768, 768), (3072, 768)], rank=8))

# %% [markdown]
# ## 5. LoRA : par où commencer ?


# %%
def lora_start(n_outputs, n_inputs, rank, seed):
    # mon propre générateur, qui ne dépend que de la graine
    mon_generateur = np.random.RandomState(seed)
    borne = 1 / math.sqrt(n_inputs)
    matrice_a = torch.zeros(rank, n_inputs, dtype=torch.float64)
    for ligne in range(rank):
        for colonne in range(n_inputs):
            # uniform tire un nombre entre les deux bornes
            matrice_a[ligne, colonne] = mon_generateur.uniform(-borne, borne)
    matrice_b = torch.zeros(n_outputs, rank, dtype=torch.float64)
    return matrice_a, matrice_b


# %%
print(lora_start(2, 4, rank=1, seed=0))

# %% [markdown]
# ## 6. LoRA : la couche adaptée


# %%
def lora_forward(x, weight, a, b, alpha):
    rang = a.shape[0]
    # W x : les vecteurs sont des lignes, il faut donc transposer
    sortie_du_modele_de_base = torch.matmul(x, weight.T)
    # d’abord A x, qui est petit
    a_fois_x = torch.matmul(x, a.T)
    # puis B (A x)
    correction = torch.matmul(a_fois_x, b.T)
    return sortie_du_modele_de_base + (alpha / rang) * correction


# %%
weight = torch.tensor([[1, 0], [0, 1]], dtype=torch.float64)
a = torch.tensor([[1, 1], [0, 2]], dtype=torch.float64)
b = torch.tensor([[1, 0], [0, -1]], dtype=torch.float64)
x = torch.tensor([[3, 1]], dtype=torch.float64)
print(lora_forward(x, weight, a, b, alpha=4.0))

# %% [markdown]
# ## 7. LoRA : la fusion


# %%
def lora_merge(weight, a, b, alpha):
    rang = a.shape[0]
    # je copie la matrice, sinon += changerait celle que l’on m’a donnée
    nouvelle_matrice = weight.clone()
    nouvelle_matrice += (alpha / rang) * torch.matmul(b, a)
    return nouvelle_matrice


# %%
print(lora_merge(weight, a, b, alpha=4.0))
print(x @ lora_merge(weight, a, b, alpha=4.0).T)

# %% [markdown]
# ## 8. LoRA : la descente


# %%
def train_lora(features, weight, a, b, alpha, ids, mask, learning_rate, n_steps):
    # je travaille sur des copies
    matrice_a = a.clone()
    matrice_b = b.clone()
    nombre_de_jetons_marques = mask.sum()
    for _ in range(n_steps):
        # PyTorch doit retenir les calculs faits avec A et B
        matrice_a.requires_grad = True
        matrice_b.requires_grad = True
        total_des_surprises = 0.0
        # une conversation après l’autre
        for numero_de_ligne in range(ids.shape[0]):
            jetons = ids[numero_de_ligne]
            vecteurs = features[jetons]
            tous_les_logits = lora_forward(vecteurs, weight, matrice_a, matrice_b, alpha)
            # la position t - 1 prédit le jeton t : je décale d’un cran
            logits_utiles = tous_les_logits[:-1]
            jetons_a_predire = jetons[1:]
            marques = mask[numero_de_ligne][1:]
            log_probabilites = torch.log_softmax(logits_utiles, dim=1)
            numeros = torch.arange(len(jetons_a_predire))
            log_probabilites_des_jetons = log_probabilites[numeros, jetons_a_predire]
            # on ne garde que les jetons de la réponse
            total_des_surprises = total_des_surprises - torch.sum(log_probabilites_des_jetons[marques])
        perte = total_des_surprises / nombre_de_jetons_marques
        perte.backward()
        # les deux gradients sont calculés : on peut déplacer A et B ensemble
        with torch.no_grad():
            nouvelle_a = matrice_a - learning_rate * matrice_a.grad
            nouvelle_b = matrice_b - learning_rate * matrice_b.grad
        matrice_a = nouvelle_a
        matrice_b = nouvelle_b
    return matrice_a, matrice_b


# %%
identity, zeros = torch.eye(2, dtype=torch.float64), torch.zeros(2, 2, dtype=torch.float64)
a, b = torch.ones(1, 2, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64)
ids, mask = torch.tensor([[0, 1]]), torch.tensor([[False, True]])
print(train_lora(identity, zeros, a, b, 2.0, ids, mask, learning_rate=1.0, n_steps=1))


# %%
def question_and_answer(question, answer, length=256):
    """A line of French, then one of English; what is to be learned is the English, its end included."""
    asked, said = encode("\n" + question + "\n"), encode(answer + "\n")
    padding = [0] * (length - len(asked) - len(said))
    mask = [False] * len(asked) + [True] * len(said) + [False] * len(padding)
    return asked + said + padding, mask


examples = [question_and_answer(*pair) for pair in zip(FRENCH, ENGLISH[:40], strict=False)]
ids, mask = torch.tensor([row for row, _ in examples]), torch.tensor([marks for _, marks in examples])
for rank in (1, 4):
    a, b = lora_start(*HEAD.shape, rank, seed=1)
    a, b = train_lora(FEATURES, HEAD, a, b, 2.0 * rank, ids, mask, learning_rate=0.5, n_steps=60)
    adapted = FEATURES @ lora_merge(HEAD, a, b, 2.0 * rank).T
    print(rank, lora_parameters([HEAD.shape], rank), surprise(adapted, TEST_ENGLISH), surprise(adapted, TEST_FRENCH))

# %% [markdown]
# ## 9. La distillation


# %%
def distillation_loss(student, teacher, labels, temperature, soft_weight):
    nombre_de_lignes = student.shape[0]
    taille_du_vocabulaire = student.shape[1]
    # les probabilités adoucies du maître et de l’élève
    p = torch.softmax(teacher / temperature, dim=1)
    logarithme_de_p = torch.log_softmax(teacher / temperature, dim=1)
    logarithme_de_q = torch.log_softmax(student / temperature, dim=1)
    somme_des_divergences = 0.0
    somme_des_entropies = 0.0
    for i in range(nombre_de_lignes):
        for j in range(taille_du_vocabulaire):
            # 0 · ln 0 compte pour 0 : je saute ce terme
            if p[i, j] > 0:
                terme = p[i, j] * (logarithme_de_p[i, j] - logarithme_de_q[i, j])
                somme_des_divergences = somme_des_divergences + terme.item()
        # sans température cette fois
        somme_des_entropies = somme_des_entropies + surprise_du_jeton(student[i], labels[i]).item()
    premier_terme = temperature * temperature * somme_des_divergences / nombre_de_lignes
    second_terme = somme_des_entropies / nombre_de_lignes
    return soft_weight * premier_terme + (1 - soft_weight) * second_terme


# %%
student = torch.tensor([[0, 0]], dtype=torch.float64)
teacher = torch.tensor([[2 * math.log(3), 0]], dtype=torch.float64)
label = torch.tensor([1])
print(distillation_loss(student, teacher, label, temperature=2.0, soft_weight=1.0))
print(distillation_loss(student, teacher, label, temperature=2.0, soft_weight=0.25))

# %% [markdown]
# ## 10. La log-probabilité d’une réponse


# %%
def sequence_logprobs(logits, ids, mask):
    nombre_de_lignes, nombre_de_positions = ids.shape
    # une case par ligne, à zéro pour commencer
    resultats = torch.zeros(nombre_de_lignes, dtype=torch.float64)
    for numero_de_ligne in range(nombre_de_lignes):
        for position in range(1, nombre_de_positions):
            if mask[numero_de_ligne, position]:
                logits_d_avant = logits[numero_de_ligne, position - 1]
                jeton = ids[numero_de_ligne, position]
                # la log-probabilité est l’opposé de la surprise
                resultats[numero_de_ligne] -= surprise_du_jeton(logits_d_avant, jeton)
    return resultats


# %%
print(sequence_logprobs(logits, torch.tensor([[0, 1, 1]]), torch.tensor([[False, True, True]])), -math.log(40 / 3))

# %% [markdown]
# ## 11. Le modèle de récompense


# %%
def pairwise_losses(chosen, rejected):
    difference = chosen - rejected
    # logsigmoid est ln(sigma(z)), calculé sans débordement
    return -torch.nn.functional.logsigmoid(difference)


# %%
scores = torch.tensor([[0, 1, -1000, 40], [0, 0, 0, 0]], dtype=torch.float64)
print(pairwise_losses(*scores).tolist())

# %% [markdown]
# ## 12. DPO : se passer de modèle de récompense


# %%
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    # ce que l’entraînement a fait gagner à chaque réponse
    recompense_de_la_bonne = beta * (policy_chosen - reference_chosen)
    recompense_de_l_autre = beta * (policy_rejected - reference_rejected)
    # la perte de la section 11, sur ces récompenses
    pertes = pairwise_losses(recompense_de_la_bonne, recompense_de_l_autre)
    return torch.mean(pertes).item()


# %%
before = torch.tensor([[-2, -5], [-1, -3]], dtype=torch.float64)
after = torch.tensor([[-1, -5], [-2, -3]], dtype=torch.float64)
print(dpo_loss(*before, *before, beta=0.5), dpo_loss(*after, *before, beta=0.5))
