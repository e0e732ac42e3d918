# %% [markdown]
# # RAG with the structures of search engines
#
# Posting lists, bounded heaps, counters kept up to date: nothing is computed twice that can be remembered.

# %%
import heapq
import json
import math
import re
from collections import Counter, defaultdict, deque
from functools import cmp_to_key
from pathlib import Path

import numpy as np
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableBranch, RunnableLambda, RunnablePassthrough
from pydantic import PrivateAttr


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
    """The words go by in a queue that never holds more than one window."""
    windows, queue, pending = [], deque(), False
    for match in re.finditer(r"\S+", text):
        if len(queue) == size:
            for _ in range(size - overlap):
                queue.popleft()
        queue.append(match.span())
        pending = len(queue) < size
        if not pending:
            windows.append((queue[0][0], queue[-1][1]))
    if pending:
        windows.append((queue[0][0], queue[-1][1]))
    return windows


# %%
def bm25_scores(query, documents, *, k1=1.2, b=0.75):
    wanted = Counter(query)
    postings = defaultdict(Counter)
    for place, document in enumerate(documents):
        for term in document:
            if term in wanted:
                postings[term][place] += 1
    scores = [0.0] * len(documents)
    words = sum(map(len, documents))
    for term, repeats in wanted.items():
        containing = postings[term]
        idf = math.log((len(documents) + 1) / (len(containing) + 0.5))  # 1 + (N - n + 0.5) / (n + 0.5)
        for place, frequency in containing.items():
            relative = len(documents[place]) * len(documents) / words
            scores[place] += repeats * idf / (1 + k1 * (1 - b + b * relative) / frequency)
    return scores


# %%
def latent_basis(matrix, width):
    """A factor of A, bordered to be symmetric, has its singular values and their opposites as eigenvalues."""
    if matrix.shape[0] > matrix.shape[1]:
        outer, small = np.linalg.qr(matrix)
    else:
        outer, small = None, np.linalg.qr(matrix.T, mode="r").T
    zero = np.zeros_like(small)
    _, eigenvectors = np.linalg.eigh(np.block([[zero, small], [small.T, zero]]))
    left, _ = np.linalg.qr(eigenvectors[: len(small), ::-1][:, :width])
    return left if outer is None else outer @ left


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
    norms = np.sqrt(np.square(vectors).sum(axis=1)).tolist()
    indices, cosines = np.zeros((len(queries), k), dtype=np.int64), np.zeros((len(queries), k))
    for row, query in enumerate(queries):
        norm = math.sqrt(np.square(query).sum())
        products = (vectors @ query).tolist()
        keys = (
            (-product / (norm * n) if norm * n else 0.0, i)
            for i, (product, n) in enumerate(zip(products, norms, strict=True))
        )
        for column, (opposite, index) in enumerate(heapq.nsmallest(k, keys)):
            indices[row, column], cosines[row, column] = index, -opposite
    return indices, cosines


# %%
def select_neighbours(point, candidates, vectors, m):
    heap = [(float(np.square(vectors[candidate] - point).sum()), candidate) for candidate in candidates]
    heapq.heapify(heap)
    kept = []
    while heap and len(kept) < m:
        far, candidate = heapq.heappop(heap)
        if not kept or np.square(vectors[kept] - vectors[candidate]).sum(axis=1).min() >= far:
            kept.append(candidate)
    return kept


# %%
class Reverse:
    """A pair in a heap whose head is to be the largest."""

    __slots__ = ("pair",)

    def __init__(self, pair):
        self.pair = pair

    def __lt__(self, other):
        return other.pair < self.pair


def search_level(measure, start, places, links):
    waiting, found, met = [start], [Reverse(start)], {start[1]}
    while waiting:
        nearest = heapq.heappop(waiting)
        if nearest > found[0].pair:
            break
        for neighbour in links[nearest[1]]:
            if neighbour in met:
                continue
            met.add(neighbour)
            pair = measure(neighbour)
            # whoever is farther than all of a full set would only end the search
            if len(found) < places:
                heapq.heappush(found, Reverse(pair))
                heapq.heappush(waiting, pair)
            elif pair < found[0].pair:
                heapq.heapreplace(found, Reverse(pair))
                heapq.heappush(waiting, pair)
    return sorted(entry.pair for entry in found)


def hnsw_search(query, k, ef, vectors, graph):
    if not graph:
        return []
    known = {}

    def measure(index):
        if index not in known:
            gap = vectors[index] - query
            known[index] = float(gap @ gap)
        return known[index], index

    start = measure(min(graph[-1]))
    for links in graph[:0:-1]:
        start = search_level(measure, start, 1, links)[0]
    return [index for _, index in search_level(measure, start, ef, graph[0])[:k]]


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
    sums = {}
    for ranking in rankings:
        for rank, index in enumerate(ranking, start=1):
            above, below = sums.get(index, (0, 1))
            sums[index] = above * (k + rank) + below, below * (k + rank)

    def compare(one, other):
        (a, b), (c, d) = sums[one], sums[other]
        return c * b - a * d or one - other

    return [(index, sums[index][0] / sums[index][1]) for index in sorted(sums, key=cmp_to_key(compare))]


# %%
def hybrid_search(query, vector, documents, vectors, k):
    scores = bm25_scores(query, documents)
    by_words = heapq.nsmallest(100, (place for place, score in enumerate(scores) if score), lambda i: (-scores[i], i))
    by_meaning, _ = cosine_search(vector[np.newaxis], vectors, min(100, len(documents)))
    return reciprocal_rank_fusion([by_words, by_meaning.ravel().tolist()])[:k]


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
def touch(left, right):
    """Whether the last word of one text and the first of the next become one."""
    return bool(left and right) and not left[-1].isspace() and not right[0].isspace()


def fill_prompt(question, passages, budget, template):
    before, after = template.split("{sources}")
    before, after = question.join(before.split("{question}")), question.join(after.split("{question}"))
    around = len(before.split()) + len(after.split())
    if around - touch(before, after) > budget:
        raise ValueError(f"the question alone takes more than {budget} words")
    kept, blocks, words = [], [], 0
    for place, passage in enumerate(passages):
        block = f"[{len(kept) + 1}] {passage}"
        more = len(block.split())
        first = blocks[0] if blocks else block
        if around + words + more - touch(before, first) - touch(block, after) <= budget:
            kept.append(place)
            blocks.append(block)
            words += more
    return before + "\n\n".join(blocks) + after, kept


# %%
def citation_numbers(text):
    numbers, since = [], 0
    closing = text.find("]")
    while closing >= 0:
        opening = text.rfind("[", since, closing)
        parts = text[opening + 1 : closing].split(",") if opening >= 0 else [""]
        if all(set(part.strip()) <= set("0123456789") and part.strip() for part in parts):
            numbers.extend(int(part) for part in parts)
        since = closing + 1
        closing = text.find("]", since)
    return numbers


# %%
def sentences(text):
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", text) if sentence]


# %%
def extract_answer(question, passages, weights, threshold):
    unseen = max(weights.values(), default=1)
    postings = defaultdict(set)
    pieces = []
    for number, passage in enumerate(passages, start=1):
        for sentence in sentences(passage):
            for term in terms(sentence):
                postings[term].add(len(pieces))
            pieces.append((sentence, number))
    total, covered = 0, Counter()
    for term in sorted(set(terms(question))):
        weight = weights.get(term, unseen)
        total += weight
        for place in postings[term]:
            covered[place] += weight
    best = min(covered, key=lambda place: (-covered[place], place), default=None)
    if best is None or not covered[best] or covered[best] / total < threshold:
        return None
    sentence, number = pieces[best]
    return f"{sentence} [{number}]"


# %%
class Bm25Retriever(BaseRetriever):
    documents: list[Document]
    k: int
    _terms: list = PrivateAttr()

    def model_post_init(self, context):
        self._terms = [terms(document.page_content) for document in self.documents]

    def _get_relevant_documents(self, query, *, run_manager):
        scores = bm25_scores(terms(query), self._terms)
        best = heapq.nsmallest(self.k, range(len(scores)), lambda place: (-scores[place], place))
        return [self.documents[place] for place in best]


def rag_chain(passages, k, budget, threshold):
    documents = [Document(page_content=passage["text"], metadata={"id": passage["id"]}) for passage in passages]

    def keep(state):
        texts = [document.page_content for document in state["found"]]
        _, kept = fill_prompt(state["question"], texts, budget, "{sources}\n\n{question}")
        return [state["found"][place] for place in kept]

    def answer(state):
        return extract_answer(state["question"], [d.page_content for d in state["kept"]], {}, threshold)

    def cite(state):
        *_, last = citation_numbers(state["answer"])
        return {"answer": state["answer"], "sources": [state["kept"][last - 1].metadata["id"]]}

    return (
        {"question": RunnablePassthrough(), "found": Bm25Retriever(documents=documents, k=k)}
        | RunnablePassthrough.assign(kept=keep)
        | RunnablePassthrough.assign(answer=answer)
        | RunnableBranch(
            (lambda state: state["answer"] is None, RunnableLambda(lambda _: {"answer": None, "sources": []})),
            cite,
        )
    )
