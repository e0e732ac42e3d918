# %% [markdown]
# # Mon carnet : RAG
#
# J'ai écrit une étape après l'autre, avec des commentaires pour m'y retrouver.

# %%
# ruff: noqa: PERF401

import json
import math
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
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
    # d'abord je cherche où commence et où finit chaque mot
    liste_des_mots = text.split()
    liste_des_places = []
    position_actuelle = 0
    for mot in liste_des_mots:
        position_du_mot = text.find(mot, position_actuelle)
        position_de_fin = position_du_mot + len(mot)
        liste_des_places.append([position_du_mot, position_de_fin])
        position_actuelle = position_de_fin

    # ensuite je fais les fenêtres
    liste_des_fenetres = []
    numero_de_fenetre = 0
    fini = len(liste_des_places) == 0
    while not fini:
        premier_mot = numero_de_fenetre * (size - overlap)
        dernier_mot = premier_mot + size - 1
        if dernier_mot >= len(liste_des_places) - 1:
            # cette fenêtre atteint le dernier mot, donc c'est la dernière
            dernier_mot = len(liste_des_places) - 1
            fini = True
        debut = liste_des_places[premier_mot][0]
        fin = liste_des_places[dernier_mot][1]
        liste_des_fenetres.append((debut, fin))
        numero_de_fenetre = numero_de_fenetre + 1
    return liste_des_fenetres


# %%
def bm25_scores(query, documents, *, k1=1.2, b=0.75):
    nombre_de_documents = len(documents)
    if nombre_de_documents == 0:
        return []

    # la longueur moyenne
    somme_des_longueurs = 0
    for document in documents:
        somme_des_longueurs = somme_des_longueurs + len(document)
    longueur_moyenne = somme_des_longueurs / nombre_de_documents

    # tous les scores commencent à 0, et j'ajoute un terme après l'autre
    liste_des_scores = [0.0] * nombre_de_documents
    for terme in query:
        # dans combien de documents se trouve le terme ?
        nombre_avec_le_terme = 0
        for document in documents:
            if terme in document:
                nombre_avec_le_terme = nombre_avec_le_terme + 1
        fraction = (nombre_de_documents - nombre_avec_le_terme + 0.5) / (nombre_avec_le_terme + 0.5)
        logarithme = math.log(1 + fraction)

        for numero in range(nombre_de_documents):
            document = documents[numero]
            frequence = document.count(terme)
            # si le terme n'y est pas, on n'ajoute rien (et on évite de diviser par 0)
            if frequence != 0:
                longueur_relative = len(document) / longueur_moyenne
                denominateur = frequence + k1 * (1 - b + b * longueur_relative)
                liste_des_scores[numero] = liste_des_scores[numero] + logarithme * (frequence / denominateur)
    return liste_des_scores


# %%
def latent_basis(matrix, width):
    # numpy sait calculer U, S et V
    # full_matrices=False : sinon U est une énorme matrice carrée
    u, s, _ = np.linalg.svd(matrix, full_matrices=False)
    # les valeurs singulières sont déjà rangées de la plus grande à la plus petite
    assert len(s) >= width
    base = np.zeros((matrix.shape[0], width))
    for colonne in range(width):
        base[:, colonne] = u[:, colonne]
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
def calculer_cosinus(vecteur_a, vecteur_b):
    norme_a = np.sqrt(np.sum(vecteur_a**2))
    norme_b = np.sqrt(np.sum(vecteur_b**2))
    if norme_a == 0 or norme_b == 0:
        return 0.0
    return float(np.sum(vecteur_a * vecteur_b) / (norme_a * norme_b))


def cosine_search(queries, vectors, k):
    nombre_de_requetes = queries.shape[0]
    nombre_de_vecteurs = vectors.shape[0]
    tableau_des_indices = np.zeros((nombre_de_requetes, k), dtype=int)
    tableau_des_cosinus = np.zeros((nombre_de_requetes, k))
    for numero_requete in range(nombre_de_requetes):
        # je fais une liste de couples (-cosinus, indice) :
        # avec le signe moins, sorted met le plus grand cosinus d'abord,
        # et à égalité il regarde l'indice
        liste_des_couples = []
        for indice in range(nombre_de_vecteurs):
            cosinus = calculer_cosinus(queries[numero_requete], vectors[indice])
            liste_des_couples.append((-cosinus, indice))
        liste_triee = sorted(liste_des_couples)
        for place in range(k):
            tableau_des_indices[numero_requete, place] = liste_triee[place][1]
            tableau_des_cosinus[numero_requete, place] = -liste_triee[place][0]
    return tableau_des_indices, tableau_des_cosinus


# %%
def calculer_distance(vecteur_a, vecteur_b):
    return np.linalg.norm(vecteur_a - vecteur_b)


def select_neighbours(point, candidates, vectors, m):
    # je note la distance de chaque candidat au point
    distances_au_point = {}
    for candidat in candidates:
        distances_au_point[candidat] = calculer_distance(vectors[candidat], point)

    # je trie d'abord par indice, puis par distance : le tri ne mélange pas les ex æquo
    candidats_tries = sorted(candidates)
    candidats_tries.sort(key=distances_au_point.get)

    candidats_retenus = []
    for candidat in candidats_tries:
        if len(candidats_retenus) >= m:
            # il y en a assez
            return candidats_retenus
        est_retenu = True
        for autre in candidats_retenus:
            if calculer_distance(vectors[candidat], vectors[autre]) < distances_au_point[candidat]:
                est_retenu = False
        if est_retenu:
            candidats_retenus.append(candidat)
    return candidats_retenus


# %%
def trouver_le_plus_proche(ensemble, distances):
    # le plus proche, et à égalité celui de plus petit indice
    return min(ensemble, key=lambda indice: (distances[indice], indice))


def trouver_le_plus_loin(ensemble, distances):
    return max(ensemble, key=lambda indice: (distances[indice], indice))


def chercher_dans_un_niveau(query, entree, nombre_de_places, vectors, niveau):
    distances = {entree: calculer_distance(query, vectors[entree])}
    candidats = {entree}
    trouves = {entree}
    while len(candidats) > 0:
        # étape 1
        plus_proche = trouver_le_plus_proche(candidats, distances)
        candidats.remove(plus_proche)
        plus_loin = trouver_le_plus_loin(trouves, distances)
        if (distances[plus_proche], plus_proche) > (distances[plus_loin], plus_loin):
            break
        # étape 2
        for voisin in niveau[plus_proche]:
            # un voisin déjà rencontré a déjà une distance
            if voisin not in distances:
                distances[voisin] = calculer_distance(query, vectors[voisin])
                candidats.add(voisin)
                trouves.add(voisin)
        while len(trouves) > nombre_de_places:
            trouves.remove(trouver_le_plus_loin(trouves, distances))
    # je rends une liste, du plus proche au plus éloigné
    return sorted(trouves, key=lambda indice: (distances[indice], indice))


def hnsw_search(query, k, ef, vectors, graph):
    if len(graph) == 0:
        return []
    numero_du_niveau = len(graph) - 1
    entree = min(graph[numero_du_niveau].keys())
    # je descends jusqu'au niveau 1
    while numero_du_niveau > 0:
        resultat = chercher_dans_un_niveau(query, entree, 1, vectors, graph[numero_du_niveau])
        entree = resultat[0]
        numero_du_niveau = numero_du_niveau - 1
    # et maintenant le niveau 0
    resultat = chercher_dans_un_niveau(query, entree, ef, vectors, graph[0])
    return resultat[:k]


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
    # un dictionnaire indice -> score, avec des fractions exactes
    dictionnaire_des_scores = {}
    for classement in rankings:
        rang = 1
        for indice in classement:
            if indice in dictionnaire_des_scores:
                dictionnaire_des_scores[indice] = dictionnaire_des_scores[indice] + Fraction(1, k + rang)
            else:
                dictionnaire_des_scores[indice] = Fraction(1, k + rang)
            rang = rang + 1
    # je trie : le plus grand score d'abord, le plus petit indice à égalité
    indices_tries = sorted(dictionnaire_des_scores.keys())
    indices_tries = sorted(indices_tries, key=lambda indice: dictionnaire_des_scores[indice], reverse=True)
    liste_des_couples = []
    for indice in indices_tries:
        # je transforme la fraction en nombre réel
        score = dictionnaire_des_scores[indice]
        couple = (indice, float(score))
        liste_des_couples.append(couple)
    return liste_des_couples


# %%
def hybrid_search(query, vector, documents, vectors, k):
    # 1. par les mots
    scores_des_mots = bm25_scores(query, documents)
    documents_trouves = []
    for numero in range(len(documents)):
        if scores_des_mots[numero] > 0:
            documents_trouves.append(numero)
    documents_trouves.sort(key=lambda numero: scores_des_mots[numero], reverse=True)
    classement_par_mots = documents_trouves[:100]

    # 2. par le sens
    combien = 100
    if len(documents) < combien:
        combien = len(documents)
    tableau_d_une_requete = vector.reshape(1, len(vector))
    tableau_des_indices, tableau_des_cosinus = cosine_search(tableau_d_une_requete, vectors, combien)
    classement_par_sens = []
    for colonne in range(combien):
        classement_par_sens.append(int(tableau_des_indices[0, colonne]))
    assert tableau_des_cosinus.shape == (1, combien)

    # 3. la fusion
    resultat = reciprocal_rank_fusion([classement_par_mots, classement_par_sens], k=60)
    return resultat[0:k]


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
def construire_invite(template, liste_des_sources, question):
    texte_des_sources = "\n\n".join(liste_des_sources)
    # il faut remplacer les deux en même temps, car un passage peut contenir "{question}"
    invite = ""
    place = 0
    while place < len(template):
        if template.startswith("{sources}", place):
            invite = invite + texte_des_sources
            place = place + len("{sources}")
        elif template.startswith("{question}", place):
            invite = invite + question
            place = place + len("{question}")
        else:
            invite = invite + template[place]
            place = place + 1
    return invite


def fill_prompt(question, passages, budget, template):
    liste_des_sources = []
    passages_retenus = []
    invite = construire_invite(template, liste_des_sources, question)
    if len(invite.split()) > budget:
        raise ValueError("L'invite est déjà trop longue sans passage.")
    for numero_du_passage in range(len(passages)):
        numero_de_citation = len(passages_retenus) + 1
        nouvelle_source = "[" + str(numero_de_citation) + "] " + passages[numero_du_passage]
        nouvelle_invite = construire_invite(template, [*liste_des_sources, nouvelle_source], question)
        nombre_de_mots = len(nouvelle_invite.split())
        if nombre_de_mots <= budget:
            liste_des_sources.append(nouvelle_source)
            passages_retenus.append(numero_du_passage)
            invite = nouvelle_invite
    return invite, passages_retenus


# %%
def citation_numbers(text):
    liste_des_numeros = []
    # je cherche un crochet, puis un nombre, puis peut-être d'autres après des virgules
    modele_d_une_citation = r"\[\s*[0-9]+\s*(?:,\s*[0-9]+\s*)*\]"
    liste_des_citations = re.findall(modele_d_une_citation, text)
    for citation in liste_des_citations:
        # j'enlève les crochets
        interieur = citation[1:-1]
        for nombre in interieur.split(","):
            # int ignore les blancs et les zéros devant
            liste_des_numeros.append(int(nombre))
    return liste_des_numeros


# %%
def sentences(text):
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", text) if sentence]


# %%
def trouver_le_poids(terme, weights):
    if terme in weights:
        return weights[terme]
    if len(weights) == 0:
        return 1
    return max(weights.values())


def extract_answer(question, passages, weights, threshold):
    # les termes de la question, sans répétition
    termes_de_la_question = set(terms(question))
    poids_total = 0
    for terme in termes_de_la_question:
        poids_total = poids_total + trouver_le_poids(terme, weights)
    if poids_total == 0:
        # il n'y a rien à couvrir
        return None

    meilleure_couverture = 0
    meilleure_phrase = None
    meilleur_numero = None
    numero_du_passage = 1
    for passage in passages:
        for phrase in sentences(passage):
            termes_de_la_phrase = set(terms(phrase))
            poids_retrouve = 0
            for terme in termes_de_la_question:
                if terme in termes_de_la_phrase:
                    poids_retrouve = poids_retrouve + trouver_le_poids(terme, weights)
            couverture = poids_retrouve / poids_total
            # strictement plus grand : à égalité je garde la première
            if couverture > meilleure_couverture:
                meilleure_couverture = couverture
                meilleure_phrase = phrase
                meilleur_numero = numero_du_passage
        numero_du_passage = numero_du_passage + 1

    if meilleure_phrase is None:
        return None
    if meilleure_couverture < threshold:
        return None
    return meilleure_phrase + " [" + str(meilleur_numero) + "]"


# %%
class MonRetriever(BaseRetriever):
    les_passages: list
    combien: int

    def _get_relevant_documents(self, query, *, run_manager):
        termes_des_passages = []
        for passage in self.les_passages:
            termes_des_passages.append(terms(passage["text"]))
        scores = bm25_scores(terms(query), termes_des_passages)
        numeros = list(range(len(scores)))
        numeros.sort(key=lambda numero: scores[numero], reverse=True)
        documents = []
        for numero in numeros[: self.combien]:
            passage = self.les_passages[numero]
            documents.append(Document(page_content=passage["text"], metadata={"id": passage["id"]}))
        return documents


def rag_chain(passages, k, budget, threshold):
    mon_retriever = MonRetriever(les_passages=passages, combien=k)

    def repondre(dictionnaire):
        question = dictionnaire["question"]
        documents = dictionnaire["documents"]
        textes = []
        for document in documents:
            textes.append(document.page_content)
        invite, retenus = fill_prompt(question, textes, budget, "{sources}\n\n{question}")
        assert len(invite.split()) <= budget
        textes_retenus = []
        identifiants_retenus = []
        for numero in retenus:
            textes_retenus.append(textes[numero])
            identifiants_retenus.append(documents[numero].metadata["id"])
        reponse = extract_answer(question, textes_retenus, {}, threshold)
        sources = []
        if reponse is not None:
            for numero in citation_numbers(reponse):
                # un passage peut contenir lui-même un nombre entre crochets
                if numero >= 1 and numero <= len(identifiants_retenus):
                    sources.append(identifiants_retenus[numero - 1])
        return {"answer": reponse, "sources": sources}

    preparation = {"question": RunnablePassthrough(), "documents": mon_retriever}
    return preparation | RunnableLambda(repondre)
