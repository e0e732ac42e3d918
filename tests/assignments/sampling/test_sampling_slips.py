"""Mistakes made with sampling, and the checks that find each; the statement's rules hold for other right solutions."""

import random
from typing import Any

import numpy as np
import pytest

from harness.records import Outcome

pytestmark = pytest.mark.slow
MEASURED = {"generate_cached_growth"}  # is skipped where no solution is run beside the notebook
SOFTMAX = "(logits - np.max(logits)) / temperature"
RANKS = 'np.argsort(np.argsort(-probabilities, kind="stable"))'
KEPT = "len(order) if p == 1 else 1 + np.sum(masses < p)"
ORDER = "    if k is not None:\n        probabilities = top_k(probabilities, k)\n    return top_p(probabilities, p)"
TOP_P_FIRST = """    probabilities = top_p(probabilities, p)
    return probabilities if k is None else top_k(probabilities, k)"""
INVERSION = 'np.searchsorted(masses, u * masses[-1], side="right")'
LOOP = "        probabilities = next_distribution(table"
END = "        if ids[-1] in end_ids:\n            break"
PLACES = "places = [text.find(stop) for stop in stops if stop in text]"
IN_ONE_PIECE = "places = [len(text) - len(piece) + piece.find(stop) for stop in stops if stop in piece]"
RUNNING = "running = [text for text in extended if text[0][-1] != end_id][:n_beams]"
PROMPT = "    for token in prompt:\n        state, logits = step(weights, state, token)\n    generated"
SLIPS = [  # what the model answer says, what the student wrote, the checks that are then lost
    ("np.argmax(logits)", "len(logits) - 1 - np.argmax(logits[::-1])", "greedy token_probabilities_extremes"),
    (SOFTMAX, "logits / temperature", "token_probabilities_extremes"),
    (SOFTMAX, "logits / temperature - np.max(logits / temperature)", "token_probabilities_extremes"),
    (SOFTMAX, SOFTMAX.replace("/", "*"), "token_probabilities next_distribution generate_law"),
    ("if temperature == 0:", "if temperature < 1e-3:", "token_probabilities_extremes"),
    (RANKS, 'np.argsort(np.argsort(probabilities, kind="stable")[::-1])', "top_k"),
    ("np.where(ranks < k,", "np.where(probabilities >= np.sort(probabilities)[-k],", "top_k"),
    ("return truncated / truncated.sum()", "return truncated", "top_k top_p next_distribution"),
    (KEPT, KEPT.replace("<", "<="), "top_p"),
    (KEPT, "max(1, np.sum(masses <= p))", "top_p next_distribution"),
    (KEPT, "1 + np.sum(masses < p)", "top_p_edges"),
    ("logits[token] * penalty", "logits[token] / penalty", "repetition_penalty next_distribution generate_law"),
    (
        "logits[token] / penalty",
        "penalised[token] / penalty",
        "repetition_penalty next_distribution generate_ends generate_law",
    ),
    (ORDER, TOP_P_FIRST, "next_distribution"),
    ('side="right"', 'side="left"', "draw"),
    (INVERSION, "np.argmax(masses > u)", "draw_edges"),
    (INVERSION, 'min(np.searchsorted(masses, u, side="right"), len(masses) - 1)', "draw_edges"),
    (LOOP, f"        generator = random.Random(seed)\n{LOOP}", "generate_law"),
    ("random.Random(seed)", "random", "generate"),
    ("table[ids[-1]], ids, **", "table[ids[-1]], ids[len(prompt) :], **", "generate"),
    (END, END.replace("break", "return ids[len(prompt) : -1]"), "generate_ends generate_law"),
    (LOOP, f"{END}\n{LOOP}", "generate_ends generate_law"),
    ("in end_ids:", "in end_ids[:1]:", "generate_ends"),
    (PLACES, IN_ONE_PIECE, "text_until_stop"),
    ("text[: min(places)]", "text[: places[0]]", "text_until_stop"),
    ("    return text, len(pieces)", "    return text, n_read", "text_until_stop_edges"),
    ("total / length**length_penalty", "total / length", "beam_search"),
    ("in extended[:n_beams]:", "in extended:", "beam_search_ends beam_search_ties"),
    (RUNNING, "running = [text for text in extended[:n_beams] if text[0][-1] != end_id]", "beam_search_ends"),
    (RUNNING, "running = extended[:n_beams]", "beam_search_ends beam_search_ties"),
    (
        "extended.sort(key=lambda text: -text[1])",
        "extended.sort(key=lambda text: (-text[1], text[0][-1]))",
        "beam_search_ties",
    ),
    ("else prompt[-1]", "else prompt[0]", "beam_search"),
    (PROMPT, PROMPT.replace("in prompt:", "in prompt[-1:]:"), "generate_cached"),
    ("state, logits = step(weights, state, generated", "_, logits = step(weights, state, generated", "generate_cached"),
]


@pytest.fixture
def assignment(course: Any) -> Any:
    return course.assignment("sampling")


@pytest.mark.parametrize("slip", SLIPS, ids=[wrong.strip() for _, wrong, _ in SLIPS])
def test_a_slip_loses_the_checks_that_are_about_it(
    assignment: Any, solve: Any, mark: Any, slip: tuple[str, str, str]
) -> None:
    right, wrong, lost = slip
    results = mark(assignment, solve(assignment, (right, wrong)), seed=7)
    failed = {id_ for id_, result in results.items() if result.outcome in {Outcome.FAILED, Outcome.ERROR}}
    assert failed == set(lost.split())
    skipped = {id_ for id_, result in results.items() if result.outcome is Outcome.SKIPPED}
    assert {result.outcome for id_, result in results.items() if id_ not in failed | skipped} == {Outcome.PASSED}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("slip", "lost"),
    [
        ((LOOP, f"        generator = random.Random(seed)\n{LOOP}"), "generate_law"),
        (("in end_ids:", "in end_ids[:1]:"), "generate_ends"),
        ((ORDER, TOP_P_FIRST), "next_distribution"),
        ((RUNNING, "running = [text for text in extended[:n_beams] if text[0][-1] != end_id]"), "beam_search_ends"),
        ((KEPT, KEPT.replace("<", "<=")), "top_p"),
    ],
    ids=["a generator at each step", "one end token", "top-p first", "beams that end take a place", "one token more"],
)
def test_rare_differences_are_found_whatever_the_seed(
    assignment: Any, solve: Any, mark: Any, slip: tuple[str, str], lost: str, seed: int
) -> None:
    assert mark(assignment, solve(assignment, slip), seed=seed, only=[lost])[lost].outcome is Outcome.FAILED


@pytest.mark.parametrize("seed", range(3))
def test_any_generator_that_follows_the_seed_is_right(assignment: Any, solve: Any, mark: Any, seed: int) -> None:
    for maker in ("np.random.default_rng(seed)", "np.random.RandomState(seed)"):
        names = solve(assignment, ("generator = random.Random(seed)", f"generator = {maker}"))
        results = mark(assignment, names, seed=seed)
        assert {result.outcome for id_, result in results.items() if id_ not in MEASURED} == {Outcome.PASSED}


def test_texts_that_are_no_lists_of_tokens_are_refused_with_a_sentence(assignment: Any, solve: Any, mark: Any) -> None:
    names = solve(assignment)
    right = names["generate"]
    chance = random.Random(5)

    def generate(table: Any, prompt: Any, max_new: int, settings: Any, end_ids: Any, seed: int) -> Any:
        text = right(table, prompt, max_new, settings, end_ids, seed)
        return text if max_new < 40 else np.array(text) + chance.random()

    result = mark(assignment, {**names, "generate": generate}, only=["generate"])["generate"]
    assert result.outcome is Outcome.FAILED
    assert "must return a list of tokens" in result.message.en
