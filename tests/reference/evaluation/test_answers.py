"""Exact match and F1, against the scripts that lm-eval carries for MLQA (English) and FrenchBench (French)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lm_eval.tasks.french_bench import utils as french
from lm_eval.tasks.mlqa import utils as mlqa

from reference.evaluation import exact_match, normalise_answer, token_f1

ENGLISH = [
    "the",
    "a",
    "an",
    "The",
    "Seine",
    "river",
    "42",
    "3.14",
    "«",
    "U.S.",
    "well-known",
    "$5",
    "x",
    "theatre",
    "  ",
    "\t",
]
FRENCH = [
    "le",
    "La",
    "les",
    "des",
    "un",
    "une",
    "été",
    "Seine",
    "fleuve",
    "42",
    "x!",
    "leçon",
    "  ",
]  # ASCII signs, as there


def texts(words: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(words), max_size=7).map(" ".join)


def test_english_is_scored_as_by_mlqa(proof) -> None:
    @given(texts(ENGLISH), st.lists(texts(ENGLISH), min_size=1, max_size=3))
    @settings(derandomize=True, deadline=None, max_examples=300)
    def same(prediction: str, answers: list[str]) -> None:
        proof(normalise_answer, "lm-eval MLQA").equal(
            normalise_answer(prediction), mlqa.normalize_answer(prediction, "en")
        )
        theirs = mlqa.metric_max_over_ground_truths(mlqa.exact_match_score, prediction, answers, "en")
        proof(exact_match, "lm-eval MLQA").equal(exact_match(prediction, answers), float(theirs))
        if all(map(normalise_answer, (prediction, *answers))):  # its F1 of two empty answers is 0
            theirs = mlqa.metric_max_over_ground_truths(mlqa.f1_score, prediction, answers, "en")
            proof(token_f1, "lm-eval MLQA").close(token_f1(prediction, answers), theirs, within=1e-15)

    same()


def test_french_is_scored_as_by_frenchbench(proof) -> None:
    @given(texts(FRENCH), texts(FRENCH))
    @settings(derandomize=True, deadline=None, max_examples=300)
    def same(prediction: str, answer: str) -> None:
        ours = normalise_answer(prediction, language="fr")
        proof(normalise_answer, "lm-eval FrenchBench").equal(ours, french.normalize_answer(prediction))
        ours = exact_match(prediction, [answer], language="fr"), token_f1(prediction, [answer], language="fr")
        proof(exact_match, "lm-eval FrenchBench").equal(ours[0], float(french.exact([prediction], [answer])))
        proof(token_f1, "lm-eval FrenchBench").close(ours[1], french.f1([prediction], [answer]), within=1e-15)

    same()


def test_french_articles_before_a_vowel_and_decomposed_accents() -> None:
    assert normalise_answer("L'été", language="fr") == normalise_answer("e\u0301te\u0301", language="fr") == "été"
    assert normalise_answer("l’île", language="fr") == "île"
    assert normalise_answer("seul'x", language="fr") == "seulx"  # not an article


def test_empty_answers() -> None:
    assert (token_f1("", [""]), token_f1("the", ["a"]), token_f1("x", [""]), token_f1("", ["x"])) == (
        1.0,
        1.0,
        0.0,
        0.0,
    )
    assert exact_match("", ["the"]) == 1.0


@pytest.mark.parametrize("measure", [exact_match, token_f1])
def test_no_accepted_answer(measure) -> None:
    with pytest.raises(ValueError, match="number of answers: expected 1 or more, got 0"):
        measure("x", [])


def test_an_unknown_language() -> None:
    with pytest.raises(TypeError, match="language"):
        normalise_answer("x", language="de")


@pytest.mark.parametrize("measure", [exact_match, token_f1])
def test_one_text_is_not_taken_for_a_list_of_letters(measure) -> None:
    with pytest.raises(TypeError, match="answers: expected a sequence of texts, got the text 'Seine'"):
        measure("S", "Seine")
