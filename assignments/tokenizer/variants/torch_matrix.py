# %% [markdown]
# # Un tokeniseur par paires d'octets
#
# Un mot est une ligne d'un tenseur d'entiers, complétée par des trous (-1) à droite.

# %%
from pathlib import Path

import torch

HUGS = {tuple("hug"): 10, tuple("pug"): 5, tuple("pun"): 12, tuple("bun"): 4, tuple("hugs"): 5}
FRENCH = Path("francais.txt").read_text(encoding="utf-8")
ENGLISH = Path("english.txt").read_text(encoding="utf-8")

TROU = -1


# %%
def en_tenseur(lignes):
    """Listes d'entiers -> tenseur (lignes, longueur de la plus longue)."""
    largeur = max((len(ligne) for ligne in lignes), default=0)
    return torch.tensor([[*ligne, *[TROU] * (largeur - len(ligne))] for ligne in lignes], dtype=torch.int64).reshape(
        len(lignes), largeur
    )


def numeroter(mots):
    numeros = {}
    lignes = [[numeros.setdefault(symbole, len(numeros)) for symbole in mot] for mot in mots]
    return en_tenseur(lignes), list(numeros)


def compter(grille, poids, base):
    """Codes gauche * base + droite des paires présentes, et leurs comptes."""
    if grille.shape[1] < 2:
        return torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64)
    gauche, droite = grille[:, :-1], grille[:, 1:]
    dedans = droite != TROU
    codes, places = torch.unique((gauche * base + droite)[dedans], return_inverse=True)
    comptes = torch.zeros_like(codes).index_add_(0, places, poids[:, None].expand_as(gauche)[dedans])
    return codes, comptes


def count_pairs(words):
    grille, symboles = numeroter(words)
    poids = torch.tensor(list(words.values()), dtype=torch.int64)
    base = max(len(symboles), 1)
    codes, comptes = compter(grille, poids, base)
    return {
        (symboles[code // base], symboles[code % base]): compte
        for code, compte in zip(codes.tolist(), comptes.tolist(), strict=True)
    }


# %%
def most_frequent_pair(counts):
    if len(counts) == 0:
        return None
    paires = list(counts)
    comptes = torch.tensor(list(counts.values()))
    meilleures = (comptes == comptes.max()).nonzero().flatten().tolist()
    return max(paires[i] for i in meilleures)


# %%
def fusionner(grille, gauche, droite, nouveau):
    """Fusionne la paire dans toutes les lignes à la fois et tasse chacune à gauche."""
    if grille.shape[1] < 2:
        return grille
    trouve = torch.zeros_like(grille, dtype=torch.bool)
    trouve[:, :-1] = (grille[:, :-1] == gauche) & (grille[:, 1:] == droite)
    if not trouve.any():
        return grille
    # rang d'une place dans une suite de places trouvées : 1, 2, 3… ; on ne garde que les rangs impairs
    colonnes = torch.arange(grille.shape[1]).expand_as(grille)
    avant = torch.where(trouve, -1, colonnes).cummax(dim=1).values
    debut = trouve & ((colonnes - avant) % 2 == 1)
    resultat = torch.where(debut, nouveau, grille)
    resultat[:, 1:][debut[:, :-1]] = TROU
    ordre = torch.sort((resultat == TROU).to(torch.uint8), dim=1, stable=True).indices
    return resultat.gather(1, ordre)


def merge_pair(symbols, pair):
    # la fusion reçoit le numéro qui suit ceux des symboles
    table = list(dict.fromkeys([*symbols, *pair]))
    numero = {symbole: i for i, symbole in enumerate(table)}
    grille = en_tenseur([[numero[symbole] for symbole in symbols]])
    grille = fusionner(grille, numero[pair[0]], numero[pair[1]], len(table))
    table.append(pair[0] + pair[1])
    return [table[i] for i in grille[0].tolist() if i != TROU]


# %%
def learn_merges(words, n_merges):
    grille, symboles = numeroter(words)
    poids = torch.tensor(list(words.values()), dtype=torch.int64)
    fusions = []
    while len(fusions) < n_merges:
        base = len(symboles) + 1
        codes, comptes = compter(grille, poids, base)
        if len(codes) == 0:
            break
        candidats = codes[comptes == comptes.max()].tolist()
        paire, code = max(((symboles[c // base], symboles[c % base]), c) for c in candidats)
        fusions.append(paire)
        grille = fusionner(grille, code // base, code % base, len(symboles))
        symboles.append(paire[0] + paire[1])
    return fusions


# %%
def split_chunks(text):
    morceaux, ici = [], 0
    while ici < len(text):
        debut = ici
        if text[ici] == " " and ici + 1 < len(text) and not text[ici + 1].isspace():
            ici += 1
        if text[ici].isspace():
            while ici < len(text) and text[ici].isspace():
                ici += 1
        elif text[ici].isalnum() or text[ici] == "_":
            while ici < len(text) and (text[ici].isalnum() or text[ici] == "_"):
                ici += 1
            if text[ici : ici + 1] in ("'", "’"):
                ici += 1
        else:
            while ici < len(text) and not (text[ici].isalnum() or text[ici] == "_" or text[ici].isspace()):
                ici += 1
        morceaux.append(text[debut:ici])
    return morceaux


# %%
def train_merges(text, n_merges):
    mots = {}
    for morceau in split_chunks(text):
        mot = tuple(bytes((octet,)) for octet in morceau.encode())
        mots[mot] = mots.get(mot, 0) + 1
    return learn_merges(mots, n_merges)


# %%
def rejouer(grille, merges):
    numero = {bytes((octet,)): octet for octet in range(256)}
    for rang, (gauche, droite) in enumerate(merges):
        if gauche in numero and droite in numero:
            grille = fusionner(grille, numero[gauche], numero[droite], 256 + rang)
        numero[gauche + droite] = 256 + rang
    return [[i for i in ligne if i != TROU] for ligne in grille.tolist()]


def encode_chunk(chunk, merges):
    vocabulaire = build_vocabulary(merges)
    return [vocabulaire[i] for i in rejouer(en_tenseur([list(chunk)]), merges)[0]]


# %%
def build_vocabulary(merges, special_tokens=()):
    return (
        [bytes((octet,)) for octet in range(256)]
        + [gauche + droite for gauche, droite in merges]
        + [bytes(jeton, "utf-8") for jeton in special_tokens]
    )


# %%
def split_special(text, special_tokens):
    parties, ordinaire = [], ""
    plus_longs_d_abord = sorted(special_tokens, key=len, reverse=True)
    while text:
        jeton = next((jeton for jeton in plus_longs_d_abord if text.startswith(jeton)), None)
        if jeton is None:
            ordinaire, text = ordinaire + text[0], text[1:]
            continue
        if ordinaire:
            parties.append((ordinaire, False))
            ordinaire = ""
        parties.append((jeton, True))
        text = text[len(jeton) :]
    if ordinaire:
        parties.append((ordinaire, False))
    return parties


# %%
def encode(text, merges, special_tokens=(), allow_special=False):
    parties = split_special(text, special_tokens) if allow_special else [(text, False)]
    # une case par morceau, dans l'ordre du texte : un numéro déjà connu, ou des octets à fusionner
    cases = []
    for partie, special in parties:
        if special:
            cases.append([256 + len(merges) + list(special_tokens).index(partie)])
        else:
            cases.extend(morceau.encode() for morceau in split_chunks(partie))
    distincts = list({case for case in cases if isinstance(case, bytes)})
    codes = dict(zip(distincts, rejouer(en_tenseur(distincts), merges), strict=True))
    return [i for case in cases for i in (codes[case] if isinstance(case, bytes) else case)]


# %%
def decode(ids, vocabulary):
    octets = torch.tensor(list(b"".join(vocabulary)), dtype=torch.int64)
    longueurs = torch.tensor([len(jeton) for jeton in vocabulary])
    debuts = longueurs.cumsum(0) - longueurs
    ids = torch.tensor(ids, dtype=torch.int64)
    # place de chaque octet du texte dans la table : début de son jeton, plus son rang dans le jeton
    tailles = longueurs[ids]
    rangs = torch.arange(int(tailles.sum())) - torch.repeat_interleave(tailles.cumsum(0) - tailles, tailles)
    places = torch.repeat_interleave(debuts[ids], tailles) + rangs
    return bytes(octets[places].tolist()).decode("utf-8", errors="replace")


# %%
def bytes_per_token(text, merges):
    if not text:
        return 0.0
    nombre_octets = torch.tensor(len(text.encode()), dtype=torch.float64)
    return (nombre_octets / len(encode(text, merges))).item()


# %%
french_merges = train_merges(FRENCH, 100)
english_merges = train_merges(ENGLISH, 100)
assert decode(encode(FRENCH, french_merges), build_vocabulary(french_merges)) == FRENCH
