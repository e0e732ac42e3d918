"""Checks of the retrieval assignment: public ones on small random inputs, hidden ones on the rules at the edges.

Every check draws its inputs from the run's secret seed, and mixes them so that no constant answer is right throughout.
The search of the handbook is measured on its questions, half of which no notebook has seen.
Not covered: the space that the notebook computes its vectors in, but through what is found with it.
"""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from harness.checks import Text, check, tolerance
from harness.metrics.retrieval import Neighbours

CLOSE = 1e-9  # share of a score: rounding is a millionth of that, and scores that differ do so by far more
EXAMPLES = 50  # inputs a search draws: a mistake that none of them shows is one of the rules with a check of its own
DATA = Path(__file__).with_name("data")
DEPTH = 100  # of the rankings that are fused
TEMPLATE = "Sources :\n{sources}\n\nQuestion : {question}"
WORDS = ["chat", "chien", "dort", "court", "loup", "nuit", "vent", "mer", "jour", "pain", "roi", "clef"]  # whole terms
STAIRS = [  # each level leads from one place to the next where no other one does
    {0: [1], 1: [0], 2: [3], 3: [2], 4: [5], 5: [4], 6: [7], 7: [6]},
    {0: [2], 2: [0], 4: [6], 6: [4]},
    {0: [4], 4: [0]},
]
DETOUR = [{0: [], 1: [], 2: []}, {0: [1], 1: [0, 2], 2: [1]}]  # from 0 to 2, first a step away: too far for one place
SPACES = [" ", "  ", "\n", "\t", "\u00a0", "\n\n"]

word = st.sampled_from(WORDS[:4])
document = st.lists(word, max_size=5)
ranking = st.lists(st.integers(0, 5), max_size=4, unique=True)


def lines(name):
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def sentence(rng, *, words=WORDS, ending="."):
    return " ".join(rng.choice(words, size=rng.integers(2, 6)).tolist()) + ending


def text(rng, *, sentences=2):
    return " ".join(sentence(rng, ending=str(rng.choice([".", "!", "?"]))) for _ in range(sentences))


def spaced(rng, *, words):
    """Words with various white space between and around them."""
    gaps = rng.choice(SPACES, size=words + 1).tolist()
    inside = (str(one) + gap for one, gap in zip(rng.choice(WORDS, size=words), gaps[1:], strict=True))
    return gaps[0] + "".join(inside)


def grid(rng, *shape):
    """Whole numbers: their squared distances are exact, and many of them equal."""
    return rng.integers(-3, 4, size=shape).astype(np.float64)


def quarters(rng):
    """Weights of the words: multiples of 1/4, whose sums are exact in whatever order."""
    return {one: float(weight) / 4 for one, weight in zip(WORDS, rng.integers(1, 13, size=len(WORDS)), strict=True)}


def separated(rng, rows, columns, *, width):
    """A matrix whose singular values fall by a fifth at least after the first `width`: the space is well determined."""
    left, _ = np.linalg.qr(rng.normal(size=(rows, min(rows, columns))))
    right, _ = np.linalg.qr(rng.normal(size=(columns, min(rows, columns))))
    values = np.sort(rng.uniform(2.0, 4.0, size=min(rows, columns)))[::-1].copy()
    values[width:] *= 0.4
    return (left * values) @ right.T


def hold_basis(submission, compare, inputs):
    """Hold the spaces that `latent_basis` spans, and that its columns are orthonormal."""
    for (matrix, width), answer in zip(inputs, submission.latent_basis.map(inputs), strict=True):
        left, _, _ = np.linalg.svd(matrix, full_matrices=False)
        basis = real_array(answer, shape=(len(matrix), width))
        # the gap between singular values divides the rounding errors: a hundred times those of a plain sum
        rtol = tolerance(terms=10_000_000)
        with np.errstate(all="ignore"):  # whatever the numbers are
            compare(basis.T @ basis, np.eye(width), rtol=rtol, what="basis.T @ basis")
            compare(projector(basis), projector(left[:, :width]), rtol=rtol, what="basis @ basis.T")


def real_array(answer, *, shape):
    """The array or tensor that `latent_basis` returned, if it has that shape and holds real numbers."""
    found = np.asarray(answer) if hasattr(answer, "shape") else np.empty(0)
    assert (found.shape, found.dtype.kind in "fiu") == (shape, True), Text(
        f"`latent_basis` doit renvoyer un tableau de réels de forme {shape}.",
        f"`latent_basis` must return an array of floats of shape {shape}.",
    )
    return found


def projector(basis):
    """What does not depend on the signs, or on the choice, of the columns of an orthonormal basis."""
    return basis @ basis.T


def cosine(oracle, queries, vectors, k):
    """What `cosine_search` must return."""
    lengths = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in (queries, vectors)]
    units = [rows / np.where(length > 0, length, 1.0) for rows, length in zip((queries, vectors), lengths, strict=True)]
    return oracle.inner_product_search(*units, k)


def lexical(oracle, query, documents):
    """The ranking by words that `hybrid_search` fuses."""
    scores = np.array(oracle.bm25_scores(query, documents))
    return [place for place in oracle.top_k(scores, min(DEPTH, len(scores))).tolist() if scores[place] > 0]


def decided(oracle, query, documents):
    """Whether no rounding decides how documents are ranked by words: equal scores come from the same numbers.

    Those are a document's length and, for each term of the query in turn, how many documents hold it and how often.
    """
    holding = {term: sum(term in document for document in documents) for term in query}
    numbers = [(len(one), *((holding[term], one.count(term)) for term in query if term in one)) for one in documents]
    scores = zip(oracle.bm25_scores(query, documents), numbers, strict=True)
    ranked = sorted((each for each in scores if each[0] > 0), reverse=True)
    return all(a == b or high - low > CLOSE * high for (high, a), (low, b) in pairwise(ranked))


def hybrid(oracle, query, vector, documents, vectors, k):
    """What `hybrid_search` must return."""
    dense, _ = cosine(oracle, vector[None], vectors, min(DEPTH, len(vectors)))
    return oracle.reciprocal_rank_fusion([lexical(oracle, query, documents), dense[0].tolist()])[:k]


def collection(oracle, rng, *, number, words, terms, k):
    """A query of so many `words` and documents over so many `terms`, with their vectors; drawn until it is decided."""
    vocabulary = [f"t{place}" for place in range(terms)]
    while True:
        query = rng.choice(vocabulary, size=words).tolist()
        documents = [rng.choice(vocabulary, size=rng.integers(1, 2 * terms)).tolist() for _ in range(number)]
        if decided(oracle, query, documents):
            return query, rng.normal(size=4), documents, rng.normal(size=(number, 4)), k


def nearest(oracle, vectors, *, m, rng, top=1, broken=0.0):
    """A graph over `vectors` and the search in it.

    `top`: vectors on its highest level at least. `broken`: the share of the links that is cut.
    """
    index = oracle.HNSW(vectors, m=m, ef_construction=2 * m, rng=rng)
    while len(index.graph[-1]) < top:
        index = oracle.HNSW(vectors, m=m, ef_construction=2 * m, rng=rng)
    for level in index.graph:
        level.update({node: [link for link in links if rng.random() >= broken] for node, links in level.items()})

    def search(query, k, ef, *_):
        return [found for found in index.search(query[None], k, ef=ef)[0][0].tolist() if found >= 0]

    return index.graph, search


def telling(rng, vectors, search, k, ef):
    """A query that tells `search` from looking at all vectors or, where `ef` leaves room, from a search without it."""
    while True:
        query = rng.normal(size=vectors.shape[1])
        nearest_of_all = np.linalg.norm(vectors - query, axis=1).argsort()[:k].tolist()
        others = [nearest_of_all] if ef == k else [search(query, k, k)]
        if search(query, k, ef) not in others:
            return query


def windows(oracle, written, size, overlap):
    chunks = oracle.window_chunks(written, oracle.word_spans(written), size=size, overlap=overlap)
    return [(chunk.start, chunk.end) for chunk in chunks]


def filled(oracle, question, passages, budget, template):
    """What `fill_prompt` must return, by its rule alone."""

    def fill(kept):
        sources = oracle.numbered_sources([oracle.Chunk(passages[place], 0, 0) for place in kept])
        return template.format(sources=sources, question=question)

    kept = []
    for place in range(len(passages)):
        if len(fill([*kept, place]).split()) <= budget:
            kept.append(place)
    return fill(kept), kept


def cut(passage):
    """Sentences of a passage made by `text`."""
    ends = [place + 1 for place, sign in enumerate(passage) if sign in ".!?"]
    return [passage[start:end].strip() for start, end in zip([0, *ends], ends, strict=False)]


def split(written):
    """The terms of a text of short words, as they come."""
    return [one for one in (word.strip(".!?").lower() for word in written.split()) if one]


def extracted(question, passages, weights, threshold):
    """What `extract_answer` must return, for words that are terms as they stand."""
    unknown, asked = max(weights.values(), default=1), set(split(question))

    def weight(shared):
        return sum(weights.get(term, unknown) for term in shared)

    ranked = [
        (-weight(asked & set(split(one))), number, place, one)
        for number, passage in enumerate(passages, start=1)
        for place, one in enumerate(cut(passage))
    ]
    covered, number, _, one = min(ranked, default=(0, 0, 0, ""))
    return f"{one} [{number}]" if covered and -covered / weight(asked) >= threshold else None


def answered(oracle, passages, k, budget, threshold, question):
    """What the chain must answer."""
    scores = oracle.bm25_scores(split(question), [split(passage["text"]) for passage in passages])
    best = oracle.top_k(np.array(scores), min(k, len(scores))).tolist()
    texts = [passages[place]["text"] for place in best]
    _, kept = filled(oracle, question, texts, budget, "{sources}\n\n{question}")
    answer = extracted(question, [texts[place] for place in kept], {}, threshold)
    cited = oracle.citation_numbers(answer or "")
    return {"answer": answer, "sources": [passages[best[kept[number - 1]]]["id"] for number in cited]}


def library(oracle, rng, *, questions, number=8):
    """Passages and questions about them; a question is drawn until it is decided."""
    passages = [{"id": f"p{place}", "text": text(rng)} for place in rng.permutation(number).tolist()]
    documents = [split(passage["text"]) for passage in passages]
    asked = []
    while len(asked) < questions:
        question = sentence(rng, words=[*WORDS, "zèbre", "hiver"], ending=" ?")
        if decided(oracle, split(question), documents):
            asked.append(question)
    return passages, asked


def staggered(rng):
    """Three passages and a question: the second one by its words has the sentence that answers best."""
    one, two, *others = rng.permutation(WORDS).tolist()
    texts = [f"{one}. {two}.", f"{one} {two} {' '.join(others[:5])}.", f"{one} {others[5]} {others[6]}."]
    return [{"id": f"p{place}", "text": texts[place]} for place in rng.permutation(3).tolist()], [f"{one} {two} ?"]


def runnable(chain):
    """What `rag_chain` returned, if it can be asked."""
    assert hasattr(chain, "invoke"), Text(
        "`rag_chain` doit renvoyer un Runnable de LangChain.", "`rag_chain` must return a LangChain Runnable."
    )
    return chain


def topics(name):
    """The questions of a file that have an answer, in French and in English by turns, and the grades of passages."""
    questions = [one for one in lines(name) if one["relevant"]]
    return {
        "documents": [passage["id"] for passage in lines("handbook.fr.jsonl")],
        "queries": {one["id"]: one["fr" if place % 2 else "en"] for place, one in enumerate(questions)},
        "qrels": {one["id"]: one["relevant"] for one in questions},
    }


# ---------------------------------------------------------------------------------------------------------- public


@check(points=1, fr="Découper en fenêtres qui se chevauchent", en="Cutting into overlapping windows")
def test_word_windows(submission, oracle, differential, rng):
    inputs = []
    for words in (1, 2, 5, 7, 12):
        size = int(rng.integers(2, 6))
        inputs += [(spaced(rng, words=words), size, overlap) for overlap in {0, 1, size - 1}]
    differential(submission.word_windows, lambda *each: windows(oracle, *each), inputs)


@check(points=1, fr="Les scores BM25", en="BM25 scores")
def test_bm25_scores(submission, oracle, differential):
    documents = st.lists(document, min_size=1, max_size=5).filter(any)
    differential(submission.bm25_scores, oracle.bm25_scores, st.tuples(document, documents), examples=EXAMPLES)


@check(points=1, fr="Les directions singulières dominantes", en="The dominant singular directions")
def test_latent_basis(submission, compare, rng):
    inputs = [(separated(rng, rows, 5, width=width), width) for rows, width in ((7, 1), (7, 2), (9, 3))]
    hold_basis(submission, compare, inputs)


@check(points=1, fr="Les voisins par cosinus", en="Neighbours by cosine")
def test_cosine_search(submission, oracle, differential, rng):
    inputs = [
        (rng.normal(size=(queries, 3)), rng.normal(size=(vectors, 3)) * rng.uniform(0.1, 9, size=(vectors, 1)), k)
        for queries, vectors, k in ((1, 2, 1), (1, 4, 4), (2, 5, 3), (3, 9, 4))
    ]
    differential(submission.cosine_search, lambda *each: cosine(oracle, *each), inputs)


@check(points=0.5, fr="Choisir des voisins dans plusieurs directions", en="Choosing neighbours in several directions")
def test_select_neighbours(submission, oracle, differential, rng):
    radii = rng.uniform(1.0, 3.0, size=(6, 1))  # along the axes both ways: none stands before another
    inputs = [(np.zeros(3), rng.permutation(6).tolist(), radii * np.vstack([np.eye(3), -np.eye(3)]), 6)]
    for number, m in ((3, 2), (6, 3), (8, 4), (12, 5), (12, 12)):
        candidates = rng.permutation(number + 3)[:number].tolist()
        inputs.append((rng.normal(size=2), candidates, rng.normal(size=(number + 3, 2)), m))
    differential(submission.select_neighbours, oracle.select_neighbours, inputs)


@check(points=1, fr="Chercher dans le graphe HNSW", en="Searching the HNSW graph")
def test_hnsw_search(submission, oracle, compare, rng):
    for number, width, m, top in ((6, 1, 2, 1), (30, 2, 2, 2), (60, 3, 3, 1)):
        vectors = rng.normal(size=(number, width))
        graph, search = nearest(oracle, vectors, m=m, rng=rng, top=top)
        calls = [(rng.normal(size=width), k, ef, vectors, graph) for k, ef in ((1, 1), (2, 2), (3, 6), (5, 5))]
        for k, ef in ((1, 1), (3, 6)) if number > 6 else ():  # a graph of so few leads everywhere
            calls.append((telling(rng, vectors, search, k, ef), k, ef, vectors, graph))
        for arguments, found in zip(calls, submission.hnsw_search.map(calls), strict=True):
            compare(found, search(*arguments))


@check(points=0.5, fr="Fusionner des classements", en="Fusing rankings")
def test_reciprocal_rank_fusion(submission, oracle, differential):
    rankings = st.lists(ranking, min_size=1, max_size=2)
    differential(submission.reciprocal_rank_fusion, oracle.reciprocal_rank_fusion, rankings, examples=EXAMPLES)


@check(
    points=0.5,
    fr="La recherche hybride, mesurée sur les questions du fichier",
    en="Hybrid search, measured on the questions of the file",
    needs=["bm25_scores", "cosine_search", "reciprocal_rank_fusion"],
)
def test_hybrid_search(submission, oracle, differential, retrieval, rng):
    sizes = ((2, 1, 2, 1), (4, 2, 3, 2), (6, 2, 4, 6), (9, 3, 6, 4), (12, 4, 9, 20))
    inputs = [
        collection(oracle, rng, number=number, words=words, terms=terms, k=k) for number, words, terms, k in sizes
    ]
    differential(submission.hybrid_search, lambda *each: hybrid(oracle, *each), inputs)
    retrieval(submission.search_handbook, **topics("questions.public.jsonl"))


@check(points=1, fr="Remplir l'invite dans les limites du budget", en="Filling the prompt within the budget")
def test_fill_prompt(submission, oracle, differential, rng):
    inputs = []
    for number in (1, 2, 4, 6):
        passages = [sentence(rng) for _ in range(number)]
        question = sentence(rng, ending=" ?")
        whole = len(filled(oracle, question, passages, 1000, TEMPLATE)[0].split())
        inputs += [(question, passages, whole - less, TEMPLATE) for less in (0, 1, number + 1)]
    differential(submission.fill_prompt, lambda *each: filled(oracle, *each), inputs)


@check(points=0.5, fr="Lire les citations", en="Reading citations")
def test_citation_numbers(submission, oracle, differential):
    piece = st.sampled_from(["a", " ", ".", "[1]", "[2]", "[12]", "[1, 3]", "[2,1]"])
    written = st.lists(piece, max_size=6).map("".join)
    differential(submission.citation_numbers, oracle.citation_numbers, written, examples=EXAMPLES)


@check(points=1, fr="Extraire la réponse ou refuser", en="Extracting the answer, or refusing")
def test_extract_answer(submission, differential, rng):
    inputs = []
    for number, threshold in ((1, 0.11), (2, 0.31), (3, 0.31), (3, 0.553), (3, 0.809), (4, 0.553)):
        passages, weights = [text(rng) for _ in range(number)], quarters(rng)
        inputs += [(sentence(rng, ending=" ?"), passages, weights, threshold) for _ in range(3)]
    differential(submission.extract_answer, extracted, inputs)


@check(
    points=1,
    fr="La chaîne LangChain, d'une question à la réponse citée",
    en="The LangChain chain, from a question to the cited answer",
    needs=["bm25_scores", "fill_prompt", "extract_answer"],
)
def test_rag_chain(submission, oracle, compare, rng):
    passages, questions = library(oracle, rng, questions=12)
    settings = ((1, 40, 0.41), (2, 60, 0.31), (3, 14, 0.31), (8, 16, 0.51))
    tasks = [(passages, questions, *each) for each in settings]
    tasks += [(*staggered(rng), k, 40, 0.41) for k in (1, 3)]
    for passages, questions, *each in tasks:
        chain = runnable(runnable(submission.rag_chain(passages, *each)).with_config(run_name="rag_chain"))
        answers = [chain.invoke(question) for question in questions]
        for question, answer in zip(questions, answers, strict=True):
            expected = answered(oracle, passages, *each, question)
            compare(answer, expected, what=f"rag_chain(...).invoke({question!r})")


# ---------------------------------------------------------------------------------------------------------- hidden


@check(
    points=1,
    fr="Fenêtres : texte vide ou court, espaces insécables, dernière fenêtre",
    en="Windows: empty or short text, no-break spaces, the last window",
    visibility="hidden",
    needs=["word_windows"],
)
def test_word_windows_edges(submission, oracle, differential, rng):
    long = spaced(rng, words=40)
    inputs = [("", 3, 1), (" \n", 2, 0), ("loup", 5, 4), (" «\u00a0loup\u00a0!\u00a0» ", 2, 1)]
    inputs += [
        (spaced(rng, words=6), size, overlap) for size, overlap in ((6, 5), (6, 0), (4, 2), (3, 0), (1, 0), (9, 8))
    ]
    inputs += [(long, size, overlap) for size, overlap in ((12, 3), (40, 39), (39, 38), (13, 0))]
    differential(submission.word_windows, lambda *each: windows(oracle, *each), inputs)


@check(
    points=1,
    fr="BM25 : termes répétés ou inconnus, documents vides, paramètres",
    en="BM25: repeated or unknown terms, empty documents, parameters",
    visibility="hidden",
    needs=["bm25_scores"],
)
def test_bm25_scores_edges(submission, oracle, compare, rng):
    documents = [rng.choice(WORDS[:6], size=size).tolist() for size in (0, 1, 3, 9, 30, 0)]
    once, query = str(documents[2][0]), rng.choice(WORDS, size=8).tolist()
    for asked, searched in (
        ([], documents),
        ([once] * 3, documents),
        (["zèbre", once], documents),
        ([once], documents[2:3]),
        (query, [[], []]),
        (query, []),
    ):
        compare(submission.bm25_scores(asked, searched), oracle.bm25_scores(asked, searched))
    for k1, b in ((0, 0.75), (1.2, 0), (0.5, 1), (2.0, 0.3)):
        compare(
            submission.bm25_scores(query, documents, k1=k1, b=b),
            oracle.bm25_scores(query, documents, k1=k1, b=b),
            what=f"bm25_scores(..., k1={k1}, b={b})",
        )


@check(
    points=0.5,
    fr="Directions singulières : matrices larges, toutes les directions",
    en="Singular directions: wide matrices, all directions",
    visibility="hidden",
    needs=["latent_basis"],
)
def test_latent_basis_shapes(submission, compare, rng):
    shapes = ((3, 12, 2), (4, 4, 4), (5, 3, 3), (1, 1, 1))
    inputs = [(separated(rng, rows, columns, width=width), width) for rows, columns, width in shapes]
    hold_basis(submission, compare, inputs)


@check(
    points=1,
    fr="Cosinus : vecteurs nuls, ex æquo, k = 0",
    en="Cosine: zero vectors, ties, k = 0",
    visibility="hidden",
    needs=["cosine_search"],
)
def test_cosine_search_edges(submission, oracle, differential, rng):
    axes = np.eye(3)[rng.integers(3, size=60)] * 2.0 ** rng.integers(-3, 4, size=(60, 1))  # cosines tie exactly
    axes[rng.integers(60, size=9)] = 0
    queries = np.vstack([rng.normal(size=(3, 3)), np.zeros((1, 3))])
    inputs = [(queries, axes, 60), (queries, axes, 7), (queries, axes, 0), (np.zeros((0, 3)), axes, 2)]
    inputs.append((rng.normal(size=(5, 20)), rng.normal(size=(70, 20)), 9))
    differential(submission.cosine_search, lambda *each: cosine(oracle, *each), inputs)


@check(
    points=0.5,
    fr="Choix des voisins : distances égales, aucun candidat",
    en="Choice of neighbours: equal distances, no candidate",
    visibility="hidden",
    needs=["select_neighbours"],
)
def test_select_neighbours_ties(submission, oracle, differential, rng):
    corner = grid(rng, 2)
    legs = np.array([[2.0, 0.0], [1.0, 2.0]]) * rng.choice([-1, 1], size=2)  # as far from each other as one is long
    inputs = [(grid(rng, 2), [], grid(rng, 3, 2), 2), (corner, [1, 0], corner + legs, 2)]
    for number, m in ((8, 3), (12, 4), (20, 20), (20, 6), (30, 1)):
        inputs.append((grid(rng, 2), rng.permutation(number).tolist(), grid(rng, number, 2), m))
    differential(submission.select_neighbours, oracle.select_neighbours, inputs)


@check(
    points=1,
    fr="HNSW : distances égales, copies, graphe coupé, un seul vecteur",
    en="HNSW: equal distances, copies, a broken graph, a single vector",
    visibility="hidden",
    needs=["hnsw_search"],
)
def test_hnsw_search_edges(submission, oracle, compare, rng):
    compare(submission.hnsw_search(rng.normal(size=2), 0, 3, np.zeros((0, 2)), []), [])
    origin, line, apart = grid(rng, 1), np.arange(8.0)[:, None], np.array([[-2.0], [3.0], [0.5]])
    calls = [(origin + place - 0.1, 1, 1, origin + line, STAIRS) for place in (1, 2, 5, 7)]
    calls.append((origin, 1, 1, origin + apart, DETOUR))
    for found, right in zip(submission.hnsw_search.map(calls), (1, 2, 5, 7, 0), strict=True):
        compare(found, [right])
    for vectors, m, top, broken in (
        (grid(rng, 1, 2), 3, 1, 0.0),
        (grid(rng, 50, 2), 3, 1, 0.0),  # 49 places: copies and ties
        (grid(rng, 60, 3), 3, 2, 0.5),
        (rng.normal(size=(60, 2)), 12, 4, 0.7),  # few ways on level 1: being greedy there is not being right
    ):
        graph, search = nearest(oracle, vectors, m=m, rng=rng, top=top, broken=broken)
        most = min(12, len(vectors))
        settings = ((0, 1), (1, 1), (1, most), (most, most), (most, most + 8), *[(1, 1)] * 20)
        calls = [(grid(rng, vectors.shape[1]), k, ef, vectors, graph) for k, ef in settings]
        for arguments, found in zip(calls, submission.hnsw_search.map(calls), strict=True):
            compare(found, search(*arguments))


@check(
    points=0.5,
    fr="L'index HNSW : rappel et requêtes par seconde",
    en="The HNSW index: recall and queries per second",
    visibility="hidden",
    needs=["select_neighbours", "hnsw_search"],
)
def test_index(submission, retrieval, rng):
    task = Neighbours(vectors=rng.normal(size=(150, 6)), queries=rng.normal(size=(200, 6)), k=5, recall=0.8)
    speed = retrieval.ann(submission.build_index, submission.search_index, task=task, settings=[8, 48])
    assert speed.value > 0, Text(
        "Aucune des deux valeurs d'`ef` ne retrouve 80 % des plus proches voisins.",
        "Neither value of `ef` finds 80% of the nearest neighbours.",
    )


@check(
    points=1,
    fr="Fusion : ex æquo exacts, classements vides, autre k",
    en="Fusion: exact ties, empty rankings, another k",
    visibility="hidden",
    needs=["reciprocal_rank_fusion"],
)
def test_reciprocal_rank_fusion_edges(submission, oracle, compare, rng):
    for rankings in ([], [[], []], [[3], [], [3]], [rng.permutation(9).tolist() for _ in range(4)]):
        compare(submission.reciprocal_rank_fusion(rankings), oracle.reciprocal_rank_fusion(rankings))
    # every document has the same ranks in another order: sums of floats differ in their last digit, fractions do not
    turns = rng.permutation(7)
    rankings = [np.roll(turns, turn).tolist() for turn in rng.permutation(7).tolist()]
    for k in (60, 0, 1, 7):
        compare(
            submission.reciprocal_rank_fusion(rankings, k=k),
            oracle.reciprocal_rank_fusion(rankings, k=k),
            what=f"reciprocal_rank_fusion(..., k={k})",
        )


@check(
    points=1,
    fr="Recherche hybride : cent documents au plus, aucun terme, et des questions nouvelles",
    en="Hybrid search: a hundred documents at most, no term, and new questions",
    visibility="hidden",
    needs=["hybrid_search"],
)
def test_hybrid_search_depth(submission, oracle, differential, retrieval, rng):
    query, vector, documents, vectors, k = collection(oracle, rng, number=170, words=3, terms=12, k=200)
    inputs = [
        (query, vector, documents, vectors, k),
        (query, np.zeros(4), documents, vectors, 5),
        ([], vector, documents, vectors, 3),
        (["t0", "t1"], np.zeros(4), [["t9"], ["t1"], [], ["t1"]], np.zeros((4, 4)), 4),
        (["t9"], vector, [["t1"]], vectors[:1], 1),
    ]
    differential(submission.hybrid_search, lambda *each: hybrid(oracle, *each), inputs)
    retrieval(submission.search_handbook, **topics("questions.hidden.jsonl"))


@check(
    points=1,
    fr="Invite : passage trop long sauté, accolades, budget trop petit",
    en="Prompt: a long passage left out, braces, too small a budget",
    visibility="hidden",
    needs=["fill_prompt"],
)
def test_fill_prompt_edges(submission, oracle, differential, rng):
    first, second, third = (sentence(rng) for _ in range(3))
    long, braces = text(rng, sentences=9), f"{{question}} {{sources}} {{{rng.choice(WORDS)}}}"
    question = f"{sentence(rng, ending='')} {{sources}} ?"
    bare = len(TEMPLATE.format(sources="", question=question).split())
    inputs = [
        (question, [], bare, TEMPLATE),
        (question, [first], bare, TEMPLATE),
        (question, [first, long, second, long, third], bare + len(f"{first} {second} {third}".split()) + 3, TEMPLATE),
        (question, [long, braces, first], bare + len(f"{braces} {first}".split()) + 2, "{question}\n{sources}"),
        (question, [braces, "", second], 10_000, TEMPLATE),
    ]
    differential(submission.fill_prompt, lambda *each: filled(oracle, *each), inputs)
    small = submission.fill_prompt.answers([(question, [first], bare - 1, TEMPLATE)])[0]
    assert getattr(small.error, "name", None) == "ValueError", Text(
        "Quand l'invite sans passage dépasse déjà le budget, `fill_prompt` doit lever ValueError.",
        "When the prompt without any passage already exceeds the budget, `fill_prompt` must raise ValueError.",
    )


@check(
    points=0.5,
    fr="Citations : espaces, zéros, crochets qui n'en sont pas",
    en="Citations: spaces, zeros, brackets that are none",
    visibility="hidden",
    needs=["citation_numbers"],
)
def test_citation_numbers_edges(submission, oracle, differential, rng):
    one, two = rng.integers(1, 400, size=2).tolist()
    inputs = ["", f"[{one}", f"[ {one} ,{two} ]", f"[{one}-{two}] [{two}]", f"[{one};{two}]", f"[[{one}]]"]
    inputs += [
        "[] [,] [1,] [,1] [a]",
        f"[0{one}] [{one}, {one}]",
        f"[-{one}] [+{two}] [{one}.{two}]",
        f"({one}) [{two}]",
    ]
    inputs += [f"[{one} {two}]", f"[\n{one},\n{two}]", f"x[{two}][{one}]y [{one},{two},{one}] [²] [{two}"]
    differential(submission.citation_numbers, oracle.citation_numbers, inputs)


@check(
    points=0.5,
    fr="Réponse : seuil tout juste atteint, ex æquo, termes inconnus, rien à lire",
    en="Answer: threshold just reached, ties, unknown terms, nothing to read",
    visibility="hidden",
    needs=["extract_answer"],
)
def test_extract_answer_edges(submission, differential, rng):
    a, b, c, d = rng.choice(WORDS, size=4, replace=False).tolist()
    weights = {a: 1.0, b: 2.0, c: 5.0, d: 0.0}
    asked = f"{a} {b} {c} ?"  # 8 in all
    inputs = [
        (asked, [f"{a} {b}. {c}.", f"{c} {d}!"], weights, 0.625),
        (asked, [f"{a} {b}.", f"{b} {a} {d}?"], weights, 0.375),
        (asked, [f"{a} {b}.", f"{b} {a} {d}?"], weights, 0.5),
        (f"{a} zèbre ?", [f"{a} {a} {a}.", "Zèbre!"], weights, 0.5),
        (f"{a} {a} zèbre ?", [f"{a} {d}."], {a: 3.0}, 0.5),
        (f"{a} {b} ?", [f"{d}. {b}. {a}."], {}, 0.5),
        (asked, [], weights, 0.0),
        ("?", [f"{a}."], weights, 0.0),
        (asked, [f"{d}."], weights, 0.0),
        (f"{d} ?", [f"{d}."], weights, 0.0),
        (asked, [f"{d}.", f"{a.upper()} {c.capitalize()}."], weights, 0.75),
    ]
    differential(submission.extract_answer, extracted, inputs)


@check(
    points=0.5,
    fr="La chaîne est un Runnable : lots, parties, refus",
    en="The chain is a Runnable: batches, parts, refusals",
    visibility="hidden",
    needs=["rag_chain"],
)
def test_rag_chain_runnable(submission, oracle, compare, rng):
    passages, questions = library(oracle, rng, questions=5, number=12)
    questions.append("Zèbre ?")
    k, budget, threshold = 20, 15, 0.31  # more passages than there are; few of them fit
    chain = runnable(submission.rag_chain(passages, k, budget, threshold))
    expected = [answered(oracle, passages, k, budget, threshold, question) for question in questions]
    compare(chain.batch(questions), expected, what="rag_chain(...).batch(questions)")
    many = runnable(chain.map())  # as every Runnable can
    compare(many.invoke(questions), expected, what="rag_chain(...).map().invoke(questions)")
    sources = runnable(chain.pick("sources"))
    compare(
        sources.invoke(questions[0]), expected[0]["sources"], what='rag_chain(...).pick("sources").invoke(question)'
    )
