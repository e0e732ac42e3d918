# %% [markdown]
# # RAG : des classes
#
# Chaque idée est une classe ; les fonctions demandées les construisent et les interrogent.

# %%
import bisect
import json
import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from functools import total_ordering
from pathlib import Path

import numpy as np
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable


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
@dataclass(frozen=True)
class Mot:
    debut: int
    fin: int


class Texte:
    def __init__(self, texte):
        self.mots = [Mot(*trouve.span()) for trouve in re.finditer(r"[^\s]+", texte)]

    def fenetres(self, taille, commun):
        rang = 0
        while rang < len(self.mots):
            morceau = self.mots[rang : rang + taille]
            yield morceau[0].debut, morceau[-1].fin
            if morceau[-1] is self.mots[-1]:
                return
            rang += taille - commun


def word_windows(text, size, overlap):
    return list(Texte(text).fenetres(size, overlap))


# %%
class Bm25:
    def __init__(self, documents, k1, b):
        self.comptes = [Counter(document) for document in documents]
        self.contenants = Counter(terme for compte in self.comptes for terme in compte)
        self.longueurs = [len(document) for document in documents]
        self.moyenne = sum(self.longueurs) / len(documents) if documents else 0.0
        self.k1, self.b = k1, b

    def rarete(self, terme):
        n = self.contenants[terme]
        return math.log(1 + (len(self.comptes) - n + 0.5) / (n + 0.5))

    def saturation(self, place, terme):
        frequence = self.comptes[place][terme]
        if not frequence:
            return 0.0
        return frequence / (frequence + self.k1 * (1 - self.b + self.b * self.longueurs[place] / self.moyenne))

    def score(self, place, requete):
        return sum((self.rarete(terme) * self.saturation(place, terme) for terme in requete), 0.0)

    def scores(self, requete):
        return [self.score(place, requete) for place in range(len(self.comptes))]


def bm25_scores(query, documents, *, k1=1.2, b=0.75):
    return Bm25(documents, k1, b).scores(query)


# %%
class Iteration:
    """Itération de sous-espace sur la plus petite matrice de Gram, avec quelques colonnes de plus que demandé."""

    def __init__(self, matrice, largeur):
        self.matrice, self.largeur = matrice, largeur
        self.couchee = matrice.shape[0] <= matrice.shape[1]
        self.gram = matrice @ matrice.T if self.couchee else matrice.T @ matrice
        colonnes = min(len(self.gram), 2 * largeur + 10)
        self.bloc = np.linalg.qr(np.random.default_rng(5).normal(size=(len(self.gram), colonnes)))[0]

    def tourner(self):
        image = self.gram @ self.bloc
        valeurs, rotation = np.linalg.eigh(self.bloc.T @ image)
        ritz = self.bloc @ rotation[:, ::-1][:, : self.largeur]
        reste = np.linalg.norm(self.gram @ ritz - ritz * valeurs[::-1][: self.largeur])
        self.bloc = np.linalg.qr(image)[0]
        return ritz, reste

    def converger(self, tours=5000):
        borne = 1e-13 * np.linalg.norm(self.gram)
        for _ in range(tours):
            ritz, reste = self.tourner()
            if reste <= borne:
                break
        return ritz

    def base(self):
        propres = self.converger()
        return propres if self.couchee else np.linalg.qr(self.matrice @ propres)[0]


def latent_basis(matrix, width):
    return Iteration(matrix, width).base()


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
class Directions:
    def __init__(self, vecteurs):
        self.vecteurs = vecteurs
        self.normes = np.sqrt((vecteurs * vecteurs).sum(axis=1))

    def cosinus(self, requete):
        norme = math.sqrt(float((requete * requete).sum()))
        produits = (self.vecteurs * requete).sum(axis=1)
        for place, produit in enumerate(produits):
            deux = norme * self.normes[place]
            yield float(produit / deux) if deux > 0 else 0.0

    def proches(self, requete, k):
        couples = sorted((-cosinus, place) for place, cosinus in enumerate(self.cosinus(requete)))[:k]
        return [place for _, place in couples], [-cosinus for cosinus, _ in couples]


def cosine_search(queries, vectors, k):
    directions = Directions(vectors)
    indices = np.empty((len(queries), k), dtype=int)
    cosinus = np.empty((len(queries), k), dtype=float)
    for ligne, requete in enumerate(queries):
        indices[ligne], cosinus[ligne] = directions.proches(requete, k)
    return indices, cosinus


# %%
@total_ordering
class Voisin:
    """Un vecteur vu d'un point : le plus proche est le plus petit."""

    __slots__ = ("distance", "indice", "vecteur")

    def __init__(self, indice, vecteur, point):
        ecart = vecteur - point
        self.indice, self.vecteur, self.distance = indice, vecteur, math.sqrt(ecart @ ecart)

    def __eq__(self, autre):
        return (self.distance, self.indice) == (autre.distance, autre.indice)

    def __lt__(self, autre):
        return (self.distance, self.indice) < (autre.distance, autre.indice)

    def __hash__(self):
        return hash(self.indice)

    def prefere(self, autre):
        ecart = self.vecteur - autre.vecteur
        return math.sqrt(ecart @ ecart) < self.distance


def select_neighbours(point, candidates, vectors, m):
    retenus = []
    for voisin in sorted(Voisin(indice, vectors[indice], point) for indice in candidates):
        if len(retenus) == m:
            break
        if not any(voisin.prefere(retenu) for retenu in retenus):
            retenus.append(voisin)
    return [voisin.indice for voisin in retenus]


# %%
@dataclass
class Recherche:
    requete: np.ndarray
    vecteurs: np.ndarray
    liens: dict
    places: int
    trouves: list = field(default_factory=list)
    candidats: list = field(default_factory=list)
    rencontres: set = field(default_factory=set)

    def rencontrer(self, indice):
        if indice in self.rencontres:
            return
        self.rencontres.add(indice)
        voisin = Voisin(indice, self.vecteurs[indice], self.requete)
        bisect.insort(self.candidats, voisin)
        bisect.insort(self.trouves, voisin)
        del self.trouves[self.places :]

    def partir(self, entree):
        self.rencontrer(entree)
        while self.candidats:
            proche = self.candidats.pop(0)
            if proche > self.trouves[-1]:
                break
            for indice in self.liens[proche.indice]:
                self.rencontrer(indice)
        return [voisin.indice for voisin in self.trouves]


def hnsw_search(query, k, ef, vectors, graph):
    if not graph:
        return []
    entree = min(graph[-1])
    for liens in graph[:0:-1]:
        entree = Recherche(query, vectors, liens, 1).partir(entree)[0]
    return Recherche(query, vectors, graph[0], ef).partir(entree)[:k]


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
class Fusion:
    def __init__(self, k):
        self.k = k
        self.scores = defaultdict(Fraction)

    def ajouter(self, classement):
        for rang, indice in enumerate(classement, start=1):
            self.scores[indice] += Fraction(1, self.k + rang)

    def resultat(self):
        couples = sorted(self.scores.items())
        couples.sort(key=lambda couple: couple[1], reverse=True)  # un tri stable, même à l'envers
        return [(indice, float(score)) for indice, score in couples]


def reciprocal_rank_fusion(rankings, *, k=60):
    fusion = Fusion(k)
    for classement in rankings:
        fusion.ajouter(classement)
    return fusion.resultat()


# %%
class Hybride:
    profondeur = 100

    def __init__(self, documents, vecteurs):
        self.bm25 = Bm25(documents, 1.2, 0.75)
        self.directions = Directions(vecteurs)

    def par_mots(self, requete):
        couples = [(-score, place) for place, score in enumerate(self.bm25.scores(requete)) if score > 0]
        return [place for _, place in sorted(couples)[: self.profondeur]]

    def par_sens(self, vecteur):
        return self.directions.proches(vecteur, self.profondeur)[0]


def hybrid_search(query, vector, documents, vectors, k):
    hybride = Hybride(documents, vectors)
    return reciprocal_rank_fusion([hybride.par_mots(query), hybride.par_sens(vector)])[:k]


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
class Invite:
    def __init__(self, modele, question):
        self.morceaux = re.split(r"(\{sources\}|\{question\})", modele)
        self.question = question
        self.passages = []

    def __str__(self):
        sources = "\n\n".join(f"[{numero}] {texte}" for numero, texte in enumerate(self.passages, start=1))
        valeurs = {"{sources}": sources, "{question}": self.question}
        return "".join(valeurs.get(morceau, morceau) for morceau in self.morceaux)

    def __len__(self):
        return len(str(self).split())

    def essayer(self, passage, budget):
        self.passages.append(passage)
        if len(self) > budget:
            self.passages.pop()
            return False
        return True


def fill_prompt(question, passages, budget, template):
    invite = Invite(template, question)
    if len(invite) > budget:
        raise ValueError("l'invite sans source dépasse le budget")
    retenus = [place for place, passage in enumerate(passages) if invite.essayer(passage, budget)]
    return str(invite), retenus


# %%
class Lecteur:
    """Un automate à trois états : hors d'une citation, avant un nombre, dans un nombre ou après lui."""

    def __init__(self):
        self.numeros = []
        self.fermer()

    def fermer(self):
        self.etat, self.groupe, self.chiffres = "dehors", [], ""

    def lire(self, signe):
        if signe == "[":
            self.fermer()
            self.etat = "avant"
        elif self.etat == "dehors" or (signe.isspace() and self.etat in ("avant", "apres")):
            pass
        elif self.etat in ("avant", "nombre") and "0" <= signe <= "9":
            self.etat = "nombre"
            self.chiffres += signe
        elif self.etat == "nombre" and signe.isspace():
            self.etat = "apres"
        elif self.etat in ("nombre", "apres") and signe in ",]":
            self.groupe.append(int(self.chiffres))
            self.chiffres, self.etat = "", "avant"
            if signe == "]":
                self.numeros += self.groupe
                self.fermer()
        else:
            self.fermer()


def citation_numbers(text):
    lecteur = Lecteur()
    for signe in text:
        lecteur.lire(signe)
    return lecteur.numeros


# %%
def sentences(text):
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", text) if sentence]


# %%
class Couverture:
    def __init__(self, question, poids):
        inconnu = max(poids.values()) if poids else 1
        self.poids = {terme: poids.get(terme, inconnu) for terme in terms(question)}
        self.total = sum(self.poids.values())

    def __call__(self, phrase):
        if self.total == 0:
            return 0.0
        presents = set(terms(phrase))
        return sum(poids for terme, poids in self.poids.items() if terme in presents) / self.total


def extract_answer(question, passages, weights, threshold):
    couverture = Couverture(question, weights)
    phrases = [(phrase, numero) for numero, passage in enumerate(passages, 1) for phrase in sentences(passage)]
    if not phrases:
        return None
    phrase, numero = max(phrases, key=lambda couple: couverture(couple[0]))
    atteinte = couverture(phrase)
    if atteinte == 0 or atteinte < threshold:
        return None
    return f"{phrase} [{numero}]"


# %%
class ParMots(BaseRetriever):
    documents: list[Document]
    k: int

    def _get_relevant_documents(self, query, *, run_manager):
        bm25 = Bm25([terms(document.page_content) for document in self.documents], 1.2, 0.75)
        couples = sorted((-score, place) for place, score in enumerate(bm25.scores(terms(query))))
        return [self.documents[place] for _, place in couples[: self.k]]


class Chaine(Runnable):
    modele = "{sources}\n\n{question}"

    def __init__(self, passages, k, budget, seuil):
        documents = [Document(page_content=passage["text"], metadata={"id": passage["id"]}) for passage in passages]
        self.recherche = ParMots(documents=documents, k=k)
        self.budget, self.seuil = budget, seuil

    def invoke(self, input, config=None, **kwargs):  # noqa: A002
        documents = self.recherche.invoke(input, config)
        textes = [document.page_content for document in documents]
        _, retenus = fill_prompt(input, textes, self.budget, self.modele)
        reponse = extract_answer(input, [textes[place] for place in retenus], {}, self.seuil)
        if reponse is None:
            return {"answer": None, "sources": []}
        numero = citation_numbers(reponse)[-1]
        return {"answer": reponse, "sources": [documents[retenus[numero - 1]].metadata["id"]]}


def rag_chain(passages, k, budget, threshold):
    return Chaine(passages, k, budget, threshold)
