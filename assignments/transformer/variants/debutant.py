# %% [markdown]
# # Le transformer : du bloc résiduel au décodeur entraîné
#
# J’ai écrit tout ce que j’ai compris en commentaire, pour m’y retrouver.

# %%
import math
from pathlib import Path

import torch


# %%
def attention(q, k, v, mask):
    """q (B, H, T, d), k (B, H, S, d), v (B, H, S, d), mask (..., T, S) -> (B, H, T, d)"""
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1) @ v


def split_heads(x, n_heads):
    """(B, T, D) -> (B, H, T, D/H)"""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def merge_heads(x):
    """(B, H, T, D/H) -> (B, T, D)"""
    return x.transpose(1, 2).flatten(start_dim=2)


def part(weights, prefix):
    """{"blocks.0.a": 1, "b": 2}, "blocks.0." -> {"a": 1}"""
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


def count_blocks(weights):
    """{"blocks.0.a": 1, "blocks.1.a": 2} -> 2"""
    return len({name.split(".")[1] for name in weights if name.startswith("blocks.")})


# %%
def sinusoidal(n_positions, width):
    # je crée un tableau vide, et je le remplis case par case
    tableau_des_positions = torch.zeros((n_positions, width), dtype=torch.float64)
    for numero_de_ligne in range(n_positions):
        for numero_de_colonne in range(width):
            # la colonne 2i et la colonne 2i + 1 ont le même i
            i = numero_de_colonne // 2
            angle = numero_de_ligne / (10000 ** (2 * i / width))
            if numero_de_colonne % 2 == 0:
                tableau_des_positions[numero_de_ligne, numero_de_colonne] = math.sin(angle)
            else:
                tableau_des_positions[numero_de_ligne, numero_de_colonne] = math.cos(angle)
    return tableau_des_positions


# %%
sinusoidal(2, 4)


# %%
def rotary(x, positions, base=10000.0):
    largeur = x.shape[-1]
    moitie = largeur // 2
    # les positions sont des entiers : je les convertis comme le dit l’énoncé
    positions_en_reels = positions.double()
    colonnes_de_gauche = []
    colonnes_de_droite = []
    for i in range(moitie):
        # une paire de colonnes : la colonne i et la colonne i + d/2
        u = x[..., i]
        w = x[..., i + moitie]
        # a contient un angle par position, de forme (T)
        a = positions_en_reels * base ** (-2 * i / largeur)
        colonnes_de_gauche.append(u * torch.cos(a) - w * torch.sin(a))
        colonnes_de_droite.append(u * torch.sin(a) + w * torch.cos(a))
    # je recolle les colonnes dans l’ordre
    return torch.stack(colonnes_de_gauche + colonnes_de_droite, dim=-1)


# %%
x = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 4]], dtype=torch.float64)
rotary(x, torch.tensor([0, 1]))


# %%
def layer_norm(x, weight, bias, eps=1e-05):
    # je mets toutes les lignes les unes sous les autres
    largeur = x.shape[-1]
    lignes = x.reshape(-1, largeur)
    resultat = torch.zeros_like(lignes)
    for numero_de_ligne in range(lignes.shape[0]):
        ligne = lignes[numero_de_ligne]
        moyenne = ligne.sum() / largeur
        # la variance est la moyenne des carrés des écarts (on divise par D)
        variance = ((ligne - moyenne) ** 2).sum() / largeur
        resultat[numero_de_ligne] = weight * (ligne - moyenne) / torch.sqrt(variance + eps) + bias
    # je redonne la forme du départ
    return resultat.reshape(x.shape)


# %%
def rms_norm(x, weight, eps=1e-06):
    # ici je n’ai pas fait de boucle, parce que l’entraînement était trop lent
    moyenne_des_carres = torch.mean(x**2, dim=-1)
    racine = torch.sqrt(moyenne_des_carres + eps)
    # unsqueeze ajoute une dimension, pour que la division se fasse ligne par ligne
    return weight * (x / racine.unsqueeze(-1))


# %%
def gelu(x):
    tous_les_nombres = x.flatten()
    resultat = torch.zeros_like(tous_les_nombres)
    for numero in range(len(tous_les_nombres)):
        nombre = tous_les_nombres[numero].item()
        resultat[numero] = nombre / 2 * (1 + math.erf(nombre / math.sqrt(2)))
    return resultat.reshape(x.shape)


# %%
gelu(torch.tensor([-1, 0, 1, 1000], dtype=torch.float64))


# %%
def swiglu(gate, up):
    # sigmoid de PyTorch ne déborde pas, contrairement à exp(g) / (1 + exp(g))
    porte = gate * torch.sigmoid(gate)
    return porte * up


# %%
swiglu(torch.tensor([-1, 0, 1], dtype=torch.float64), torch.tensor([2, 2, 2], dtype=torch.float64))


# %%
def decoder_block(x, weights, n_heads):
    nombre_de_positions = x.shape[1]
    largeur = x.shape[2]
    largeur_d_une_tete = largeur // n_heads
    positions = torch.arange(nombre_de_positions)

    # 1) on normalise, puis on calcule les requêtes, les clés et les valeurs
    x_normalise = rms_norm(x, weights["attention_norm.weight"])
    requetes = x_normalise @ weights["attention.q_proj.weight"].T
    cles = x_normalise @ weights["attention.k_proj.weight"].T
    valeurs = x_normalise @ weights["attention.v_proj.weight"].T

    # 2) le masque causal : une position regarde elle-même et celles d’avant
    masque = torch.zeros((nombre_de_positions, nombre_de_positions), dtype=torch.bool)
    for position_qui_regarde in range(nombre_de_positions):
        masque[position_qui_regarde, : position_qui_regarde + 1] = True

    # l’attention, une tête après l’autre
    resultats_des_tetes = []
    for numero_de_tete in range(n_heads):
        debut = numero_de_tete * largeur_d_une_tete
        fin = debut + largeur_d_une_tete
        # seules les requêtes et les clés tournent, pas les valeurs
        q = rotary(requetes[:, :, debut:fin], positions)
        k = rotary(cles[:, :, debut:fin], positions)
        v = valeurs[:, :, debut:fin]
        resultats_des_tetes.append(attention(q, k, v, masque))

    # 3) on recolle les têtes, on projette, et on ajoute à x (connexion résiduelle)
    toutes_les_tetes = torch.cat(resultats_des_tetes, dim=2)
    h = x + toutes_les_tetes @ weights["attention.o_proj.weight"].T

    # 4) la couche feed-forward, sur h normalisé, s’ajoute à h
    h_normalise = rms_norm(h, weights["feed_forward_norm.weight"])
    gate = h_normalise @ weights["feed_forward.gate_proj.weight"].T
    up = h_normalise @ weights["feed_forward.up_proj.weight"].T
    correction = swiglu(gate, up) @ weights["feed_forward.down_proj.weight"].T
    return h + correction


# %%
def decoder(ids, weights, n_heads):
    x = weights["token_embedding.weight"][ids]
    # je compte les blocs moi-même : j’avance tant que le suivant existe
    numero_de_bloc = 0
    while f"blocks.{numero_de_bloc}.attention_norm.weight" in weights:
        poids_du_bloc = part(weights, f"blocks.{numero_de_bloc}.")
        x = decoder_block(x, poids_du_bloc, n_heads)
        numero_de_bloc = numero_de_bloc + 1
    x = rms_norm(x, weights["final_norm.weight"])
    return x @ weights["lm_head.weight"].T


# %%
def encoder(ids, weights, n_heads, mask=None):
    nombre_de_textes, nombre_de_positions = ids.shape
    table_des_plongements = weights["token_embedding.weight"]
    largeur = table_des_plongements.shape[1]

    # sans masque, tous les jetons sont de vrais jetons
    if mask is None:
        mask = torch.ones((nombre_de_textes, nombre_de_positions), dtype=torch.bool)

    x = table_des_plongements[ids] + sinusoidal(nombre_de_positions, largeur)

    for numero_de_bloc in range(count_blocks(weights)):
        poids = part(weights, f"blocks.{numero_de_bloc}.")

        # l’attention
        z = layer_norm(x, poids["attention_norm.weight"], poids["attention_norm.bias"])
        requetes = split_heads(z @ poids["attention.q_proj.weight"].T + poids["attention.q_proj.bias"], n_heads)
        cles = split_heads(z @ poids["attention.k_proj.weight"].T + poids["attention.k_proj.bias"], n_heads)
        valeurs = split_heads(z @ poids["attention.v_proj.weight"].T + poids["attention.v_proj.bias"], n_heads)
        # le masque de l’attention : une ligne par position qui regarde, une colonne par position regardée
        masque_complet = torch.zeros((nombre_de_textes, 1, nombre_de_positions, nombre_de_positions), dtype=torch.bool)
        for texte in range(nombre_de_textes):
            for position_regardee in range(nombre_de_positions):
                if mask[texte, position_regardee]:
                    masque_complet[texte, 0, :, position_regardee] = True
        a = merge_heads(attention(requetes, cles, valeurs, masque_complet))
        x = x + a @ poids["attention.o_proj.weight"].T + poids["attention.o_proj.bias"]

        # la couche feed-forward
        z = layer_norm(x, poids["feed_forward_norm.weight"], poids["feed_forward_norm.bias"])
        interieur = gelu(z @ poids["feed_forward.up_proj.weight"].T + poids["feed_forward.up_proj.bias"])
        x = x + interieur @ poids["feed_forward.down_proj.weight"].T + poids["feed_forward.down_proj.bias"]

    x = layer_norm(x, weights["final_norm.weight"], weights["final_norm.bias"])
    return x @ table_des_plongements.T + weights["lm_head.bias"]


# %%
def corrupt(ids, mask_id, n_tokens, special_ids, seed, fraction=0.15):
    torch.manual_seed(seed)
    # des copies, pour ne pas abîmer ids
    jetons = ids.flatten().tolist()
    jetons_corrompus = list(jetons)
    etiquettes = [-100] * len(jetons)
    for place in range(len(jetons)):
        if jetons[place] in special_ids:
            continue
        # un dé pour savoir si la position est choisie
        if torch.rand(1, dtype=torch.float64).item() >= fraction:
            continue
        etiquettes[place] = jetons[place]
        # un deuxième dé pour son sort
        sort = torch.rand(1, dtype=torch.float64).item()
        if sort < 0.8:
            jetons_corrompus[place] = mask_id
        elif sort < 0.9:
            jetons_corrompus[place] = torch.randint(0, n_tokens, (1,)).item()
        # sinon le jeton reste comme il est
    corrompus = torch.tensor(jetons_corrompus, dtype=torch.int64).reshape(ids.shape)
    labels = torch.tensor(etiquettes, dtype=torch.int64).reshape(ids.shape)
    return corrompus, labels


# %%
corrupted, labels = corrupt(torch.tensor([1, 5, 6, 7, 2]), 3, 9, [1, 2], seed=0, fraction=1)


# %%
def cross_entropy(logits, targets, ignored=-100):
    lignes = logits.reshape(-1, logits.shape[-1])
    cibles = targets.flatten().tolist()
    somme_des_surprises = 0
    nombre_de_positions = 0
    for ligne, cible in zip(lignes, cibles, strict=True):
        if cible == ignored:
            continue
        # on enlève le maximum pour que exp ne déborde pas
        ligne_decalee = ligne - ligne.max()
        log_de_la_somme = torch.log(torch.exp(ligne_decalee).sum())
        somme_des_surprises = somme_des_surprises + log_de_la_somme - ligne_decalee[cible]
        nombre_de_positions = nombre_de_positions + 1
    return somme_des_surprises / nombre_de_positions


# %%
WIDTH, N_HEADS, INNER_WIDTH = 32, 2, 64  # D, H, F
BATCH_SIZE, LENGTH = 8, 64
RATE = 0.01


def initial_weights(n_tokens, generator):
    shapes = {"token_embedding": (n_tokens, WIDTH)}
    shapes |= {f"blocks.0.attention.{name}_proj": (WIDTH, WIDTH) for name in "qkvo"}
    shapes |= {f"blocks.0.feed_forward.{name}_proj": (INNER_WIDTH, WIDTH) for name in ("gate", "up")}
    shapes |= {"blocks.0.feed_forward.down_proj": (WIDTH, INNER_WIDTH), "lm_head": (n_tokens, WIDTH)}
    weights = {}
    for name, shape in shapes.items():
        weights[f"{name}.weight"] = 0.02 * torch.randn(shape, generator=generator, dtype=torch.float64)
    for name in ("blocks.0.attention_norm", "blocks.0.feed_forward_norm", "final_norm"):
        weights[f"{name}.weight"] = torch.ones(WIDTH, dtype=torch.float64)
    return weights


# %%
def train_decoder(ids, n_tokens, seed, steps=200):
    generateur = torch.Generator()
    generateur.manual_seed(seed)
    poids_du_decodeur = initial_weights(n_tokens, generateur)
    # il faut demander le gradient pour chaque poids
    for nom in poids_du_decodeur:
        poids_du_decodeur[nom].requires_grad = True
    optimiseur = torch.optim.Adam(list(poids_du_decodeur.values()), lr=RATE)

    for _ in range(steps):
        # je tire un lot de fenêtres
        entrees = torch.zeros((BATCH_SIZE, LENGTH), dtype=torch.int64)
        cibles = torch.zeros((BATCH_SIZE, LENGTH), dtype=torch.int64)
        for numero_de_fenetre in range(BATCH_SIZE):
            # la dernière cible est à la place s + LENGTH, qui doit exister
            s = torch.randint(0, len(ids) - LENGTH, (1,), generator=generateur).item()
            entrees[numero_de_fenetre] = ids[s : s + LENGTH]
            cibles[numero_de_fenetre] = ids[s + 1 : s + LENGTH + 1]
        # remise à zéro du gradient, perte, gradient, correction
        optimiseur.zero_grad()
        logits = decoder(entrees, poids_du_decodeur, N_HEADS)
        perte = cross_entropy(logits, cibles)
        perte.backward()
        optimiseur.step()

    # on rend des tenseurs sans gradient
    poids_entraines = {}
    for nom in poids_du_decodeur:
        poids_entraines[nom] = poids_du_decodeur[nom].detach()
    return poids_entraines


# %%
text = Path("phrases.txt").read_text(encoding="utf-8")
alphabet = "\n" + "".join(sorted(set(text) - {"\n"}))
ids = torch.tensor([alphabet.index(character) for character in text])
learned, unseen = ids[: len(ids) * 9 // 10], ids[len(ids) * 9 // 10 :]
weights = train_decoder(learned, len(alphabet), seed=1)

windows = unseen[: (len(unseen) - 1) // LENGTH * LENGTH + 1]
inputs, targets = windows[:-1].view(-1, LENGTH), windows[1:].view(-1, LENGTH)
n_bytes = len("".join(alphabet[i] for i in targets.flatten().tolist()).encode())
nats = cross_entropy(decoder(inputs, weights, N_HEADS), targets) * targets.numel()
round(float(nats) / math.log(2) / n_bytes, 3)
