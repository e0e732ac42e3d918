# %% [markdown]
# # RAG, avec des boucles
#
# Presque tout est écrit avec des listes et des boucles. Les grands produits de la base latente sont laissés à NumPy, la
# bidiagonalisation de Lanczos se fait pas à pas.

# %%
# ruff: noqa: PERF401, PERF402

import json
import math
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
from langchain_core.runnables import RunnableLambda


def read_lines(name):
    with Path(name).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


FRENCH = read_lines("handbook.fr.jsonl")
ENGLISH = read_lines("handbook.en.jsonl")
QUESTIONS = read_lines("questions.public.jsonl")
STOP_WORDS = set(Path("stop_words.txt").read_text(encoding="utf-8").split())


def terms(text):
    words = re.findall(r"\w+", text.lower())
    return [word[:5] for word in words if word not in STOP_WORDS]


# %%
def word_windows(text, size, overlap):
    mots = []
    debut = -1
    for place in range(len(text)):
        if text[place].isspace():
            if debut >= 0:
                mots.append((debut, place))
                debut = -1
        elif debut < 0:
            debut = place
    if debut >= 0:
        mots.append((debut, len(text)))

    fenetres = []
    premier = 0
    while len(mots) > 0:
        suivant = min(premier + size, len(mots))
        fenetres.append((mots[premier][0], mots[suivant - 1][1]))
        if suivant == len(mots):
            break
        premier += size - overlap
    return fenetres


# %%
def bm25_scores(query, documents, *, k1=1.2, b=0.75):
    total = 0
    for document in documents:
        total += len(document)
    poids = []
    for terme in query:
        n = 0
        for document in documents:
            if terme in document:
                n += 1
        poids.append(math.log(1 + (len(documents) - n + 0.5) / (n + 0.5)))

    scores = []
    for document in documents:
        score = 0.0
        for i in range(len(query)):
            f = 0
            for terme in document:
                if terme == query[i]:
                    f += 1
            if f > 0:
                moyenne = total / len(documents)
                score += poids[i] * f / (f + k1 * (1 - b + b * len(document) / moyenne))
        scores.append(score)
    return scores


# %%
def orthogonal(vecteur, base):
    # deux passages de Gram-Schmidt : le second efface les erreurs du premier
    for _ in range(2):
        for autre in base:
            vecteur = vecteur - np.dot(vecteur, autre) * autre
    return vecteur


def suivant(vecteur, base, echelle, hasard):
    """Rend la longueur et la direction de ce qui dépasse de la base ; une direction au hasard s'il ne reste rien."""
    vecteur = orthogonal(vecteur, base)
    longueur = math.sqrt(np.dot(vecteur, vecteur))
    if longueur > 1e-13 * echelle:
        return longueur, orthogonal(vecteur / longueur, base)
    vecteur = orthogonal(hasard.normal(size=len(vecteur)), base)
    return 0.0, vecteur / math.sqrt(np.dot(vecteur, vecteur))


def latent_basis(matrix, width):
    a = np.array(matrix, dtype=np.float64)
    couchee = a.shape[0] < a.shape[1]
    if couchee:
        a = a.T
    n = a.shape[1]
    echelle = math.sqrt((a * a).sum())
    hasard = np.random.default_rng(12)
    gauche, droite = [], []
    bidiagonale = np.zeros((n, n))
    _, v = suivant(hasard.normal(size=n), [], 1.0, hasard)
    for j in range(n):
        droite.append(v)
        bidiagonale[j, j], u = suivant(a @ v, gauche, echelle, hasard)
        gauche.append(u)
        if j + 1 < n:
            bidiagonale[j, j + 1], v = suivant(a.T @ u, droite, echelle, hasard)
    p, _, qt = np.linalg.svd(bidiagonale)
    if couchee:
        return (np.array(droite).T @ qt.T)[:, :width]
    return (np.array(gauche).T @ p)[:, :width]


# %%
IDS = [passage["id"] for passage in FRENCH]
TEXTS = [f"{f['title']}. {f['text']} {e['title']}. {e['text']}" for f, e in zip(FRENCH, ENGLISH, strict=True)]
DOCUMENTS = [terms(text) for text in TEXTS]

FREQUENCY = Counter(term for document in DOCUMENTS for term in set(document))
ROWS = {term: row for row, term in enumerate(sorted(FREQUENCY))}


def term_vector(words):
    vector = np.zeros(len(ROWS))
    for term, count in Counter(words).items():
        if term in ROWS:
            vector[ROWS[term]] = (1 + math.log(count)) * math.log(1 + len(DOCUMENTS) / FREQUENCY[term])
    return vector


MATRIX = np.array([term_vector(document) for document in DOCUMENTS]).T
MATRIX /= np.linalg.norm(MATRIX, axis=0)
BASIS = latent_basis(MATRIX, 100)


def embed(texts):
    return np.array([term_vector(terms(text)) for text in texts]) @ np.asarray(BASIS)


VECTORS = embed(TEXTS)


# %%
def produit(a, b):
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


def les_plus_grands(valeurs, k):
    # k fois de suite, on prend le maximum ; « > » garde le premier des ex æquo
    pris = [False] * len(valeurs)
    places = []
    for _ in range(k):
        meilleur = -1
        for i in range(len(valeurs)):
            if not pris[i] and (meilleur < 0 or valeurs[i] > valeurs[meilleur]):
                meilleur = i
        pris[meilleur] = True
        places.append(meilleur)
    return places


def cosine_search(queries, vectors, k):
    liste = vectors.tolist()
    normes = []
    for vecteur in liste:
        normes.append(math.sqrt(produit(vecteur, vecteur)))
    indices = np.zeros((len(queries), k), dtype=np.int64)
    cosinus = np.zeros((len(queries), k))
    for ligne in range(len(queries)):
        requete = queries[ligne].tolist()
        norme = math.sqrt(produit(requete, requete))
        valeurs = []
        for i in range(len(liste)):
            if norme == 0 or normes[i] == 0:
                valeurs.append(0.0)
            else:
                valeurs.append(produit(requete, liste[i]) / (norme * normes[i]))
        places = les_plus_grands(valeurs, k)
        for colonne in range(k):
            indices[ligne, colonne] = places[colonne]
            cosinus[ligne, colonne] = valeurs[places[colonne]]
    return indices, cosinus


# %%
def carre(a, b):
    total = 0.0
    for x, y in zip(a, b, strict=True):
        total += (x - y) * (x - y)
    return total


def select_neighbours(point, candidates, vectors, m):
    origine = point.tolist()
    restants = []
    for candidat in candidates:
        coordonnees = vectors[candidat].tolist()
        restants.append((carre(origine, coordonnees), candidat, coordonnees))
    restants.sort()
    retenus = []
    places = []
    for distance, candidat, coordonnees in restants:
        if len(retenus) == m:
            break
        bon = True
        for autre in places:
            if carre(autre, coordonnees) < distance:
                bon = False
                break
        if bon:
            retenus.append(candidat)
            places.append(coordonnees)
    return retenus


# %%
def dans_un_niveau(requete, entree, places, vectors, voisins):
    depart = (carre(requete, vectors[entree].tolist()), entree)
    candidats = [depart]
    trouves = [depart]
    rencontres = {entree}
    while len(candidats) > 0:
        proche = candidats[0]
        for candidat in candidats:
            if candidat < proche:
                proche = candidat
        candidats.remove(proche)
        loin = trouves[0]
        for trouve in trouves:
            if trouve > loin:
                loin = trouve
        if proche > loin:
            break
        for voisin in voisins[proche[1]]:
            if voisin not in rencontres:
                rencontres.add(voisin)
                couple = (carre(requete, vectors[voisin].tolist()), voisin)
                candidats.append(couple)
                trouves.append(couple)
        trouves.sort()
        while len(trouves) > places:
            trouves.pop()
    return trouves


def hnsw_search(query, k, ef, vectors, graph):
    if len(graph) == 0:
        return []
    requete = query.tolist()
    entree = min(graph[-1])
    for niveau in range(len(graph) - 1, 0, -1):
        entree = dans_un_niveau(requete, entree, 1, vectors, graph[niveau])[0][1]
    trouves = dans_un_niveau(requete, entree, ef, vectors, graph[0])
    resultat = []
    for i in range(min(k, len(trouves))):
        resultat.append(trouves[i][1])
    return resultat


# %%
def build_index(vectors, m=6, ef_construction=24, seed=0):
    generator = np.random.default_rng(seed)
    graph = []
    for index, vector in enumerate(vectors):
        level = int(-math.log(1 - generator.random()) / math.log(m))
        chosen = {}
        for shared in range(min(level + 1, len(graph))):
            near = hnsw_search(vector, ef_construction, ef_construction, vectors, graph[shared:])
            chosen[shared] = select_neighbours(vector, near, vectors, m)
        graph += [{} for _ in range(len(graph), level + 1)]
        for shared in range(level + 1):
            links, limit = graph[shared], m if shared else 2 * m
            links[index] = chosen.get(shared, [])
            for other in links[index]:
                links[other].append(index)
                if len(links[other]) > limit:
                    links[other] = select_neighbours(vectors[other], links[other], vectors, limit)
    return vectors, graph


def search_index(index, queries, k, ef):
    vectors, graph = index
    return [hnsw_search(query, k, max(k, ef), vectors, graph) for query in queries]


units = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
asked = embed([question["en"] for question in QUESTIONS])
asked /= np.linalg.norm(asked, axis=1, keepdims=True)
exact, _ = cosine_search(asked, units, 10)
index = build_index(units)
recall = {}
for ef in (10, 20, 40):
    found = search_index(index, asked, 10, ef)
    common = sum(len(set(row) & set(right)) for row, right in zip(found, np.asarray(exact).tolist(), strict=True))
    recall[ef] = common / (10 * len(asked))


# %%
def reciprocal_rank_fusion(rankings, *, k=60):
    scores = {}
    for classement in rankings:
        for place in range(len(classement)):
            indice = classement[place]
            if indice not in scores:
                scores[indice] = Fraction(0)
            scores[indice] += Fraction(1, k + place + 1)
    ordre = []
    for indice, score in scores.items():
        ordre.append((-score, indice))
    ordre.sort()
    couples = []
    for score, indice in ordre:
        couples.append((indice, float(-score)))
    return couples


# %%
def hybrid_search(query, vector, documents, vectors, k):
    scores = bm25_scores(query, documents)
    par_mots = []
    for i in les_plus_grands(scores, min(100, len(scores))):
        if scores[i] > 0:
            par_mots.append(i)
    indices, _ = cosine_search(np.array([vector]), vectors, min(100, len(vectors)))
    par_sens = indices[0].tolist()
    return reciprocal_rank_fusion([par_mots, par_sens], k=60)[:k]


# %%
def search_handbook(question, k):
    found = hybrid_search(terms(question), embed([question])[0], DOCUMENTS, VECTORS, k)
    return [(IDS[index], score) for index, score in found]


def mean_reciprocal_rank(search, language):
    total, answered = 0.0, [question for question in QUESTIONS if question["relevant"]]
    for question in answered:
        found = [name for name, _ in search(question[language], 10)]
        ranks = [rank for rank, name in enumerate(found, start=1) if name in question["relevant"]]
        total += 1 / ranks[0] if ranks else 0.0
    return total / len(answered)


measured = {language: mean_reciprocal_rank(search_handbook, language) for language in ("fr", "en")}

# %%
TEMPLATES = {
    "fr": "Réponds à partir des seules sources, et cite-les par leur numéro.\n\n{sources}\n\nQuestion : {question}",
    "en": "Answer from these sources alone, and cite them by number.\n\n{sources}\n\nQuestion: {question}",
}


# %%
def remplir(template, sources, question):
    i = template.index("{sources}")
    j = template.index("{question}")
    if i < j:
        return template[:i] + sources + template[i + 9 : j] + question + template[j + 10 :]
    return template[:j] + question + template[j + 10 : i] + sources + template[i + 9 :]


def fill_prompt(question, passages, budget, template):
    invite = remplir(template, "", question)
    if len(invite.split()) > budget:
        raise ValueError("le budget ne suffit pas à la question")
    retenus = []
    sources = ""
    for i in range(len(passages)):
        essai = f"[{len(retenus) + 1}] {passages[i]}"
        if len(retenus) > 0:
            essai = sources + "\n\n" + essai
        complet = remplir(template, essai, question)
        if len(complet.split()) <= budget:
            retenus.append(i)
            sources = essai
            invite = complet
    return invite, retenus


# %%
def citation_numbers(text):
    numeros = []
    for i in range(len(text)):
        if text[i] != "[":
            continue
        j = i + 1
        while j < len(text) and text[j] not in "[]":
            j += 1
        if j == len(text) or text[j] == "[":
            continue
        groupe = []
        for morceau in text[i + 1 : j].split(","):
            chiffres = morceau.strip()
            bon = len(chiffres) > 0
            for c in chiffres:
                if c not in "0123456789":
                    bon = False
            if not bon:
                groupe = []
                break
            groupe.append(int(chiffres))
        for numero in groupe:
            numeros.append(numero)
    return numeros


# %%
def sentences(text):
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", text) if sentence]


# %%
def extract_answer(question, passages, weights, threshold):
    inconnu = 1.0
    if len(weights) > 0:
        inconnu = max(weights.values())
    cherches = []
    total = 0.0
    for terme in terms(question):
        if terme not in cherches:
            cherches.append(terme)
            total += weights.get(terme, inconnu)

    meilleur = 0.0
    reponse = None
    for numero in range(1, len(passages) + 1):
        for phrase in sentences(passages[numero - 1]):
            presents = terms(phrase)
            trouve = 0.0
            for terme in cherches:
                if terme in presents:
                    trouve += weights.get(terme, inconnu)
            if trouve > meilleur:
                meilleur = trouve
                reponse = f"{phrase} [{numero}]"
    if reponse is None or meilleur / total < threshold:
        return None
    return reponse


# %%
def rag_chain(passages, k, budget, threshold):
    textes = []
    documents = []
    for passage in passages:
        textes.append(passage["text"])
        documents.append(terms(passage["text"]))

    def repondre(question):
        scores = bm25_scores(terms(question), documents)
        places = les_plus_grands(scores, min(k, len(scores)))
        choisis = []
        for place in places:
            choisis.append(textes[place])
        _, retenus = fill_prompt(question, choisis, budget, "{sources}\n\n{question}")
        gardes = []
        for retenu in retenus:
            gardes.append(choisis[retenu])
        reponse = extract_answer(question, gardes, {}, threshold)
        sources = []
        if reponse is not None:
            for numero in citation_numbers(reponse):
                if 1 <= numero <= len(retenus):
                    sources.append(passages[places[retenus[numero - 1]]]["id"])
        return {"answer": reponse, "sources": sources}

    return RunnableLambda(repondre)
