# %% [markdown]
# # RAG, par récurrence
#
# Les listes se traitent tête puis reste, ou moitié par moitié ; la base latente aussi se construit en réunissant celles
# de deux moitiés.

# %%
import json
import math
import re
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
from langchain_core.runnables import RunnableLambda

sys.setrecursionlimit(100_000)


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
def mots(text):
    """Les places des mots, le dernier d'abord : une pile de couples (mot, reste)."""
    pile, fin = None, 0
    while fin < len(text):
        debut = fin = fin_de_blanc(text, fin)
        while fin < len(text) and not text[fin].isspace():
            fin += 1
        pile = ((debut, fin), pile) if fin > debut else pile
    return pile


def fin_de_blanc(text, place):
    return fin_de_blanc(text, place + 1) if place < len(text) and text[place].isspace() else place


def en_liste(pile):
    liste = []

    def vider(reste):
        if reste is not None:
            tete, suite = reste
            vider(suite)
            liste.append(tete)

    vider(pile)
    return liste


def word_windows(text, size, overlap):
    places = en_liste(mots(text))

    def a_partir_de(premier):
        if premier + size >= len(places):
            return [(places[premier][0], places[-1][1])]
        suite = a_partir_de(premier + size - overlap)
        suite.append((places[premier][0], places[premier + size - 1][1]))
        return suite

    return a_partir_de(0)[::-1] if places else []


# %%
def somme(liste):
    """La somme de deux moitiés : les erreurs d'arrondi s'y accumulent moins."""
    if len(liste) < 2:
        return liste[0] if liste else 0
    milieu = len(liste) // 2
    return somme(liste[:milieu]) + somme(liste[milieu:])


def bm25_scores(query, documents, *, k1=1.2, b=0.75):
    n = len(documents)
    comptes = [Counter(document) for document in documents]
    longueur = somme([len(document) for document in documents])

    def rarete(terme):
        contenants = somme([1 if terme in compte else 0 for compte in comptes])
        return math.log(1 + (n - contenants + 0.5) / (contenants + 0.5))

    raretes = {terme: rarete(terme) for terme in set(query)}

    def score(compte, taille):
        def part(terme):
            if terme not in compte:
                return 0.0
            bas = compte[terme] + k1 * (1 - b + b * taille * n / longueur)
            return raretes[terme] * compte[terme] / bas

        return float(somme([part(terme) for terme in query]))

    return [score(compte, len(document)) for compte, document in zip(comptes, documents, strict=True)]


# %%
def resume(matrice):
    """Une matrice US de mêmes vecteurs et valeurs singuliers, avec au plus autant de colonnes que de lignes."""
    colonnes = matrice.shape[1]
    if colonnes == 1:
        return matrice
    if colonnes > 8:
        matrice = np.hstack([resume(matrice[:, : colonnes // 2]), resume(matrice[:, colonnes // 2 :])])
    gauche, valeurs, _ = np.linalg.svd(matrice, full_matrices=False)
    return gauche * valeurs


def latent_basis(matrix, width):
    moities = np.array_split(np.asarray(matrix), 2, axis=1)
    reunies = np.hstack([resume(moitie) for moitie in moities if moitie.shape[1]])
    return np.linalg.svd(reunies, full_matrices=False)[0][:, :width]


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
def fusionner(gauche, droite):
    """Réunit deux listes triées de couples (valeur, indice) : la plus grande valeur, puis le plus petit indice."""
    resultat, i, j = [], 0, 0
    while i < len(gauche) and j < len(droite):
        if (-gauche[i][0], gauche[i][1]) <= (-droite[j][0], droite[j][1]):
            resultat.append(gauche[i])
            i += 1
        else:
            resultat.append(droite[j])
            j += 1
    return resultat + gauche[i:] + droite[j:]


def tri(couples):
    if len(couples) < 2:
        return couples
    milieu = len(couples) // 2
    return fusionner(tri(couples[:milieu]), tri(couples[milieu:]))


def cosinus(a, b):
    normes = math.hypot(*a) * math.hypot(*b)
    return float(np.dot(a, b)) / normes if normes else 0.0


def cosine_search(queries, vectors, k):
    rangees = [
        tri([(cosinus(requete, vecteur), indice) for indice, vecteur in enumerate(vectors)])[:k] for requete in queries
    ]
    indices = [[indice for _, indice in rangee] for rangee in rangees]
    valeurs = [[valeur for valeur, _ in rangee] for rangee in rangees]
    forme = (len(queries), k)
    return np.array(indices, dtype=np.int64).reshape(forme), np.array(valeurs, dtype=np.float64).reshape(forme)


# %%
def distance(a, b):
    return math.dist(a, b)


def select_neighbours(point, candidates, vectors, m):
    def choisir(reste, retenus):
        if not reste or len(retenus) == m:
            return retenus
        (loin, candidat), suite = reste[0], reste[1:]
        if any(distance(vectors[candidat], vectors[retenu]) < -loin for retenu in retenus):
            return choisir(suite, retenus)
        return choisir(suite, [*retenus, candidat])

    return choisir(tri([(-distance(point, vectors[candidat]), candidat) for candidat in candidates]), [])


# %%
def dans_un_niveau(query, vectors, liens, places, candidats, trouves, vus):
    """Candidats et trouvés sont triés par (éloignement, indice) ; un appel visite un candidat."""
    if not candidats or candidats[0] > trouves[-1]:
        return trouves
    nouveaux = set(liens[candidats[0][1]]) - vus
    couples = [(distance(query, vectors[voisin]), voisin) for voisin in nouveaux]
    return dans_un_niveau(
        query,
        vectors,
        liens,
        places,
        sorted(candidats[1:] + couples),
        sorted(trouves + couples)[:places],
        vus | nouveaux,
    )


def descendre(query, vectors, graph, niveau, entree, ef):
    depart = [(distance(query, vectors[entree]), entree)]
    places = 1 if niveau else ef
    trouves = dans_un_niveau(query, vectors, graph[niveau], places, depart, depart, {entree})
    return trouves if niveau == 0 else descendre(query, vectors, graph, niveau - 1, trouves[0][1], ef)


def hnsw_search(query, k, ef, vectors, graph):
    if not graph:
        return []
    trouves = descendre(query, vectors, graph, len(graph) - 1, min(graph[-1]), ef)
    return [indice for _, indice in trouves[:k]]


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
def ajouter(gauche, droite):
    return {indice: gauche.get(indice, 0) + droite.get(indice, 0) for indice in gauche.keys() | droite.keys()}


def reciprocal_rank_fusion(rankings, *, k=60):
    def scores(classements):
        if not classements:
            return {}
        if len(classements) == 1:
            return {indice: Fraction(1, k + rang) for rang, indice in enumerate(classements[0], start=1)}
        milieu = len(classements) // 2
        return ajouter(scores(classements[:milieu]), scores(classements[milieu:]))

    couples = tri([(score, indice) for indice, score in scores(rankings).items()])
    return [(indice, float(score)) for score, indice in couples]


# %%
def hybrid_search(query, vector, documents, vectors, k):
    couples = tri([(score, i) for i, score in enumerate(bm25_scores(query, documents)) if score > 0])
    par_sens, _ = cosine_search(np.stack([vector]), vectors, min(100, len(vectors)))
    return reciprocal_rank_fusion([[i for _, i in couples[:100]], list(par_sens[0])])[:k]


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
def fill_prompt(question, passages, budget, template):
    def remplacer(texte, champs):
        if not champs:
            return texte
        (nom, valeur), *autres = champs
        avant, trouve, apres = texte.partition(nom)
        if not trouve:
            return remplacer(texte, autres)
        return remplacer(avant, autres) + valeur + remplacer(apres, autres)

    def invite(retenus):
        sources = "\n\n".join(f"[{numero}] {passages[i]}" for numero, i in enumerate(retenus, start=1))
        return remplacer(template, [("{sources}", sources), ("{question}", question)])

    def tient(retenus):
        return len(invite(retenus).split()) <= budget

    def essayer(i, retenus):
        if i == len(passages):
            return retenus
        return essayer(i + 1, [*retenus, i] if tient([*retenus, i]) else retenus)

    if not tient([]):
        raise ValueError("l'invite sans source dépasse le budget")
    retenus = essayer(0, [])
    return invite(retenus), retenus


# %%
def sauter(text, i):
    return sauter(text, i + 1) if text[i : i + 1].isspace() else i


def nombre(text, i):
    """nombre := blancs chiffres blancs ; rend la place d'après et la valeur, ou None."""
    debut = sauter(text, i)
    fin = debut
    while text[fin : fin + 1] in tuple("0123456789"):
        fin += 1
    return (sauter(text, fin), int(text[debut:fin])) if fin > debut else None


def suite(text, i):
    """suite := nombre ']' | nombre ',' suite"""
    lu = nombre(text, i)
    if lu is None:
        return None
    place, valeur = lu
    if text[place : place + 1] == "]":
        return [valeur]
    if text[place : place + 1] == ",":
        reste = suite(text, place + 1)
        return None if reste is None else [valeur, *reste]
    return None


def citation_numbers(text):
    ouvrants = [i for i, signe in enumerate(text) if signe == "["]
    return [valeur for i in ouvrants for valeur in suite(text, i + 1) or []]


# %%
def sentences(text):
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", text) if sentence]


# %%
def extract_answer(question, passages, weights, threshold):
    cherches = sorted(set(terms(question)))
    inconnu = max(weights.values()) if weights else 1
    total = somme([weights.get(terme, inconnu) for terme in cherches])

    def retrouve(phrase):
        presents = terms(phrase)
        return somme([weights.get(terme, inconnu) for terme in cherches if terme in presents])

    def meilleure(phrases):
        if len(phrases) == 1:
            phrase, numero = phrases[0]
            return retrouve(phrase), phrase, numero
        milieu = len(phrases) // 2
        gauche, droite = meilleure(phrases[:milieu]), meilleure(phrases[milieu:])
        return droite if droite[0] > gauche[0] else gauche

    phrases = [(phrase, numero) for numero, passage in enumerate(passages, 1) for phrase in sentences(passage)]
    if not phrases:
        return None
    poids, phrase, numero = meilleure(phrases)
    return f"{phrase} [{numero}]" if poids > 0 and poids / total >= threshold else None


# %%
def rag_chain(passages, k, budget, threshold):
    def chercher(question):
        scores = bm25_scores(terms(question), [terms(passage["text"]) for passage in passages])
        ordre = tri([(score, i) for i, score in enumerate(scores)])
        return {"question": question, "passages": [passages[i] for _, i in ordre[:k]]}

    def remplir(etat):
        textes = [passage["text"] for passage in etat["passages"]]
        _, retenus = fill_prompt(etat["question"], textes, budget, "{sources}\n\n{question}")
        return {"question": etat["question"], "passages": [etat["passages"][i] for i in retenus]}

    def repondre(etat):
        reponse = extract_answer(etat["question"], [passage["text"] for passage in etat["passages"]], {}, threshold)
        # la citation que l'on vient d'ajouter est la dernière
        cites = citation_numbers(reponse)[-1:] if reponse else []
        return {"answer": reponse, "sources": [etat["passages"][numero - 1]["id"] for numero in cites]}

    def enchainer(etapes):
        return etapes[0] if len(etapes) == 1 else enchainer(etapes[:-1]) | etapes[-1]

    return enchainer([RunnableLambda(etape) for etape in (chercher, remplir, repondre)])
