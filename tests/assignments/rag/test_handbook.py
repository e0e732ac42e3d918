"""The handbook and its questions: both languages say the same, every judgment exists, every answer is supported."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import assignments

DATA = Path(assignments.__path__[0]) / "rag" / "data"
LANGUAGES = ("fr", "en")
HALVES = ("public", "hidden")
LARGEST = 300_000  # bytes of a file of data
NO_BREAK = "\u00a0"
CODE = re.compile(r"\b(?:LC\d{3}|[CESP]\d{2,3})\b")  # of a course, of a room
Rows = list[dict[str, Any]]


def lines(name: str) -> Rows:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def numbers(text: str) -> Counter[str]:
    """Runs of digits, those of a thousand joined: 3 850 and 3,850 are one number, 4,50 and 4.50 are the same two."""
    joined = re.sub(r"(?<=\d)[,\u00a0](?=\d{3}\b)", "", text)
    return Counter(re.findall(r"\d+", joined))


def codes(text: str) -> set[str]:
    return set(CODE.findall(text))


@pytest.fixture(scope="module")
def handbook() -> dict[str, Rows]:
    return {language: lines(f"handbook.{language}.jsonl") for language in LANGUAGES}


@pytest.fixture(scope="module")
def questions() -> dict[str, Rows]:
    return {half: lines(f"questions.{half}.jsonl") for half in HALVES}


@pytest.fixture(scope="module")
def passages(handbook: dict[str, Rows]) -> dict[str, dict[str, dict[str, str]]]:
    return {language: {row["id"]: row for row in rows} for language, rows in handbook.items()}


def every(questions: dict[str, Rows]) -> Iterator[dict[str, Any]]:
    for half in HALVES:
        yield from questions[half]


def chapter_and_kind(question: dict[str, Any]) -> tuple[str, ...]:
    """As "fees-fact-3" says them: one fact is asked, or "several" passages are needed, or "none" holds the answer."""
    return tuple(question["id"].split("-")[:2])


def answered(questions: dict[str, Rows]) -> Rows:
    return [question for question in every(questions) if "answer" in question]


def test_there_are_enough_of_both(handbook: dict[str, Rows], questions: dict[str, Rows]) -> None:
    assert len(handbook["fr"]) >= 150
    assert len(list(every(questions))) >= 120


def test_both_languages_have_the_same_passages_in_the_same_order(handbook: dict[str, Rows]) -> None:
    french, english = ([row["id"] for row in handbook[language]] for language in LANGUAGES)
    assert french == english
    assert len(set(french)) == len(french)
    for row in (*handbook["fr"], *handbook["en"]):
        assert set(row) == {"id", "title", "text"}


def test_a_passage_has_forty_to_ninety_words(handbook: dict[str, Rows]) -> None:
    lengths = {(row["id"], language): len(row["text"].split()) for language in LANGUAGES for row in handbook[language]}
    assert {key: length for key, length in lengths.items() if not 40 <= length <= 90} == {}


def test_no_text_stands_twice(handbook: dict[str, Rows], questions: dict[str, Rows]) -> None:
    for language in LANGUAGES:
        texts = [row[key] for row in handbook[language] for key in ("title", "text")]
        texts += [question[language] for question in every(questions)]
        assert [text for text, times in Counter(texts).items() if times > 1] == []


def test_both_languages_give_the_same_numbers_and_codes(handbook: dict[str, Rows]) -> None:
    for french, english in zip(handbook["fr"], handbook["en"], strict=True):
        for key in ("title", "text"):
            assert numbers(french[key]) == numbers(english[key]), french["id"]
            assert codes(french[key]) == codes(english[key]), french["id"]


def test_french_punctuation_keeps_to_the_word_before(handbook: dict[str, Rows], questions: dict[str, Rows]) -> None:
    texts = [row[key] for row in handbook["fr"] for key in ("title", "text")]
    texts += [question["fr"] for question in every(questions)]
    texts += [question["answer"]["fr"] for question in answered(questions)]
    assert [text for text in texts if re.search(r" [:;?!»%]|« |\d \d{3}\b", text)] == []
    assert any(NO_BREAK in text for text in texts)


def test_questions_have_ids_of_their_own_and_texts_in_both_languages(questions: dict[str, Rows]) -> None:
    ids = [question["id"] for question in every(questions)]
    assert len(set(ids)) == len(ids)
    for question in every(questions):
        assert set(question) - {"answer"} == {"id", "fr", "en", "relevant"}
        assert question["fr"].endswith(f"{NO_BREAK}?")
        assert question["en"].endswith("?")
        assert numbers(question["fr"]) == numbers(question["en"]), question["id"]


def test_every_judged_passage_exists_and_grades_are_one_or_two(
    questions: dict[str, Rows], passages: dict[str, dict[str, Any]]
) -> None:
    for question in every(questions):
        assert set(question["relevant"]) <= set(passages["fr"]), question["id"]
        assert set(question["relevant"].values()) <= {1, 2}, question["id"]


def test_a_question_is_judged_and_answered_unless_the_handbook_is_silent(questions: dict[str, Rows]) -> None:
    for question in every(questions):
        best = [passage for passage, grade in question["relevant"].items() if grade == 2]
        _, kind = chapter_and_kind(question)
        assert ("answer" in question) == bool(best) == bool(question["relevant"]) == (kind != "none"), question["id"]
        if kind == "several":
            assert len(question["relevant"]) >= 2, question["id"]
    for question in answered(questions):
        assert set(question["answer"]) == set(LANGUAGES), question["id"]
        assert all(question["answer"].values()), question["id"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_and_codes_of_an_answer_stand_in_a_passage_that_answers(
    questions: dict[str, Rows], passages: dict[str, dict[str, Any]], language: str
) -> None:
    for question in answered(questions):
        best = [passages[language][name] for name, grade in question["relevant"].items() if grade == 2]
        text = " ".join(f"{row['title']} {row['text']}" for row in best)
        answer = question["answer"][language]
        assert set(numbers(answer)) <= set(numbers(text)), question["id"]
        assert codes(answer) <= codes(text), question["id"]


def test_halves_have_the_same_kinds_and_chapters(questions: dict[str, Rows]) -> None:
    public, hidden = (Counter(map(chapter_and_kind, questions[half])) for half in HALVES)
    assert public == hidden
    assert {kind for _, kind in public} == {"fact", "several", "none"}


def test_every_chapter_of_the_handbook_is_asked_about(handbook: dict[str, Rows], questions: dict[str, Rows]) -> None:
    chapters = {row["id"].rpartition("-")[0] for row in handbook["fr"]}
    assert {chapter_and_kind(question)[0] for question in every(questions)} == chapters


@pytest.mark.parametrize("language", LANGUAGES)
def test_questions_are_worded_differently_from_the_passages(
    questions: dict[str, Rows], passages: dict[str, dict[str, Any]], language: str
) -> None:
    """No question shares four words in a row with a passage that answers it."""
    for question in answered(questions):
        asked = runs(question[language])
        best = [name for name, grade in question["relevant"].items() if grade == 2]
        assert not [name for name in best if asked & runs(passages[language][name]["text"])], question["id"]


def runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[place : place + 4]) for place in range(len(words) - 3)}


@pytest.mark.parametrize("path", sorted(DATA.iterdir()), ids=lambda path: path.name)
def test_files_are_small_and_have_no_empty_line(path: Path) -> None:
    assert path.stat().st_size <= LARGEST
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert not [line for line in text.splitlines() if not line.strip()]
