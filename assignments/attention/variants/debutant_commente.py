# %% [markdown]
# # Attention : du produit scalaire aux tuiles
#
# J'écris tout avec des boucles et je commente chaque étape, pour pouvoir me relire.

# %%
import math

import torch

inf = math.inf


# %%
def softmax_d_une_ligne(ligne):
    # ligne : un tenseur à une dimension
    nombre_de_scores = len(ligne)
    poids = torch.zeros(nombre_de_scores, dtype=torch.float64)

    # étape 1 : je cherche le plus grand score
    plus_grand = -inf
    for numero in range(nombre_de_scores):
        if ligne[numero] > plus_grand:
            plus_grand = float(ligne[numero])

    # si je n'ai rien trouvé, la ligne ne contient que des -inf : on laisse les zéros
    if plus_grand == -inf:
        return poids

    # étape 2 : les exponentielles, toutes entre 0 et 1
    somme = 0.0
    for numero in range(nombre_de_scores):
        exponentielle = math.exp(float(ligne[numero]) - plus_grand)
        poids[numero] = exponentielle
        somme = somme + exponentielle

    # étape 3 : je divise par la somme
    for numero in range(nombre_de_scores):
        poids[numero] = poids[numero] / somme
    return poids


def softmax(scores):
    # je mets toutes les dimensions de devant en une seule
    taille_de_la_ligne = scores.shape[-1]
    lignes = scores.reshape(-1, taille_de_la_ligne)
    resultat = torch.zeros(lignes.shape, dtype=torch.float64)
    for numero in range(len(lignes)):
        resultat[numero] = softmax_d_une_ligne(lignes[numero])
    # et je remets la forme du début
    return resultat.reshape(scores.shape)


# %%
# je vérifie l'exemple de l'énoncé
essai = softmax(torch.tensor([[0, math.log(3)], [1000, 1000], [-inf, -inf]], dtype=torch.float64))
assert torch.allclose(essai, torch.tensor([[0.25, 0.75], [0.5, 0.5], [0, 0]], dtype=torch.float64))


# %%
def causal_mask(n):
    # au départ tout est interdit
    masque = torch.zeros((n, n), dtype=torch.bool)
    for i in range(n):
        for j in range(n):
            # j est avant i, ou c'est i elle-même : permis
            if j <= i:
                masque[i, j] = True
    return masque


# %%
def padding_mask(lengths, n):
    nombre_de_textes = len(lengths)
    masque = torch.zeros((nombre_de_textes, n), dtype=torch.bool)
    for b in range(nombre_de_textes):
        for j in range(n):
            if j < lengths[b]:
                masque[b, j] = True
    return masque


# %%
def sliding_window_mask(n, window):
    masque = torch.zeros((n, n), dtype=torch.bool)
    for i in range(n):
        for j in range(n):
            # pas dans l'avenir
            pas_avenir = j <= i
            # pas trop loin dans le passé
            pas_trop_loin = j > i - window
            if pas_avenir and pas_trop_loin:
                masque[i, j] = True
    return masque


# %%
def scaled_dot_product(q, k, v, mask=None):
    nombre_de_textes = q.shape[0]
    nombre_de_requetes = q.shape[1]
    nombre_de_cles = k.shape[1]
    racine = math.sqrt(q.shape[2])

    sorties = torch.zeros((nombre_de_textes, nombre_de_requetes, v.shape[2]), dtype=torch.float64)
    poids = torch.zeros((nombre_de_textes, nombre_de_requetes, nombre_de_cles), dtype=torch.float64)

    for b in range(nombre_de_textes):
        for t in range(nombre_de_requetes):
            # les scores de la requête t, une clé après l'autre
            scores = torch.zeros(nombre_de_cles, dtype=torch.float64)
            for s in range(nombre_de_cles):
                if mask is not None and not mask[t, s]:
                    # interdit de regarder
                    scores[s] = -inf
                else:
                    scores[s] = torch.dot(q[b, t], k[b, s]) / racine
            poids[b, t] = softmax_d_une_ligne(scores)
            # la sortie : le mélange des valeurs
            for s in range(nombre_de_cles):
                sorties[b, t] = sorties[b, t] + poids[b, t, s] * v[b, s]
    return sorties, poids


# %%
def multi_head(x, w_q, w_k, w_v, w_o, n_heads, causal=False):
    # les requêtes, les clés et les valeurs de toutes les têtes
    requetes = x @ w_q
    cles = x @ w_k
    valeurs = x @ w_v

    # le masque, si l'on en veut un
    masque = None
    if causal:
        masque = causal_mask(x.shape[1])

    largeur_d_une_tete = x.shape[2] // n_heads
    toutes_les_tetes = torch.zeros(x.shape, dtype=torch.float64)
    for h in range(n_heads):
        debut = h * largeur_d_une_tete
        fin = debut + largeur_d_une_tete
        sortie_de_la_tete, _ = scaled_dot_product(
            requetes[:, :, debut:fin], cles[:, :, debut:fin], valeurs[:, :, debut:fin], masque
        )
        # je range le résultat à la place de la tête
        toutes_les_tetes[:, :, debut:fin] = sortie_de_la_tete
    return toutes_les_tetes @ w_o


# %%
def cross_attention(x, memory, w_q, w_k, w_v, w_o, n_heads, mask=None):
    nombre_de_textes = x.shape[0]
    nombre_de_requetes = x.shape[1]
    largeur = x.shape[2]
    largeur_d_une_tete = largeur // n_heads

    resultat = torch.zeros(x.shape, dtype=torch.float64)
    # le masque change d'un texte à l'autre : je les prends un par un
    for b in range(nombre_de_textes):
        requetes = x[b] @ w_q
        cles = memory[b] @ w_k
        valeurs = memory[b] @ w_v
        toutes_les_tetes = torch.zeros((nombre_de_requetes, largeur), dtype=torch.float64)
        for h in range(n_heads):
            debut = h * largeur_d_une_tete
            fin = debut + largeur_d_une_tete
            for t in range(nombre_de_requetes):
                scores = cles[:, debut:fin] @ requetes[t, debut:fin] / math.sqrt(largeur_d_une_tete)
                if mask is not None:
                    for s in range(len(scores)):
                        if not mask[b, 0, 0, s]:
                            scores[s] = -inf
                poids = softmax_d_une_ligne(scores)
                toutes_les_tetes[t, debut:fin] = poids @ valeurs[:, debut:fin]
        resultat[b] = toutes_les_tetes @ w_o
    return resultat


# %%
def grouped_query(q, k, v, mask=None):
    nombre_de_tetes = q.shape[1]
    nombre_de_groupes = k.shape[1]
    tetes_par_groupe = nombre_de_tetes // nombre_de_groupes

    liste_des_sorties = []
    liste_des_poids = []
    for h in range(nombre_de_tetes):
        # le groupe de la tête h
        g = h // tetes_par_groupe
        sorties, poids = scaled_dot_product(q[:, h], k[:, g], v[:, g], mask)
        liste_des_sorties.append(sorties)
        liste_des_poids.append(poids)
    # les têtes sont la deuxième dimension
    return torch.stack(liste_des_sorties, dim=1), torch.stack(liste_des_poids, dim=1)


# %%
def cached_multi_head(x, w_q, w_k, w_v, w_o, n_heads, cache=None):
    # les clés et les valeurs des positions nouvelles
    cles = x @ w_k
    valeurs = x @ w_v
    nombre_d_anciennes = 0
    if cache is not None:
        anciennes_cles, anciennes_valeurs = cache
        nombre_d_anciennes = anciennes_cles.shape[1]
        # torch.cat fait une copie : le cache reçu reste comme il est
        cles = torch.cat([anciennes_cles, cles], dim=1)
        valeurs = torch.cat([anciennes_valeurs, valeurs], dim=1)
    nombre_de_nouvelles = x.shape[1]

    # le masque : toutes les anciennes, et les nouvelles jusqu'à i
    masque = torch.zeros((nombre_de_nouvelles, nombre_d_anciennes + nombre_de_nouvelles), dtype=torch.bool)
    for i in range(nombre_de_nouvelles):
        for j in range(nombre_d_anciennes + i + 1):
            masque[i, j] = True

    requetes = x @ w_q
    largeur_d_une_tete = x.shape[2] // n_heads
    toutes_les_tetes = torch.zeros(x.shape, dtype=torch.float64)
    for h in range(n_heads):
        debut = h * largeur_d_une_tete
        fin = debut + largeur_d_une_tete
        sortie_de_la_tete, _ = scaled_dot_product(
            requetes[:, :, debut:fin], cles[:, :, debut:fin], valeurs[:, :, debut:fin], masque
        )
        toutes_les_tetes[:, :, debut:fin] = sortie_de_la_tete
    return toutes_les_tetes @ w_o, (cles, valeurs)


# %%
def tiled_attention(q, k, v, block_size=64, causal=False):
    nombre_de_textes = q.shape[0]
    nombre_de_requetes = q.shape[1]
    nombre_de_cles = k.shape[1]
    racine = math.sqrt(q.shape[2])

    sorties = torch.zeros((nombre_de_textes, nombre_de_requetes, v.shape[2]), dtype=torch.float64)
    log_sommes = torch.zeros((nombre_de_textes, nombre_de_requetes), dtype=torch.float64)

    for b in range(nombre_de_textes):
        # une seule requête à la fois : c'est un bloc d'au plus block_size requêtes
        for t in range(nombre_de_requetes):
            # les trois quantités de l'énoncé
            m = torch.tensor(-inf, dtype=torch.float64)
            somme = torch.tensor(0.0, dtype=torch.float64)
            u = torch.zeros(v.shape[2], dtype=torch.float64)

            # jusqu'où la requête t peut-elle regarder ?
            limite = nombre_de_cles
            if causal:
                limite = t + 1

            debut = 0
            while debut < limite:
                fin = min(debut + block_size, limite)
                scores = k[b, debut:fin] @ q[b, t] / racine
                nouveau_m = torch.maximum(m, scores.max())
                correction = torch.exp(m - nouveau_m)
                exponentielles = torch.exp(scores - nouveau_m)
                somme = correction * somme + exponentielles.sum()
                u = correction * u + exponentielles @ v[b, debut:fin]
                m = nouveau_m
                debut = fin

            sorties[b, t] = u / somme
            log_sommes[b, t] = m + torch.log(somme)
    return sorties, log_sommes


# %%
# je vérifie l'exemple : les moyennes successives de 3, 5 et 10
q = torch.zeros((1, 3, 1), dtype=torch.float64)
k = torch.ones((1, 3, 1), dtype=torch.float64)
v = torch.tensor([[[3], [5], [10]]], dtype=torch.float64)
sorties, log_sommes = tiled_attention(q, k, v, block_size=2, causal=True)
assert sorties.flatten().tolist() == [3, 4, 6]
