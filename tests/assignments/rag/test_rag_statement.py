"""What the statement says is what the model answer does: every worked example, in both languages."""

import math
from typing import Any

import nbformat
import numpy as np
import pytest

LANGUAGES = ("fr", "en")
EXAMPLE = [["le", "chat"], ["le", "chien", "dort"], []]
BOTH = "{sources}\n\n{question}"


@pytest.fixture
def names(course: Any, solve: Any) -> dict[str, Any]:
    found: dict[str, Any] = solve(course.assignment("rag"))
    return found


@pytest.fixture(params=LANGUAGES)
def statement(course: Any, request: pytest.FixtureRequest) -> str:
    """All prose of one language."""
    path = course.assignment("rag").folder / "source.ipynb"
    cells = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4).cells  # type: ignore[no-untyped-call]
    return "\n".join(cell.source for cell in cells if request.param in cell.metadata.get("tags", []))


def double_quoted(value: Any) -> str:
    """A value as the statement writes it."""
    return repr(value).replace("'", '"')


def test_how_much_there_is(names: Any, statement: str) -> None:
    assert f"{len(names['FRENCH'])} passages" in statement
    assert f"{len(names['QUESTIONS'])} questions" in statement
    assert names["terms"]("inscription inscriptions") == ["inscr", "inscr"]
    assert names["VECTORS"].shape == (159, 100)


def test_windows(names: Any, statement: str) -> None:
    found = names["word_windows"]("un deux trois quatre cinq", 3, 1)
    assert f"`{found}`" in statement


def test_bm25(names: Any, statement: str) -> None:
    scores = names["bm25_scores"](["chat", "loup"], EXAMPLE)
    assert scores[1:] == [0, 0]
    assert math.isclose(scores[0], math.log(1 + 2.5 / 1.5) / (1 + 1.2 * 1.15))
    assert f"{scores[0]:.3f}".replace(".", "{,}") in statement or f"{scores[0]:.3f}" in statement


def test_the_basis(names: Any, statement: str) -> None:
    matrix = np.array([[2.0, 0.0, 0.0], [0.0, 3.0, 4.0]])
    assert "`[[2, 0, 0], [0, 3, 4]]`" in statement
    assert np.linalg.svd(matrix)[1].tolist() == pytest.approx([5, 2])
    assert np.abs(names["latent_basis"](matrix, 1)).tolist() == pytest.approx(np.array([[0], [1]]))


def test_cosines(names: Any, statement: str) -> None:
    indices, scores = names["cosine_search"](np.array([[3.0, 4.0]]), np.array([[1.0, 0], [0, 2.0], [0, 0]]), 3)
    assert f"`{indices.tolist()}`" in statement
    assert "`[[0.8, 0.6, 0]]`" in statement
    assert scores.tolist() == [pytest.approx([0.8, 0.6, 0])]


def test_neighbours(names: Any, statement: str) -> None:
    kept = names["select_neighbours"](np.array([0.0]), [0, 1, 2], np.array([[1.0], [2.0], [-3.0]]), 3)
    assert kept == [0, 2]
    assert f"`{kept}`" in statement


def test_the_graph(names: Any, statement: str) -> None:
    links = [{0: [1], 1: [0, 2], 2: [1, 3], 3: [2, 4], 4: [3]}, {0: [3], 3: [0]}]
    found = names["hnsw_search"](np.array([2.2]), 2, 3, np.arange(5.0)[:, None], links)
    assert found == [2, 3]
    assert f"`{found}`" in statement


def test_fusion(names: Any, statement: str) -> None:
    rankings = [[7, 2], [7, 5], [5]]
    assert f"`reciprocal_rank_fusion({rankings}, k=0)`" in statement
    assert f"`{names['reciprocal_rank_fusion'](rankings, k=0)}`" in statement


def test_hybrid_search(names: Any) -> None:
    documents = [["chat", "dort"], ["chien", "court"], ["chat"]]
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    found = names["hybrid_search"](["chat"], np.array([0.0, 1.0]), documents, vectors, 2)
    assert found == [(2, pytest.approx(1 / 61 + 1 / 62)), (0, pytest.approx(1 / 62 + 1 / 63))]


def test_the_prompt(names: Any, statement: str) -> None:
    prompt, kept = names["fill_prompt"]("Qui ?", ["a b", "c d e f", "g"], 7, BOTH)
    assert kept == [0, 2]
    assert f"`{double_quoted(prompt)}`" in statement


def test_citations(names: Any, statement: str) -> None:
    written = "Il dort [2], puis part [1, 2]. [x] [1-3]"
    assert f'`citation_numbers("{written}")`' in statement
    assert f"`{names['citation_numbers'](written)}`" in statement
    none = ["[]", "[a]", "[1-3]", "[1;2]", "[1,]", "[-1]", "[1 2]"]
    assert ", ".join(f"`{one}`" for one in none) in statement
    assert [names["citation_numbers"](one) for one in none] == [[]] * len(none)
    assert names["citation_numbers"]("[[3]] [01]") == [3, 1]


def test_answers(names: Any, statement: str) -> None:
    passages, weights = ["Le chat dort. Le chien court vite.", "Un chien aboie."], {"chien": 1.5, "court": 2.0}
    assert f"`{double_quoted(weights)}`" in statement
    answer = names["extract_answer"]("Le chien court ?", passages, weights, 1.0)
    assert f"`{double_quoted(answer)}`" in statement
    assert names["extract_answer"]("Le loup court ?", passages, weights, 0.75) is None
    assert names["extract_answer"]("Le loup court ?", passages, weights, 0.5) is not None


def test_the_chain(names: Any, statement: str) -> None:
    passages = [{"id": "a", "text": "Le chat dort. Le chien court."}, {"id": "b", "text": "La nuit tombe."}]
    answer = names["rag_chain"](passages, 1, 20, 0.5).invoke("Le chien dort-il ?")
    assert f"`{double_quoted(passages)}`" in statement
    assert f"`{double_quoted(answer)}`" in statement
