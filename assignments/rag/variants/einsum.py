# %% [markdown]
# # RAG : tout en `einsum`
#
# Chaque comptage, chaque produit scalaire et chaque distance est une somme d'Einstein ; les distances viennent des
# matrices de Gram.

# %%
import heapq
import json
import math
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
from langchain_core.runnables import RunnableLambda, RunnablePassthrough


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
    # chaque mot est cherché après la fin du précédent
    debuts, fins, curseur = [], [], 0
    for mot in text.split():
        debuts.append(text.index(mot, curseur))
        curseur = debuts[-1] + len(mot)
        fins.append(curseur)
    fenetres = []
    for premier in range(0, len(debuts), size - overlap):
        fenetres.append((debuts[premier], fins[premier : premier + size][-1]))
        if premier + size >= len(debuts):
            break
    return fenetres


# %%
def bm25_scores(query, documents, *, k1=1.2, b=0.75):
    vocabulaire = {terme: colonne for colonne, terme in enumerate(dict.fromkeys(query))}
    n, largeur = len(documents), len(vocabulaire)
    frequences = np.zeros((n, largeur))
    longueurs = np.array([float(len(document)) for document in documents])
    for ligne, document in enumerate(documents):
        for terme in document:
            if terme in vocabulaire:
                frequences[ligne, vocabulaire[terme]] += 1
    demandes = np.zeros((len(query), largeur))
    for ligne, terme in enumerate(query):
        demandes[ligne, vocabulaire[terme]] = 1
    presents = np.where(frequences > 0, 1.0, 0.0)
    contenants = np.einsum("dt->t", presents)
    idf = np.log(1 + (n - contenants + 0.5) / (contenants + 0.5))
    somme = np.einsum("d->", longueurs)
    relatif = longueurs * n / somme if somme > 0 else longueurs
    bas = frequences + np.einsum("d,t->dt", k1 * (1 - b + b * relatif), np.ones(largeur))
    part = frequences / np.where(presents > 0, bas, 1.0)
    return np.einsum("qt,t,dt->d", demandes, idf, part).tolist()


# %%
def latent_basis(matrix, width):
    """Vecteurs propres de la plus petite des deux matrices de Gram."""
    if matrix.shape[0] <= matrix.shape[1]:
        _, propres = np.linalg.eigh(np.einsum("tn,sn->ts", matrix, matrix, optimize=True))
        return propres[:, ::-1][:, :width]
    _, propres = np.linalg.eigh(np.einsum("tn,tm->nm", matrix, matrix, optimize=True))
    base, _ = np.linalg.qr(np.einsum("tn,nw->tw", matrix, propres[:, ::-1][:, :width], optimize=True))
    return base


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
def cosine_search(queries, vectors, k):
    produits = np.einsum("qd,nd->qn", queries, vectors)
    carres = np.einsum("q,n->qn", np.einsum("qd,qd->q", queries, queries), np.einsum("nd,nd->n", vectors, vectors))
    cosinus = produits / np.sqrt(np.where(carres > 0, carres, 1.0))
    rangs = np.broadcast_to(np.arange(len(vectors)), cosinus.shape)
    indices = np.lexsort((rangs, -cosinus), axis=1)[:, :k]
    return indices, np.take_along_axis(cosinus, indices, axis=1)


# %%
def select_neighbours(point, candidates, vectors, m):
    autour = vectors[np.array(candidates, dtype=np.int64)] - point
    gram = np.einsum("id,jd->ij", autour, autour)
    carres = np.einsum("ii->i", gram)
    entre = carres[:, None] + carres[None, :] - 2 * gram
    retenus = []
    for i in sorted(range(len(candidates)), key=lambda i: (carres[i], candidates[i])):
        if len(retenus) < m and all(entre[i, j] >= carres[i] for j in retenus):
            retenus.append(i)
    return [candidates[i] for i in retenus]


# %%
def chercher(query, entree, e, vectors, liens):
    def distances(indices):
        ecarts = vectors[indices] - query
        return np.einsum("nd,nd->n", ecarts, ecarts).tolist()

    depart = distances([entree])[0]
    candidats = [(depart, entree)]
    trouves = [(-depart, -entree)]  # tas dont la tête est le plus éloigné
    vus = {entree}
    while candidats:
        distance, indice = heapq.heappop(candidats)
        if (-distance, -indice) < trouves[0]:
            break
        nouveaux = [voisin for voisin in dict.fromkeys(liens[indice]) if voisin not in vus]
        if not nouveaux:
            continue
        vus.update(nouveaux)
        for distance, voisin in zip(distances(nouveaux), nouveaux, strict=True):
            heapq.heappush(trouves, (-distance, -voisin))
            heapq.heappush(candidats, (distance, voisin))
            if len(trouves) > e:
                heapq.heappop(trouves)
    return [-indice for _, indice in sorted(trouves, reverse=True)]


def hnsw_search(query, k, ef, vectors, graph):
    if not graph:
        return []
    entree = min(graph[-1])
    for niveau in range(len(graph) - 1, 0, -1):
        entree = chercher(query, entree, 1, vectors, graph[niveau])[0]
    return chercher(query, entree, ef, vectors, graph[0])[:k]


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
    indices = sorted({indice for classement in rankings for indice in classement})
    ligne = {indice: i for i, indice in enumerate(indices)}
    profondeur = max((len(classement) for classement in rankings), default=0)
    # combien de fois chaque indice occupe chaque rang, puis une somme d'entiers sur le dénominateur commun
    occupe = np.zeros((len(indices), profondeur), dtype=object)
    for classement in rankings:
        for rang, indice in enumerate(classement):
            occupe[ligne[indice], rang] += 1
    commun = math.lcm(*range(k + 1, k + profondeur + 1))
    parts = np.array([commun // (k + rang) for rang in range(1, profondeur + 1)], dtype=object)
    numerateurs = np.einsum("ir,r->i", occupe, parts) if indices else []
    ordre = sorted(range(len(indices)), key=lambda i: -numerateurs[i])
    return [(indices[i], float(Fraction(numerateurs[i], commun))) for i in ordre]


# %%
def hybrid_search(query, vector, documents, vectors, k):
    scores = np.array(bm25_scores(query, documents))
    par_mots = [i for i in np.lexsort((np.arange(len(scores)), -scores)).tolist() if scores[i] > 0][:100]
    par_sens, _ = cosine_search(np.einsum("d->d", vector)[None], vectors, min(100, len(vectors)))
    return reciprocal_rank_fusion([par_mots, par_sens[0].tolist()], k=60)[:k]


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
    avant, apres = template.split("{sources}")

    def invite(numerotes):
        morceaux = [avant, "\n\n".join(numerotes), apres]
        for i in (0, 2):
            morceaux[i] = question.join(morceaux[i].split("{question}"))
        return "".join(morceaux)

    if len(invite([]).split()) > budget:
        raise ValueError("budget trop petit")
    retenus, numerotes = [], []
    for i, passage in enumerate(passages):
        numerotes.append(f"[{len(numerotes) + 1}] {passage}")
        if len(invite(numerotes).split()) <= budget:
            retenus.append(i)
        else:
            numerotes.pop()
    return invite(numerotes), retenus


# %%
def citation_numbers(text):
    numeros = []
    for dedans in re.findall(r"\[([^\[\]]*)\]", text):
        morceaux = [morceau.strip() for morceau in dedans.split(",")]
        if all(re.fullmatch("[0-9]+", morceau) for morceau in morceaux):
            numeros += map(int, morceaux)
    return numeros


# %%
def sentences(text):
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", text) if sentence]


# %%
def extract_answer(question, passages, weights, threshold):
    cherches = list(dict.fromkeys(terms(question)))
    phrases = [(phrase, numero) for numero, passage in enumerate(passages, 1) for phrase in sentences(passage)]
    if not cherches or not phrases:
        return None
    inconnu = max(weights.values(), default=1)
    poids = np.array([weights.get(terme, inconnu) for terme in cherches], dtype=np.float64)
    presence = np.zeros((len(phrases), len(cherches)))
    for ligne, (phrase, _) in enumerate(phrases):
        presents = set(terms(phrase))
        presence[ligne] = [terme in presents for terme in cherches]
    retrouve = np.einsum("pt,t->p", presence, poids)
    meilleure = int(np.argmax(retrouve))
    if retrouve[meilleure] == 0 or retrouve[meilleure] < threshold * np.einsum("t->", poids):
        return None
    return "{} [{}]".format(*phrases[meilleure])


# %%
def rag_chain(passages, k, budget, threshold):
    def chercher_passages(question):
        scores = np.array(bm25_scores(terms(question), [terms(passage["text"]) for passage in passages]))
        return [passages[i] for i in np.lexsort((np.arange(len(scores)), -scores))[:k].tolist()]

    def remplir(etat):
        textes = [passage["text"] for passage in etat["passages"]]
        return [
            etat["passages"][i] for i in fill_prompt(etat["question"], textes, budget, "{sources}\n\n{question}")[1]
        ]

    def repondre(etat):
        return extract_answer(etat["question"], [passage["text"] for passage in etat["retenus"]], {}, threshold)

    def citer(etat):
        numeros = citation_numbers(etat["answer"] or "")
        return [etat["retenus"][numero - 1]["id"] for numero in numeros[-1:]]

    etapes = {"passages": lambda etat: chercher_passages(etat["question"])}
    chaine = RunnableLambda(lambda question: {"question": question}) | RunnablePassthrough.assign(**etapes)
    for cle, etape in (("retenus", remplir), ("answer", repondre), ("sources", citer)):
        chaine = chaine | RunnablePassthrough.assign(**{cle: etape})
    return chaine.pick(["answer", "sources"])
