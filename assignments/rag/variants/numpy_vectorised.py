# %% [markdown]
# # RAG, vectorised
#
# Arrays wherever they help: words as runs of a Boolean mask, BM25 as one table of counts, HNSW on a total order of all
# vectors.

# %%
import json
import math
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
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
    inside = np.array([False, *(not character.isspace() for character in text), False])
    edges = np.flatnonzero(inside[1:] != inside[:-1]).reshape(-1, 2)
    if not len(edges):
        return []
    count = 1 + max(0, -((size - len(edges)) // (size - overlap)))
    first = np.arange(count) * (size - overlap)
    last = np.minimum(first + size, len(edges)) - 1
    return list(zip(edges[first, 0], edges[last, 1], strict=True))


# %%
def bm25_scores(query, documents, *, k1=1.2, b=0.75):
    if not documents or not query:
        return [0.0] * len(documents)
    wanted, repeats = np.unique(query, return_counts=True)
    column = {term: place for place, term in enumerate(wanted.tolist())}
    counts = np.zeros((len(documents), len(wanted)))
    pairs = [(row, column[term]) for row, document in enumerate(documents) for term in document if term in column]
    if pairs:
        np.add.at(counts, tuple(np.transpose(pairs)), 1)
    lengths = np.array([len(document) for document in documents], dtype=np.float64)
    containing = (counts > 0).sum(axis=0)
    idf = np.log1p((len(documents) - containing + 0.5) / (containing + 0.5))
    norm = k1 * (1 - b + b * lengths / max(lengths.mean(), 1e-12))
    below = counts + norm[:, None]
    shares = np.divide(counts, below, out=np.zeros_like(counts), where=counts > 0)
    return list(shares @ (idf * repeats))


# %%
def latent_basis(matrix, width):
    return np.linalg.svd(matrix, full_matrices=False)[0][:, :width]


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
def normalised(rows):
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)


def cosine_search(queries, vectors, k):
    cosines = normalised(queries) @ normalised(vectors).T
    indices = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return indices, np.take_along_axis(cosines, indices, axis=1)


# %%
def select_neighbours(point, candidates, vectors, m):
    if not candidates:
        return []
    rows = np.sort(candidates)
    spread = ((vectors[rows] - point) ** 2).sum(axis=1)
    order = np.argsort(spread, kind="stable")
    rows, spread = rows[order], spread[order]
    between = ((vectors[rows][:, None] - vectors[rows]) ** 2).sum(axis=2)
    open_ = np.ones(len(rows), dtype=bool)
    kept = []
    # the first that is still open is kept, and closes all that it is nearer to than the point is
    while len(kept) < m and open_.any():
        best = int(open_.argmax())
        kept.append(rows[best])
        open_ &= between[best] >= spread
        open_[: best + 1] = False
    return kept


# %%
def within_level(entry, places, place_of, at_place, links):
    """Work with places in the order from near to far, where nothing is equal to anything else."""
    met, waiting, found = (np.zeros(len(at_place), dtype=bool) for _ in range(3))
    met[entry] = waiting[entry] = found[entry] = True
    while waiting.any():
        nearest = waiting.argmax()
        waiting[nearest] = False
        if nearest > np.flatnonzero(found)[-1]:
            break
        near = place_of[np.array(links[at_place[nearest]], dtype=np.int64)]
        near = near[~met[near]]
        met[near] = waiting[near] = found[near] = True
        found[np.flatnonzero(found)[places:]] = False
    return np.flatnonzero(found)


def hnsw_search(query, k, ef, vectors, graph):
    if not graph:
        return []
    at_place = np.argsort(((vectors - query) ** 2).sum(axis=1), kind="stable")
    place_of = np.empty_like(at_place)
    place_of[at_place] = np.arange(len(at_place))
    entry = place_of[min(graph[-1])]
    for links in graph[:0:-1]:
        entry = within_level(entry, 1, place_of, at_place, links)[0]
    found = within_level(entry, ef, place_of, at_place, graph[0])
    return list(at_place[found[:k]])


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
    longest = max(map(len, rankings), default=0)
    parts = np.array([Fraction(1, k + rank) for rank in range(1, longest + 1)], dtype=object)
    occurring, place = np.unique(
        np.concatenate([np.zeros(0, dtype=np.int64), *(np.array(ranking, dtype=np.int64) for ranking in rankings)]),
        return_inverse=True,
    )
    scores = np.full(len(occurring), Fraction(0), dtype=object)
    at = 0
    for ranking in rankings:
        scores[place[at : at + len(ranking)]] += parts[: len(ranking)]
        at += len(ranking)
    order = np.argsort(-scores, kind="stable")
    return list(zip(occurring[order].tolist(), scores[order].astype(np.float64).tolist(), strict=True))


# %%
def hybrid_search(query, vector, documents, vectors, k):
    scores = np.array(bm25_scores(query, documents))
    by_words = np.argsort(-scores, kind="stable")[:100]
    by_words = by_words[scores[by_words] > 0]
    by_meaning = cosine_search(vector[None], vectors, min(100, len(vectors)))[0][0]
    return reciprocal_rank_fusion([by_words.tolist(), by_meaning.tolist()])[:k]


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
    pieces = re.split(r"(\{sources\}|\{question\})", template)
    fields = {"{question}": question}

    def prompt(chosen):
        sources = "\n\n".join(f"[{number}] {passages[place]}" for number, place in enumerate(chosen, start=1))
        return "".join({"{sources}": sources, **fields}.get(piece, piece) for piece in pieces)

    if len(prompt([]).split()) > budget:
        raise ValueError("the prompt exceeds the budget without any passage")
    kept = []
    for place in range(len(passages)):
        if len(prompt([*kept, place]).split()) <= budget:
            kept.append(place)
    return prompt(kept), kept


# %%
def citation_numbers(text):
    groups = re.findall(r"\[(\s*[0-9]+\s*(?:,\s*[0-9]+\s*)*)\]", text)
    return [int(number) for group in groups for number in group.split(",")]


# %%
def sentences(text):
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", text) if sentence]


# %%
def extract_answer(question, passages, weights, threshold):
    wanted = sorted(set(terms(question)))
    pieces = [(sentence, place) for place, passage in enumerate(passages, start=1) for sentence in sentences(passage)]
    if not wanted or not pieces:
        return None
    unseen = max(weights.values(), default=1.0)
    weight = np.array([weights.get(term, unseen) for term in wanted], dtype=np.float64)
    present = np.array([np.isin(wanted, terms(sentence)) for sentence, _ in pieces])
    covered = np.where(present, weight, 0.0).sum(axis=1)
    best = covered.argmax()
    if covered[best] == 0 or covered[best] / weight.sum() < threshold:
        return None
    sentence, place = pieces[best]
    return f"{sentence} [{place}]"


# %%
class ByWords(BaseRetriever):
    passages: list
    k: int

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        scores = np.array(bm25_scores(terms(query), [terms(passage["text"]) for passage in self.passages]))
        best = np.argsort(-scores, kind="stable")[: self.k]
        return [Document(page_content=self.passages[i]["text"], metadata={"id": self.passages[i]["id"]}) for i in best]


def rag_chain(passages, k, budget, threshold):
    def keep(state):
        texts = [document.page_content for document in state["documents"]]
        _, kept = fill_prompt(state["question"], texts, budget, "{sources}\n\n{question}")
        return [state["documents"][place] for place in kept]

    def answer(state):
        return extract_answer(state["question"], [d.page_content for d in state["kept"]], {}, threshold)

    def cite(state):
        if state["answer"] is None:
            return []
        return [state["kept"][citation_numbers(state["answer"])[-1] - 1].metadata["id"]]

    return (
        {"question": RunnablePassthrough(), "documents": ByWords(passages=passages, k=k)}
        | RunnablePassthrough.assign(kept=RunnableLambda(keep))
        | RunnablePassthrough.assign(answer=RunnableLambda(answer))
        | RunnablePassthrough.assign(sources=RunnableLambda(cite))
        | RunnableLambda(lambda state: {key: state[key] for key in ("answer", "sources")})
    )
