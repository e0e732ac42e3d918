# %% [markdown]
# # RAG as streams
#
# Generators pass words, sentences and neighbours along; singular vectors come one by one from the power method; the
# chain streams too.

# %%
import json
import math
import re
from collections import Counter
from fractions import Fraction
from itertools import islice, zip_longest
from pathlib import Path

import numpy as np
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableGenerator, RunnableLambda


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
def words_of(text):
    start = None
    for place, character in enumerate(text + " "):
        if character.isspace():
            if start is not None:
                yield start, place
            start = None
        elif start is None:
            start = place


def word_windows(text, size, overlap):
    def windows():
        stream = words_of(text)
        window = list(islice(stream, size))
        while window:
            yield window[0][0], window[-1][1]
            fresh = list(islice(stream, size - overlap))
            if not fresh:
                return
            # a last window begins where all do, even if few words are left
            window = window[size - overlap :] + fresh

    return list(windows())


# %%
def bm25_scores(query, documents, *, k1=1.2, b=0.75):
    def collect():
        """A coroutine that is sent one term and frequency after the other, then None, and gives back the sum."""
        document = yield
        norm = k1 * ((1 - b) + b * len(document) / mean) if document else 0.0
        total = 0.0
        while (sent := (yield)) is not None:
            term, frequency = sent
            total += idf[term] * (1 - norm / (frequency + norm))
        yield total

    mean = sum(len(document) for document in documents) / len(documents) if documents else 0.0
    containing = Counter(term for document in documents for term in {*document})
    idf = {term: math.log1p((len(documents) - containing[term] + 0.5) / (containing[term] + 0.5)) for term in query}
    scores = []
    for document in documents:
        sink, frequencies = collect(), Counter(document)
        next(sink)
        sink.send(document)
        for term in query:
            if term in frequencies:
                sink.send((term, frequencies[term]))
        scores.append(sink.send(None))
    return scores


# %%
def singular_vectors(matrix):
    """The power method on the smaller Gram matrix, from which each vector found is taken away."""
    generator = np.random.default_rng(3)
    gram = matrix @ matrix.T
    scale = np.trace(gram)
    before = np.zeros((len(gram), 0))
    while before.shape[1] < len(gram):
        power = gram / max(scale, 1e-300)
        for _ in range(4):  # sixteen steps in one
            power = power @ power
            power /= max(np.linalg.norm(power), 1e-300)
        vector, last = generator.normal(size=len(gram)), None
        for _ in range(1000):
            vector = vector - before @ (before.T @ vector)
            vector /= np.linalg.norm(vector)
            if last is not None and np.abs(vector - last).max() < 1e-14:
                break
            last, vector = vector, power @ vector
            if not np.linalg.norm(vector) > 1e-10:
                vector = last
                break
        vector = vector - before @ (before.T @ vector)
        vector /= np.linalg.norm(vector)
        gram = gram - (vector @ gram @ vector) * np.outer(vector, vector)
        before = np.column_stack([before, vector])
        yield vector


def latent_basis(matrix, width):
    if matrix.shape[0] <= matrix.shape[1]:
        return np.column_stack(list(islice(singular_vectors(matrix), width)))
    right = np.column_stack(list(islice(singular_vectors(matrix.T), width)))
    return np.linalg.qr(matrix @ right)[0]


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
    n = len(vectors)
    indices, cosines = np.zeros((len(queries), k), dtype=np.intp), np.zeros((len(queries), k), dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1)
    for row, query in enumerate(queries):
        length = np.linalg.norm(query)
        cosine = np.divide(vectors @ query, lengths * length, out=np.zeros(n), where=lengths * length > 0)
        if 0 < k < n:
            # all that reach the k-th value, in the order of their indices; a stable sort then leaves ties alone
            reach = np.partition(cosine, n - k)[n - k]
            pool = np.flatnonzero(cosine >= reach)
        else:
            pool = np.arange(n)
        best = pool[np.argsort(-cosine[pool], kind="stable")][:k]
        indices[row], cosines[row] = best, cosine[best]
    return indices, cosines


# %%
def select_neighbours(point, candidates, vectors, m):
    def survivors(stream):
        """A sieve: the first passes, and lets through only those that are not nearer to it than to the point."""
        first = next(stream, None)
        if first is None:
            return
        yield first[1]
        place = vectors[first[1]]
        yield from survivors(pair for pair in stream if not np.linalg.norm(vectors[pair[1]] - place) < pair[0])

    ordered = sorted((float(np.linalg.norm(vectors[candidate] - point)), candidate) for candidate in candidates)
    return list(islice(survivors(iter(ordered)), m))


# %%
def walk(entry, places, links):
    """A coroutine that asks for distances: it yields lists of indices, and is sent their distances."""
    (distance,) = yield [entry]
    seen = {entry: distance}
    found, visited = [entry], set()
    while (here := next((index for index in found if index not in visited), None)) is not None:
        visited.add(here)
        fresh = sorted(set(links[here]) - seen.keys())
        if fresh:
            distances = yield fresh
            seen.update(zip(fresh, distances, strict=True))
            found = sorted(found + fresh, key=lambda index: (seen[index], index))[:places]
    return found


def answering(walker, query, vectors):
    try:
        asked = next(walker)
        while True:
            asked = walker.send([math.dist(query, vectors[index]) for index in asked])
    except StopIteration as end:
        return end.value


def hnsw_search(query, k, ef, vectors, graph):
    if not graph:
        return []
    entry = min(graph[-1])
    for links in graph[:0:-1]:
        entry = answering(walk(entry, 1, links), query, vectors)[0]
    return answering(walk(entry, ef, graph[0]), query, vectors)[:k]


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
    scores, nothing = {}, object()
    # the first of all rankings, then the second of all, and so on
    for below, column in enumerate(zip_longest(*rankings, fillvalue=nothing), start=k + 1):
        for index in column:
            if index is not nothing:
                scores[index] = scores.get(index, 0) + Fraction(1, below)
    return [(index, float(scores[index])) for index in sorted(sorted(scores), key=scores.get, reverse=True)]


# %%
def hybrid_search(query, vector, documents, vectors, k):
    scores = bm25_scores(query, documents)
    by_words = sorted(filter(scores.__getitem__, range(len(scores))), key=lambda index: -scores[index])
    (by_meaning,), _ = cosine_search(np.reshape(vector, (1, -1)), vectors, min(100, len(vectors)))
    return reciprocal_rank_fusion([by_words[:100], by_meaning.tolist()])[:k]


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
    def pieces(texts):
        for piece in re.split(r"(?=\{sources\}|\{question\})|(?<=\{sources\})|(?<=\{question\})", template):
            if piece == "{sources}":
                yield "\n\n".join(f"[{number}] {text}" for number, text in enumerate(texts, start=1))
            else:
                yield question if piece == "{question}" else piece

    def attempts():
        kept = []
        for place in range(len(passages)):
            if (yield [*kept, place]):
                kept.append(place)

    prompt, places = "".join(pieces([])), []
    if len(prompt.split()) > budget:
        raise ValueError("no room for the question")
    stream = attempts()
    trial = next(stream, None)
    while trial is not None:
        text = "".join(pieces(passages[place] for place in trial))
        fits = len(text.split()) <= budget
        if fits:
            prompt, places = text, trial
        try:
            trial = stream.send(fits)
        except StopIteration:
            break
    return prompt, places


# %%
def citation_numbers(text):
    def numbers():
        for match in re.finditer(r"\[(?P<inside>[0-9,\s]+)\]", text):
            parts = [part.split() for part in match["inside"].split(",")]
            if all(len(part) == 1 for part in parts):
                yield from (int(digits) for (digits,) in parts)

    return list(numbers())


# %%
def sentences(text):
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", text) if sentence]


# %%
def extract_answer(question, passages, weights, threshold):
    unseen = max(weights.values()) if weights else 1.0
    asked = dict.fromkeys(terms(question))
    total = sum(weights.get(term, unseen) for term in asked)

    def improving():
        best = 0.0
        for number, passage in enumerate(passages, start=1):
            for sentence in sentences(passage):
                there = set(terms(sentence))
                weight = sum(weights.get(term, unseen) for term in asked if term in there)
                if weight > best:
                    best = weight
                    yield best / total, f"{sentence} [{number}]"

    coverage, answer = 0.0, None
    for coverage, answer in improving():  # noqa: B007 (the last one is wanted)
        pass
    return answer if coverage >= threshold else None


# %%
class Found(BaseRetriever):
    library: list[Document]
    k: int

    def _get_relevant_documents(self, query, *, run_manager):
        scores = bm25_scores(terms(query), [terms(document.page_content) for document in self.library])
        return [self.library[i] for i in sorted(range(len(scores)), key=scores.__getitem__, reverse=True)[: self.k]]


def rag_chain(passages, k, budget, threshold):
    library = [Document(id=str(n), page_content=p["text"], metadata=dict(p)) for n, p in enumerate(passages)]

    def replies(states):
        for question, documents in states:
            texts = [document.page_content for document in documents]
            _, kept = fill_prompt(question, texts, budget, "{sources}\n\n{question}")
            answer = extract_answer(question, [texts[place] for place in kept], {}, threshold)
            number = citation_numbers(answer)[-1] if answer else None
            yield {"answer": answer, "sources": [documents[kept[number - 1]].metadata["id"]] if number else []}

    found = Found(library=library, k=k)
    return RunnableLambda(lambda question: (question, found.invoke(question))) | RunnableGenerator(replies)
