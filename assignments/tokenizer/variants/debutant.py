# %% [markdown]
# # Un tokeniseur par paires d'octets
#
# Je détaille chaque étape pour ne pas me perdre.

# %%
from pathlib import Path

# Les cinq mots de l'énoncé.
HUGS = {tuple("hug"): 10, tuple("pug"): 5, tuple("pun"): 12, tuple("bun"): 4, tuple("hugs"): 5}

# Les deux récits.
FRENCH = Path("francais.txt").read_text(encoding="utf-8")
ENGLISH = Path("english.txt").read_text(encoding="utf-8")

# %% [markdown]
# ## 1. Compter les paires


# %%
def count_pairs(words):
    # Au début, je n'ai vu aucune paire.
    nombre_de_fois_par_paire = {}
    # Je regarde les mots l'un après l'autre.
    for mot in words:
        nombre_de_fois_du_mot = words[mot]
        # Je garde en mémoire le symbole d'avant. Il n'y en a pas au début du mot.
        symbole_precedent = None
        for symbole in mot:
            if symbole_precedent is not None:
                paire = (symbole_precedent, symbole)
                # Si la paire est nouvelle, get donne 0.
                deja_compte = nombre_de_fois_par_paire.get(paire, 0)
                nombre_de_fois_par_paire[paire] = deja_compte + nombre_de_fois_du_mot
            # Le symbole d'aujourd'hui sera le précédent de demain.
            symbole_precedent = symbole
    return nombre_de_fois_par_paire


resultat = count_pairs(HUGS)

# %% [markdown]
# ## 2. La paire la plus fréquente


# %%
def most_frequent_pair(counts):
    # Cas particulier : rien à choisir.
    if len(counts) == 0:
        return None
    # D'abord, quel est le plus grand compte ?
    plus_grand_compte = max(counts.values())
    # Ensuite, quelles paires l'atteignent ?
    paires_ex_aequo = []
    for paire in counts:
        if counts[paire] == plus_grand_compte:
            paires_ex_aequo += [paire]
    # Je les range de la plus petite à la plus grande et je garde la dernière.
    paires_ex_aequo.sort()
    return paires_ex_aequo[-1]


# %% [markdown]
# ## 3. Fusionner


# %%
def merge_pair(symbols, pair):
    gauche = pair[0]
    droite = pair[1]
    nouvelle_liste = []
    # Vrai quand le symbole courant a déjà été avalé par le précédent.
    deja_avale = False
    for position in range(len(symbols)):
        if deja_avale:
            # Je saute ce symbole, mais pas le suivant.
            deja_avale = False
        else:
            # Y a-t-il un voisin à droite ?
            a_un_voisin = position < len(symbols) - 1
            if a_un_voisin and symbols[position] == gauche and symbols[position + 1] == droite:
                nouvelle_liste.append(gauche + droite)
                deja_avale = True
            else:
                nouvelle_liste.append(symbols[position])
    return nouvelle_liste


# %% [markdown]
# ## 4. Apprendre


# %%
def learn_merges(words, n_merges):
    # Je recopie le dictionnaire pour ne pas abîmer celui qu'on me donne.
    mots_actuels = dict(words)
    fusions = []
    for _tour in range(n_merges):
        comptes = count_pairs(mots_actuels)
        paire_choisie = most_frequent_pair(comptes)
        # Plus aucune paire : j'ai fini avant l'heure.
        if paire_choisie is None:
            return fusions
        fusions.append(paire_choisie)
        # Je réécris tous les mots.
        mots_suivants = {}
        for mot in mots_actuels:
            mot_fusionne = tuple(merge_pair(mot, paire_choisie))
            mots_suivants[mot_fusionne] = mots_actuels[mot]
        mots_actuels = mots_suivants
    return fusions


resultat = learn_merges(HUGS, 3)

# %% [markdown]
# ## 5. Découper


# %%
def sorte_de_caractere(caractere):
    # Trois sortes : un caractère de mot, un blanc, ou autre chose.
    if caractere.isalnum() or caractere == "_":
        return "mot"
    if caractere.isspace():
        return "blanc"
    return "autre"


def split_chunks(text):
    morceaux = []
    # Le morceau que je suis en train d'écrire, et sa sorte ("rien" quand il est vide).
    morceau = ""
    sorte_du_morceau = "rien"
    for caractere in text:
        sorte = sorte_de_caractere(caractere)
        if sorte_du_morceau == "rien":
            # Premier caractère du texte.
            morceau = caractere
            sorte_du_morceau = sorte
        elif sorte_du_morceau == "mot fini":
            # Après une apostrophe, le mot est fini : un nouveau morceau commence.
            morceaux.append(morceau)
            morceau = caractere
            sorte_du_morceau = sorte
        elif sorte_du_morceau == sorte:
            # Même sorte : on continue le morceau.
            morceau = morceau + caractere
        elif sorte_du_morceau == "blanc" and morceau == " ":
            # Une espace toute seule se colle à ce qui la suit.
            morceau = morceau + caractere
            sorte_du_morceau = sorte
        elif sorte_du_morceau == "mot" and (caractere == "'" or caractere == "’"):
            # L'apostrophe reste avec le mot, et le ferme.
            morceau = morceau + caractere
            sorte_du_morceau = "mot fini"
        else:
            # La sorte change : un nouveau morceau commence.
            morceaux.append(morceau)
            morceau = caractere
            sorte_du_morceau = sorte
    # Il ne faut pas oublier le dernier morceau.
    if morceau != "":
        morceaux.append(morceau)
    return morceaux


resultat = split_chunks("Aujourd'hui, l’œuvre  coûte 12 € !")

# %% [markdown]
# ## 6. Les octets


# %%
def couper_en_octets(octets):
    # Attention : quand on parcourt des bytes, on reçoit des entiers. to_bytes en refait des bytes.
    liste_des_octets = []
    for octet in octets:
        octet_seul = octet.to_bytes(1, "big")
        liste_des_octets.append(octet_seul)
    return liste_des_octets


def train_merges(text, n_merges):
    mots = {}
    for morceau in split_chunks(text):
        mot = tuple(couper_en_octets(morceau.encode("utf-8")))
        mots[mot] = mots.get(mot, 0) + 1
    return learn_merges(mots, n_merges)


fusions_du_francais = train_merges(FRENCH, 100)
fusions_de_l_anglais = train_merges(ENGLISH, 100)

# %% [markdown]
# ## 7. Coder un morceau


# %%
def encode_chunk(chunk, merges):
    jetons = couper_en_octets(chunk)
    # Je rejoue les fusions dans l'ordre où elles ont été apprises.
    for fusion in merges:
        jetons = merge_pair(jetons, fusion)
    return jetons


# %% [markdown]
# ## 8. Le vocabulaire


# %%
def build_vocabulary(merges, special_tokens=()):
    # Les 256 octets d'abord.
    vocabulaire = couper_en_octets(bytes(range(256)))
    # Puis les fusions.
    for fusion in merges:
        vocabulaire.append(fusion[0] + fusion[1])
    # Puis les jetons spéciaux.
    for jeton_special in special_tokens:
        vocabulaire.append(jeton_special.encode("utf-8"))
    return vocabulaire


# %% [markdown]
# ## 9. Les jetons spéciaux


# %%
def split_special(text, special_tokens):
    parties = []
    reste = text
    while reste != "":
        # Je cherche le jeton qui commence le premier dans ce qui reste.
        meilleure_place = -1
        meilleur_jeton = ""
        for jeton in special_tokens:
            place = reste.find(jeton)
            # find répond -1 quand le jeton n'est pas là.
            if place == -1:
                continue
            commence_avant = meilleure_place == -1 or place < meilleure_place
            plus_long_au_meme_endroit = place == meilleure_place and len(jeton) > len(meilleur_jeton)
            if commence_avant or plus_long_au_meme_endroit:
                meilleure_place = place
                meilleur_jeton = jeton
        if meilleure_place == -1:
            # Plus de jeton spécial : tout le reste est du texte.
            parties.append((reste, False))
            return parties
        if meilleure_place > 0:
            parties.append((reste[:meilleure_place], False))
        parties.append((meilleur_jeton, True))
        # Je continue après la fin du jeton.
        reste = reste[meilleure_place + len(meilleur_jeton) :]
    return parties


# %% [markdown]
# ## 10. Coder un texte


# %%
def encode(text, merges, special_tokens=(), allow_special=False):
    vocabulaire = build_vocabulary(merges, special_tokens)
    # Sans permission, tout le texte est ordinaire.
    parties = [(text, False)]
    if allow_special:
        parties = split_special(text, special_tokens)
    numeros = []
    for partie, est_special in parties:
        if est_special:
            # index donne la position, donc le numéro.
            numeros.append(vocabulaire.index(partie.encode("utf-8")))
        else:
            for morceau in split_chunks(partie):
                for jeton in encode_chunk(morceau.encode("utf-8"), merges):
                    numero = vocabulaire.index(jeton)
                    numeros.append(numero)
    return numeros


# %% [markdown]
# ## 11. Décoder


# %%
def decode(ids, vocabulary):
    # Je réunis tous les octets avant de les lire.
    tous_les_octets = b""
    for numero in ids:
        tous_les_octets = tous_les_octets + vocabulary[numero]
    return tous_les_octets.decode("utf-8", errors="replace")


# Le texte revient-il intact ?
vocabulaire_du_francais = build_vocabulary(fusions_du_francais)
aller_retour = decode(encode(FRENCH, fusions_du_francais), vocabulaire_du_francais) == FRENCH

# %% [markdown]
# ## 12. Mesurer


# %%
def bytes_per_token(text, merges):
    nombre_de_jetons = len(encode(text, merges))
    # Je ne peux pas diviser par zéro.
    if nombre_de_jetons == 0:
        return 0.0
    nombre_d_octets = len(text.encode("utf-8"))
    return nombre_d_octets / nombre_de_jetons


phrase = "L’hiver dernier, la bibliothécaire a retrouvé un volume oublié près du poêle."
avec_le_francais = bytes_per_token(phrase, fusions_du_francais)
avec_l_anglais = bytes_per_token(phrase, fusions_de_l_anglais)
