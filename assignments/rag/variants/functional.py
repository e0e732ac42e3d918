# %% [markdown]
# # RAG, functional
#
# Expressions, generators, `map` and `reduce`; nothing is changed once it has been made.

# %%
import json
import math
import re
from collections import Counter
from fractions import Fraction
from functools import partial, reduce
from heapq import merge
from itertools import accumulate, chain, groupby, islice, starmap, takewhile
from operator import add, itemgetter, mul
from pathlib import Path

import numpy as np
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables import chain as as_chain


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
    lengths = [(blank, len(list(run))) for blank, run in groupby(text, str.isspace)]
    ends = accumulate(length for _, length in lengths)
    words = [(end - length, end) for end, (blank, length) in zip(ends, lengths, strict=True) if not blank]
    slices = (words[first : first + size] for first in range(0, len(words), size - overlap))
    complete = list(takewhile(lambda window: window[-1] != words[-1], slices))
    remaining = words[len(complete) * (size - overlap) :]
    return [(window[0][0], window[-1][1]) for window in filter(None, [*complete, remaining])]


# %%
def bm25_scores(query, documents, *, k1=1.2, b=0.75):
    counters = list(map(Counter, documents))
    containing = Counter(chain.from_iterable(counters))
    mean = sum(map(len, documents)) / max(1, len(documents))

    def idf(term):
        return math.log1p((len(documents) - containing[term] + 0.5) / (containing[term] + 0.5))

    def share(counter, term):
        return counter[term] / (counter[term] + k1 * (1 - b + b * counter.total() / mean))

    return [math.fsum(idf(term) * share(counter, term) for term in query if counter[term]) for counter in counters]


# %%
def latent_basis(matrix, width):
    # A = QR with few rows in R, or A' = QR with R' lower: the singular vectors are those of the small factor
    if matrix.shape[0] > matrix.shape[1]:
        q, r = np.linalg.qr(matrix)
        return q @ np.linalg.svd(r)[0][:, :width]
    return np.linalg.svd(np.linalg.qr(matrix.T, mode="r").T)[0][:, :width]


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
def dot(a, b):
    return sum(map(mul, a, b))


def cosine(a, b):
    squares = dot(a, a), dot(b, b)
    return dot(a, b) / reduce(mul, map(math.sqrt, squares)) if all(squares) else 0.0


def best_first(scores):
    return sorted(enumerate(scores), key=itemgetter(1), reverse=True)


def cosine_search(queries, vectors, k):
    rows = vectors.tolist()
    tables = [best_first(map(partial(cosine, query), rows))[:k] for query in queries.tolist()]
    pairs = np.array(tables, dtype=np.float64).reshape(len(queries), k, 2)
    return pairs[..., 0].astype(np.int64), pairs[..., 1]


# %%
def squared(a, b):
    return sum(d * d for d in (a - b).tolist())


def select_neighbours(point, candidates, vectors, m):
    def step(kept, pair):
        far, candidate = pair
        nearer = (squared(vectors[candidate], vectors[other]) < far for other in kept)
        return kept if len(kept) == m or any(nearer) else [*kept, candidate]

    return reduce(step, sorted((squared(point, vectors[candidate]), candidate) for candidate in candidates), [])


# %%
def states(query, entry, places, vectors, links):
    """All states of a search within a level, until there is nothing more to visit."""

    def measure(index):
        return squared(query, vectors[index]), index

    def following(state):
        waiting, found, met = state
        fresh = sorted(map(measure, set(links[waiting[0][1]]) - met))
        return (
            list(merge(waiting[1:], fresh)),
            list(islice(merge(found, fresh), places)),
            met.union(map(itemgetter(1), fresh)),
        )

    state = [measure(entry)], [measure(entry)], frozenset({entry})
    while state[0] and state[0][0] <= state[1][-1]:
        yield state
        state = following(state)
    yield state


def hnsw_search(query, k, ef, vectors, graph):
    if not graph:
        return []

    def descend(found, level):
        links, places = level
        *_, (_, found, _) = states(query, found[0][1], places, vectors, links)
        return found

    levels = chain(zip(graph[:0:-1], [1] * (len(graph) - 1), strict=True), [(graph[0], ef)])
    return [index for _, index in reduce(descend, levels, [(None, min(graph[-1]))])[:k]]


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
    shares = ((index, Fraction(1, rank)) for ranking in rankings for rank, index in enumerate(ranking, start=k + 1))
    groups = groupby(sorted(shares, key=itemgetter(0)), key=itemgetter(0))
    summed = ((index, reduce(add, map(itemgetter(1), group))) for index, group in groups)
    return [(index, float(score)) for index, score in sorted(summed, key=itemgetter(1), reverse=True)]


# %%
def hybrid_search(query, vector, documents, vectors, k):
    by_words = (index for index, score in best_first(bm25_scores(query, documents)) if score)
    by_meaning = map(itemgetter(0), best_first(map(partial(cosine, vector.tolist()), vectors.tolist())))
    return reciprocal_rank_fusion([list(islice(ranking, 100)) for ranking in (by_words, by_meaning)])[:k]


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
    def numbered(places):
        return "\n\n".join(starmap("[{}] {}".format, enumerate((passages[place] for place in places), start=1)))

    def prompt(places):
        fields = {"sources": numbered(places), "question": question}
        parts = re.split(r"\{(sources|question)\}", template)
        return "".join(fields[part] if odd % 2 else part for odd, part in enumerate(parts))

    def fits(places):
        return len(prompt(places).split()) <= budget

    if not fits([]):
        raise ValueError("too many words even without passages")
    kept = reduce(lambda kept, place: [*kept, place] if fits([*kept, place]) else kept, range(len(passages)), [])
    return prompt(kept), kept


# %%
def citation_numbers(text):
    # what stands between an opening bracket and the next bracket, if that one closes
    openings = (part.partition("]") for part in text.split("[")[1:])
    groups = (list(map(str.strip, inside.split(","))) for inside, closing, _ in openings if closing)
    valid = (group for group in groups if all(part.isascii() and part.isdigit() for part in group))
    return list(map(int, chain.from_iterable(valid)))


# %%
def sentences(text):
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", text) if sentence]


# %%
def extract_answer(question, passages, weights, threshold):
    weight = partial(lambda unseen, term: weights.get(term, unseen), max(weights.values(), default=1))
    wanted = frozenset(terms(question))

    def total(of):
        return math.fsum(map(weight, of))

    pieces = ((number, sentence) for number, text in enumerate(passages, start=1) for sentence in sentences(text))
    covered = ((total(wanted.intersection(terms(sentence))), number, sentence) for number, sentence in pieces)
    best, number, sentence = max(covered, key=itemgetter(0), default=(0, 0, ""))
    return f"{sentence} [{number}]" if best and best / total(wanted) >= threshold else None


# %%
def rag_chain(passages, k, budget, threshold):
    @as_chain
    def retrieve(question):
        scores = bm25_scores(terms(question), [terms(passage["text"]) for passage in passages])
        return question, [passages[index] for index, _ in best_first(scores)[:k]]

    @as_chain
    def fill(state):
        question, found = state
        _, kept = fill_prompt(question, [passage["text"] for passage in found], budget, "{sources}\n\n{question}")
        return question, [found[place] for place in kept]

    def respond(state):
        question, kept = state
        answer = extract_answer(question, [passage["text"] for passage in kept], {}, threshold)
        cited = [number for number in citation_numbers(answer or "") if 0 < number <= len(kept)]
        return {"answer": answer, "sources": [kept[number - 1]["id"] for number in cited]}

    return retrieve | fill | RunnableLambda(respond)
