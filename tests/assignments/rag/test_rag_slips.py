"""Mistakes that students make with retrieval, each put into the model answer, and a check that it loses."""

from typing import Any

import pytest

from harness.records import Outcome

pytestmark = pytest.mark.slow
MARK = r"\[\s*([0-9]+(?:\s*,\s*[0-9]+)*)\s*\]"
MEAN_LENGTH = "sum(map(len, documents)) / max(len(documents), 1)"
ALIKE = """    from types import SimpleNamespace

    chain = (
        {"question": RunnablePassthrough(), "documents": Lexical()}
        | RunnablePassthrough.assign(documents=fit)
        | RunnablePassthrough.assign(answer=read)
        | cite
    )
    return SimpleNamespace(invoke=chain.invoke, batch=chain.batch, pick=chain.pick)
    return (
"""
TWO_REPLACEMENTS = 'template.replace("{sources}", sources).replace("{question}", question)'
GREEDY = "            kept.append(index)"
SLIPS = [  # what the model answer says, what the student wrote, a check that is then lost
    ("range(0, len(words), size - overlap)", "range(0, len(words), size)", "word_windows"),
    ("        if first + size >= len(words):\n            break\n", "", "word_windows"),
    (r're.finditer(r"\S+", text)', r're.finditer(r"[^ \n\t]+", text)', "word_windows"),
    ("scores[index] += idf", "scores[index] += (k1 + 1) * idf", "bm25_scores"),
    ("math.log(1 + (len(documents)", "math.log((len(documents)", "bm25_scores"),
    ("for term in query:", "for term in set(query):", "bm25_scores"),
    (MEAN_LENGTH, "sum(map(len, documents)) / sum(map(bool, documents))", "bm25_scores"),
    (MEAN_LENGTH, "sum(map(len, documents)) / len(documents)", "bm25_scores_edges"),
    ("left[:, :width]", "left[:, -width:]", "latent_basis"),
    ("svd(matrix, full", "svd(matrix - matrix.mean(axis=0), full", "latent_basis"),
    ("queries @ vectors.T / ", "(queries @ vectors.T).astype(np.float32) / ", "cosine_search"),
    ('np.argsort(-cosines, kind="stable")', "np.argsort(cosines)[:, ::-1]", "cosine_search_edges"),
    ("vectors[index]) >= near for", "vectors[index]) > near for", "select_neighbours_ties"),
    ("distance(vectors[candidate], vectors[index]) >= near", "True", "select_neighbours"),
    ("search_level(entry, graph[0], ef)[:k]", "search_level(entry, graph[0], max(k, 1))[:k]", "hnsw_search"),
    ("enumerate(ranking, start=1)", "enumerate(ranking, start=2)", "reciprocal_rank_fusion"),
    ("Fraction(1, k + rank)", "1 / (k + rank)", "reciprocal_rank_fusion_edges"),
    (" if score > 0)", ")", "hybrid_search"),
    ("[lexical[:100], dense[:100].tolist()]", "[dense[:100].tolist()]", "hybrid_search"),
    (GREEDY, f"{GREEDY}\n        else:\n            break", "fill_prompt_edges"),
    ("template.format(sources=sources, question=question)", TWO_REPLACEMENTS, "fill_prompt_edges"),
    (MARK, r"\[([0-9]+)\]", "citation_numbers"),
    (MARK, r"\[\s*([0-9]+(?:[\s,]+[0-9]+)*)\s*\]", "citation_numbers_edges"),
    ("if covered > best:", "if covered >= best:", "extract_answer"),
    ("best / total >= threshold", "best / total > threshold", "extract_answer_edges"),
    ("max(weights.values(), default=1.0)", "1.0", "extract_answer_edges"),
    ("for index in best[:k]]", "for index in best]", "rag_chain"),
    ("    return (\n", ALIKE, "rag_chain"),  # the methods that the statement names do not make a Runnable
]  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS, ids=[wrong.strip() or right.strip() for right, wrong, _ in SLIPS])
def test_a_slip_loses_the_check_that_is_about_it(course: Any, solve: Any, mark: Any, slip: tuple[str, ...]) -> None:
    right, wrong, lost = slip
    assignment = course.assignment("rag")
    results = mark(assignment, solve(assignment, (right, wrong)), seed=7, only=[lost])
    assert results[lost].outcome in {Outcome.FAILED, Outcome.ERROR}
