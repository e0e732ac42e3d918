# %% [markdown]
# # RAG, careful with numbers
#
# Sums are rounded once (`math.fsum`), ties are settled with fractions, singular vectors come from Jacobi rotations.

# %%
import json
import math
import re
from collections import Counter
from fractions import Fraction
from operator import mul
from pathlib import Path

import numpy as np
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda, RunnableParallel, RunnablePassthrough


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
    starts = [i for i, c in enumerate(text) if not c.isspace() and (i == 0 or text[i - 1].isspace())]
    ends = [i for i, c in enumerate(text, start=1) if not c.isspace() and (i == len(text) or text[i].isspace())]
    if not starts:
        return []
    # the smallest count of windows for which the last one reaches the last word
    beyond = max(0, len(starts) - size)
    step = size - overlap
    count = 1 + (beyond + step - 1) // step
    return [(starts[w * step], ends[min(w * step + size, len(ends)) - 1]) for w in range(count)]


# %%
def bm25_scores(query, documents, *, k1=1.2, b=0.75):
    n, words = len(documents), sum(len(document) for document in documents)
    containing = {term: sum(term in document for document in documents) for term in set(query)}
    idf = {term: math.log1p((n - inside + 0.5) / (inside + 0.5)) for term, inside in containing.items()}
    scores = []
    for document in documents:
        parts = []
        for term, repeats in Counter(query).items():
            frequency = document.count(term)
            if frequency:
                below = math.fsum((frequency, k1 * (1 - b), k1 * b * (len(document) * n / words)))
                parts.append(repeats * idf[term] * frequency / below)
        scores.append(math.fsum(parts))
    return scores


# %%
def left_rotations(rows):
    """Turn pairs of rows until all are orthogonal to each other; give back the turned rows and the rotation."""
    rows, turned = np.array(rows), np.eye(len(rows))
    for _ in range(60):
        worst = 0.0
        for i in range(len(rows) - 1):
            for j in range(i + 1, len(rows)):
                a, b, c = rows[i] @ rows[i], rows[j] @ rows[j], rows[i] @ rows[j]
                size = math.sqrt(a) * math.sqrt(b)
                if size == 0 or abs(c) <= 1e-15 * size:
                    continue
                worst = max(worst, abs(c) / size)
                zeta = (b - a) / (2 * c)
                tangent = math.copysign(1 / (abs(zeta) + math.hypot(1, zeta)), zeta)
                cosine = 1 / math.hypot(1, tangent)
                rotation = np.array([[cosine, -cosine * tangent], [cosine * tangent, cosine]])
                rows[[i, j]] = rotation @ rows[[i, j]]
                turned[[i, j]] = rotation @ turned[[i, j]]
        if worst < 1e-13:
            break
    return rows, turned


def latent_basis(matrix, width):
    if matrix.shape[0] > matrix.shape[1]:
        outer, small = np.linalg.qr(matrix)
    else:
        outer, small = np.eye(len(matrix)), np.linalg.qr(matrix.T, mode="r").T
    rows, turned = left_rotations(small)
    order = np.argsort(-np.sqrt(np.square(rows).sum(axis=1)), kind="stable")
    return outer @ turned[order[:width]].T


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
def scaled(vector):
    """The same direction, with a largest coordinate between 1/2 and 1: nothing overflows or vanishes when squared."""
    largest = max(map(abs, vector), default=0.0)
    if largest == 0:
        return vector, 0.0
    _, exponent = math.frexp(largest)
    vector = [math.ldexp(x, -exponent) for x in vector]
    return vector, math.sqrt(math.fsum(map(mul, vector, vector)))


def exact_square(query, vector):
    """The squared cosine times |query|², with its sign, as a fraction."""
    query, vector = list(map(Fraction, query)), list(map(Fraction, vector))
    square = sum(map(mul, vector, vector))
    product = sum(map(mul, query, vector))
    return product * abs(product) / square if square else Fraction(0)


def cosine_search(queries, vectors, k):
    rows = [scaled(vector) for vector in vectors.tolist()]
    indices, cosines = np.zeros((len(queries), k), dtype=np.int64), np.zeros((len(queries), k))
    for line, query in enumerate(queries.tolist()):
        query, length = scaled(query)  # noqa: PLW2901
        found = [math.fsum(map(mul, query, row)) / (length * norm) if length and norm else 0.0 for row, norm in rows]
        order = sorted(range(len(rows)), key=lambda i: -found[i])
        # what differs by rounding alone may be equal: such runs are sorted once more, exactly
        start = 0
        for stop in range(1, len(order) + 1):
            if stop == len(order) or found[order[stop - 1]] - found[order[stop]] > 1e-14:
                if stop - start > 1 and start < k:
                    order[start:stop] = sorted(
                        order[start:stop],
                        key=lambda i: (-exact_square(query, rows[i][0]), i),
                    )
                start = stop
        indices[line], cosines[line] = order[:k], [found[i] for i in order[:k]]
    return indices, cosines


# %%
def squared(a, b):
    return math.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def select_neighbours(point, candidates, vectors, m):
    point = point.tolist()
    places = {candidate: vectors[candidate].tolist() for candidate in candidates}
    far = {candidate: squared(place, point) for candidate, place in places.items()}
    kept = []
    for candidate in sorted(candidates, key=lambda i: (far[i], i)):
        if len(kept) == m:
            break
        if all(squared(places[candidate], places[other]) >= far[candidate] for other in kept):
            kept.append(candidate)
    return kept


# %%
def level_search(far, entry, places, links):
    """The status of each vector met: 'candidate' until it is visited; the found are in order of distance."""
    unvisited, found, met = [entry], [entry], {entry}
    while unvisited:
        nearest = min(unvisited, key=far)
        if far(nearest) > far(found[-1]):
            break
        unvisited.remove(nearest)
        fresh = [neighbour for neighbour in links[nearest] if neighbour not in met]
        fresh = list(dict.fromkeys(fresh))
        met.update(fresh)
        unvisited += fresh
        found = sorted(found + fresh, key=far)[:places]
    return found


def hnsw_search(query, k, ef, vectors, graph):
    if not graph or not graph[-1]:
        return []
    query, cache = query.tolist(), {}

    def far(index):
        if index not in cache:
            cache[index] = squared(query, vectors[index].tolist())
        return cache[index], index

    entry = min(graph[-1])
    for level in range(len(graph) - 1, 0, -1):
        entry = level_search(far, entry, 1, graph[level])[0]
    return level_search(far, entry, ef, graph[0])[:k]


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
    ranks = {}
    for ranking in rankings:
        for rank, index in enumerate(ranking, start=1):
            ranks.setdefault(index, []).append(k + rank)
    scores = {index: sum(Fraction(1, below) for below in all_) for index, all_ in ranks.items()}
    return [(index, float(score)) for index, score in sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))]


# %%
def hybrid_search(query, vector, documents, vectors, k):
    scores = bm25_scores(query, documents)
    by_words = sorted((i for i in range(len(scores)) if scores[i] > 0), key=lambda i: (-scores[i], i))
    (by_meaning,), _ = cosine_search(np.array([vector]), vectors, min(100, len(vectors)))
    return reciprocal_rank_fusion([by_words[:100], by_meaning.tolist()], k=60)[:k]


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
    slots = sorted((template.index(name), name) for name in ("{sources}", "{question}"))
    (first, first_name), (second, second_name) = slots
    fixed = template[:first], template[first + len(first_name) : second], template[second + len(second_name) :]

    def write(places):
        texts = {
            "{sources}": "\n\n".join(f"[{n}] {passages[place]}" for n, place in enumerate(places, start=1)),
            "{question}": question,
        }
        return fixed[0] + texts[first_name] + fixed[1] + texts[second_name] + fixed[2]

    places = []
    if len(write(places).split()) > budget:
        raise ValueError("even without sources the prompt is too long")
    for place in range(len(passages)):
        places.append(place)
        if len(write(places).split()) > budget:
            places.pop()
    return write(places), places


# %%
def citation_numbers(text):
    token = re.compile(r"\s*([0-9]+)\s*([,\]])")
    numbers = []
    for opening in re.finditer(r"\[", text):
        group, place = [], opening.end()
        while match := token.match(text, place):
            group.append(int(match[1]))
            place = match.end()
            if match[2] == "]":
                numbers += group
                break
    return numbers


# %%
def sentences(text):
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", text) if sentence]


# %%
def extract_answer(question, passages, weights, threshold):
    exact = {term: Fraction(weight) for term, weight in weights.items()}
    unseen = max(exact.values(), default=Fraction(1))
    wanted = set(terms(question))
    total = sum((exact.get(term, unseen) for term in wanted), Fraction(0))
    best, answer = Fraction(0), None
    for number, passage in enumerate(passages, start=1):
        for sentence in sentences(passage):
            found = sum((exact.get(term, unseen) for term in wanted & set(terms(sentence))), Fraction(0))
            if found > best:
                best, answer = found, f"{sentence} [{number}]"
    # rounded once, so that 3/5 is as much as the threshold 0.6
    return answer if best > 0 and float(best / total) >= threshold else None


# %%
class Search(BaseRetriever):
    documents: list[Document]
    k: int

    def _get_relevant_documents(self, query, *, run_manager):
        scores = bm25_scores(terms(query), [terms(document.page_content) for document in self.documents])
        return [self.documents[i] for i in sorted(range(len(scores)), key=lambda i: (-scores[i], i))[: self.k]]


def rag_chain(passages, k, budget, threshold):
    search = Search(
        documents=[Document(page_content=passage["text"], metadata={"id": passage["id"]}) for passage in passages],
        k=k,
    )

    def answer(state):
        texts = [document.page_content for document in state["documents"]]
        _, kept = fill_prompt(state["question"], texts, budget, "{sources}\n\n{question}")
        reply = extract_answer(state["question"], [texts[place] for place in kept], {}, threshold)
        if reply is None:
            return {"answer": None, "sources": []}
        # brackets may occur in the sentence itself; the citation proper ends the answer
        number = citation_numbers(reply)[-1]
        return {"answer": reply, "sources": [state["documents"][kept[number - 1]].metadata["id"]]}

    return RunnableParallel(question=RunnablePassthrough(), documents=search) | RunnableLambda(answer)
