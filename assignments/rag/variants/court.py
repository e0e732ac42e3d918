# %% [markdown]
# # RAG, en peu de lignes
#
# Une idée par fonction, et le moins de mots possible.

# %%
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
    p = [m.span() for m in re.finditer(r"\S+", text)]
    # une fenêtre de plus commence en i tant que la précédente s'arrête avant la fin : i < len(p) - overlap
    firsts = range(0, max(len(p) - overlap, 1), size - overlap) if p else ()
    return [(p[i][0], p[i : i + size][-1][1]) for i in firsts]


# %%
def bm25_scores(query, documents, *, k1=1.2, b=0.75):
    n = Counter(t for d in documents for t in set(d))
    idf = {t: math.log((len(documents) + 1) / (n[t] + 0.5)) for t in query}
    mean = sum(map(len, documents)) / len(documents) if documents else 0
    norms = [k1 * (1 - b + b * len(d) / (mean or 1)) for d in documents]
    return [
        sum((idf[t] * f / (f + norm) for t in query if (f := d.count(t))), 0.0)
        for d, norm in zip(documents, norms, strict=True)
    ]


# %%
def latent_basis(matrix, width):
    return np.linalg.svd(np.transpose(matrix), full_matrices=False)[2][:width].T


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
    q, v = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300) for x in (queries, vectors))
    c = q @ v.T
    order = np.argsort(-c, kind="stable")[:, :k]
    return order, c[np.arange(len(c))[:, None], order]


# %%
def d2(a, b):
    return float(((a - b) ** 2).sum())


def select_neighbours(point, candidates, vectors, m):
    kept = []
    for far, c in sorted((d2(point, vectors[c]), c) for c in candidates):
        kept += [c] * all(d2(vectors[c], vectors[o]) >= far for o in kept)
    return kept[:m]


# %%
def hnsw_search(query, k, ef, vectors, graph):
    found = [(0, min(graph[-1]))] if graph else []
    for level in range(len(graph) - 1, -1, -1):
        # visiter le plus proche des trouvés qui ne l'est pas encore, jusqu'à ce qu'ils le soient tous
        found, visited = [(d2(query, vectors[found[0][1]]), found[0][1])], set()
        met = {found[0][1]}
        while todo := [i for _, i in found if i not in visited]:
            visited.add(todo[0])
            fresh = set(graph[level][todo[0]]) - met
            met |= fresh
            found = sorted(found + [(d2(query, vectors[i]), i) for i in fresh])[: ef if level == 0 else 1]
    return [i for _, i in found[:k]]


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
    scores = Counter()
    for ranking in rankings:
        scores.update({i: Fraction(1, rank) for rank, i in enumerate(ranking, k + 1)})
    return [(i, float(scores[i])) for i in sorted(scores, key=lambda i: (-scores[i], i))]


# %%
def hybrid_search(query, vector, documents, vectors, k):
    scores = bm25_scores(query, documents)
    words = [i for i in np.argsort(np.negative(scores), kind="stable").tolist() if scores[i]]
    senses = cosine_search(vector[None], vectors, len(vectors))[0][0].tolist()
    return reciprocal_rank_fusion([words[:100], senses[:100]])[:k]


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
    def prompt(kept):
        sources = "\n\n".join(f"[{n}] {passages[i]}" for n, i in enumerate(kept, 1))
        return template.format(sources=sources, question=question)

    kept = []
    for i in [None, *range(len(passages))]:
        trial = kept if i is None else [*kept, i]
        if len(prompt(trial).split()) <= budget:
            kept = trial
        elif i is None:
            raise ValueError("budget trop petit")
    return prompt(kept), kept


# %%
def citation_numbers(text):
    found = re.findall(r"\[((?:\s*[0-9]+\s*,)*\s*[0-9]+\s*)\]", text)
    return [int(n) for n in ",".join(found).split(",") if n]


# %%
def sentences(text):
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", text) if sentence]


# %%
def extract_answer(question, passages, weights, threshold):
    unseen = max(weights.values(), default=1)
    w = {t: weights.get(t, unseen) for t in terms(question)}
    phrases = [(s, n) for n, p in enumerate(passages, 1) for s in sentences(p)]
    found = [sum(w[t] for t in w if t in terms(s)) for s, _ in phrases]
    best = max(found, default=0)
    if not best or best / sum(w.values()) < threshold:
        return None
    return "{} [{}]".format(*phrases[found.index(best)])


# %%
def rag_chain(passages, k, budget, threshold):
    def retrieve(question):
        scores = bm25_scores(terms(question), [terms(p["text"]) for p in passages])
        return question, [passages[i] for i in np.argsort(np.negative(scores), kind="stable")[:k]]

    def respond(pair):
        question, found = pair
        _, kept = fill_prompt(question, [p["text"] for p in found], budget, "{sources}\n\n{question}")
        answer = extract_answer(question, [found[i]["text"] for i in kept], {}, threshold)
        cited = citation_numbers(answer)[-1:] if answer else []
        return {"answer": answer, "sources": [found[kept[n - 1]]["id"] for n in cited]}

    return RunnableLambda(retrieve) | respond
