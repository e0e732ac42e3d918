# %% [markdown]
# # RAG with PyTorch
#
# Scores and distances are tensors in double precision; whatever the statement calls an array is given back as a tensor.

# %%
import json
import math
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from langchain_core.runnables import RunnableLambda, RunnableParallel, RunnablePassthrough

torch.set_default_dtype(torch.float64)


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
    spans = torch.tensor([match.span() for match in re.finditer(r"\S+", text)], dtype=torch.long).reshape(-1, 2)
    step, total = size - overlap, len(spans)
    # word 0 always opens a window; a further one is needed as long as the one before has not reached the end
    first = torch.arange(0, total, step)
    first = first[(first == 0) | (first - step + size < total)]
    last = (first + size).clamp(max=total) - 1
    return [tuple(pair) for pair in torch.stack([spans[first, 0], spans[last, 1]], dim=1).tolist()]


# %%
def bm25_scores(query, documents, *, k1=1.2, b=0.75):
    total = len(documents)
    if not total:
        return []
    repeats = Counter(query)
    column = {term: place for place, term in enumerate(repeats)}
    width = len(column)
    cells = [row * width + column[term] for row, terms_ in enumerate(documents) for term in terms_ if term in column]
    counts = torch.bincount(torch.tensor(cells, dtype=torch.long), minlength=total * width).reshape(total, width)
    containing = (counts > 0).sum(dim=0)
    idf = torch.log1p((total - containing + 0.5) / (containing + 0.5))
    lengths = torch.tensor([len(terms_) for terms_ in documents], dtype=torch.float64)
    mean = lengths.mean()
    relative = lengths / mean if mean > 0 else lengths
    saturation = counts / (counts + k1 * (1 - b + b * relative)[:, None])
    saturation = torch.where(counts > 0, saturation, 0.0)
    weight = idf * torch.tensor(list(repeats.values()), dtype=torch.float64)
    return (saturation * weight).sum(dim=1).tolist()


# %%
def latent_basis(matrix, width):
    left, _, _ = torch.linalg.svd(torch.tensor(np.array(matrix), dtype=torch.float64), full_matrices=False)
    return left[:, :width].contiguous()


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
    q, v = torch.as_tensor(np.array(queries)), torch.as_tensor(np.array(vectors))
    lengths = q.norm(dim=1)[:, None] * v.norm(dim=1)
    cosines = torch.where(lengths > 0, (q @ v.T) / lengths, 0.0)
    values, indices = cosines.sort(dim=1, descending=True, stable=True)
    return indices[:, :k], values[:, :k]


# %%
def select_neighbours(point, candidates, vectors, m):
    if len(candidates) == 0:
        return []
    rows = torch.tensor(candidates, dtype=torch.long).sort().values
    near = torch.tensor(np.array(vectors))[rows]
    distance, order = (near - torch.tensor(np.array(point))).square().sum(dim=1).sort(stable=True)
    rows, near = rows[order], near[order]
    nearest_kept = torch.full_like(distance, math.inf)
    kept = []
    for place in range(len(rows)):
        if len(kept) == m:
            break
        if nearest_kept[place] >= distance[place]:
            kept.append(int(rows[place]))
            nearest_kept = torch.minimum(nearest_kept, (near - near[place]).square().sum(dim=1))
    return kept


# %%
def nearest_first(ids, distances):
    by_id = ids.argsort()
    order = by_id[distances[by_id].argsort(stable=True)]
    return ids[order], distances[order]


def level_search(query, entry, places, vectors, links):
    met = torch.zeros(len(vectors), dtype=torch.bool)
    met[entry] = True
    found = torch.tensor([entry])
    distance = (vectors[found] - query).square().sum(dim=1)
    visited = torch.zeros(len(vectors), dtype=torch.bool)
    # whoever is waiting but not among the found is farther than all of them and would stop the search
    while not visited[found].all():
        here = int(found[~visited[found]][0])
        visited[here] = True
        fresh = torch.tensor(links[here], dtype=torch.long)
        fresh = fresh[~met[fresh]].unique()
        if len(fresh):
            met[fresh] = True
            found = torch.cat([found, fresh])
            distance = torch.cat([distance, (vectors[fresh] - query).square().sum(dim=1)])
            found, distance = (part[:places] for part in nearest_first(found, distance))
    return found.tolist()


def hnsw_search(query, k, ef, vectors, graph):
    if not graph:
        return []
    query, vectors = torch.as_tensor(query), torch.as_tensor(vectors)
    entry = min(graph[-1])
    for links in reversed(graph[1:]):
        (entry,) = level_search(query, entry, 1, vectors, links)
    return level_search(query, entry, ef, vectors, graph[0])[:k]


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
    scores = {}
    for ranking in rankings:
        for below, index in enumerate(ranking, start=k + 1):
            scores[index] = scores.get(index, 0) + Fraction(1, below)
    best = sorted(scores, key=lambda index: (-scores[index], index))
    return [(index, float(scores[index])) for index in best]


# %%
def hybrid_search(query, vector, documents, vectors, k):
    scores, by_words = torch.tensor(bm25_scores(query, documents)).sort(descending=True, stable=True)
    by_words = by_words[scores > 0][:100]
    by_meaning, _ = cosine_search(np.asarray(vector)[None, :], vectors, min(100, len(documents)))
    return reciprocal_rank_fusion([by_words.tolist(), by_meaning[0].tolist()])[:k]


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
    def filled(texts):
        sources = "\n\n".join(f"[{number}] {text}" for number, text in enumerate(texts, start=1))
        return re.sub(r"\{(sources|question)\}", lambda slot: sources if slot[1] == "sources" else question, template)

    kept, prompt = [], filled([])
    if len(prompt.split()) > budget:
        raise ValueError(f"{budget} words are not enough for this question")
    for place, passage in enumerate(passages):
        attempt = filled([*(passages[other] for other in kept), passage])
        if len(attempt.split()) <= budget:
            kept.append(place)
            prompt = attempt
    return prompt, kept


# %%
CITATION = re.compile(r"\[\s*[0-9]+\s*(,\s*[0-9]+\s*)*\]")


def citation_numbers(text):
    return [int(digits) for match in CITATION.finditer(text) for digits in re.findall("[0-9]+", match[0])]


# %%
def sentences(text):
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", text) if sentence]


# %%
def extract_answer(question, passages, weights, threshold):
    unseen = max(weights.values()) if weights else 1.0
    weight = {term: float(weights.get(term, unseen)) for term in terms(question)}
    total = math.fsum(weight.values())
    if total == 0:
        return None
    best, answer = 0.0, None
    for number, passage in enumerate(passages, start=1):
        for sentence in sentences(passage):
            coverage = math.fsum(weight[term] for term in weight.keys() & set(terms(sentence))) / total
            if coverage > best:
                best, answer = coverage, f"{sentence} [{number}]"
    return answer if best >= threshold else None


# %%
def rag_chain(passages, k, budget, threshold):
    indexed = [terms(passage["text"]) for passage in passages]

    def retrieve(question):
        scores = torch.tensor(bm25_scores(terms(question), indexed))
        return [passages[place] for place in scores.argsort(descending=True, stable=True)[:k].tolist()]

    def fill(state):
        _, kept = fill_prompt(
            state["question"], [passage["text"] for passage in state["found"]], budget, "{sources}\n\n{question}"
        )
        return {"question": state["question"], "kept": [state["found"][place] for place in kept]}

    def answer(state):
        return extract_answer(state["question"], [passage["text"] for passage in state["kept"]], {}, threshold)

    def cite(state):
        if state["answer"] is None:
            return {"answer": None, "sources": []}
        number = citation_numbers(state["answer"])[-1]
        return {"answer": state["answer"], "sources": [state["kept"][number - 1]["id"]]}

    return (
        RunnableParallel(question=RunnablePassthrough(), found=RunnableLambda(retrieve))
        | fill
        | RunnableParallel(answer=answer, kept=lambda state: state["kept"])
        | cite
    )
