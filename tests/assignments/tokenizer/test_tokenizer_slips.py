"""Mistakes made with a tokenizer, and the check that finds each; functions that do no work earn nothing."""

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.records import Outcome

pytestmark = pytest.mark.slow
MEASURED = {"training_speed"}  # is skipped where no solution is run beside the notebook
BY_SPELLING = "symbols[place : place + 2] and pair[0] + pair[1] == type(pair[0])().join(symbols[place : place + 2])"
EACH_ALONE = '"".join(vocabulary[number].decode("utf-8", errors="replace") for number in ids)'
TOGETHER = 'b"".join(vocabulary[number] for number in ids).decode("utf-8", errors="replace")'
SLIPS = [  # what the model answer says, what the student wrote, a check that is then lost
    ("counts.get(pair, 0) + count", "counts.get(pair, 0) + 1", "count_pairs"),
    ("zip(symbols, symbols[1:])", "set(zip(symbols, symbols[1:]))", "count_pairs"),
    ("        return None", "        return ()", "ties"),
    ("(counts[pair], pair)", "counts[pair]", "most_frequent_pair"),
    ("(counts[pair], pair)", "(counts[pair], pair[0])", "most_frequent_pair"),
    ("(counts[pair], pair)", "(counts[pair], pair[0] + pair[1])", "ties"),
    ("(counts[pair], pair)", "(counts[pair], pair[::-1])", "most_frequent_pair"),
    ("(counts[pair], pair)", "(counts[pair], str(pair).lower())", "ties"),
    ("tuple(symbols[place : place + 2]) == pair", BY_SPELLING, "merge_pair"),
    ("            place += 2", "            place += 1", "merge_pair"),
    ("        if pair is None:", "        if pair is None or max(count_pairs(words).values()) < 2:", "learn_merges"),
    ("['’]?", "'?", "split_chunks"),
    ("['’]?", "", "split_chunks"),
    ("| ?[^", "|[^", "split_chunks"),
    (" ?\\w+", "\\s?\\w+", "split_chunks"),
    (" ?\\w+", " *\\w+", "split_chunks"),
    ("\\w+['", "[^\\W\\d_]+['", "split_chunks"),
    ("\\w+['", "[a-zA-Zàâçéèêëîïôœùû0-9_]+['", "split_chunks_edges"),
    ("|\\s+", "|[ \\n\\t]+", "split_chunks_edges"),
    ("words[symbols] = words.get(symbols, 0) + 1", "words[symbols] = 1", "train_merges"),
    ("for chunk in split_chunks(text):\n        symbols", "for chunk in [text]:\n        symbols", "train_merges"),
    ('bytes([value]) for value in chunk.encode("utf-8"))', "letter.encode() for letter in chunk)", "train_merges"),
    ("for pair in merges:\n        symbols", "for pair in sorted(merges):\n        symbols", "encode_chunk"),
    ('[token.encode("utf-8") for', '[token.encode("latin-1", "replace") for', "build_vocabulary"),
    ("for token in special_tokens]", "for token in sorted(special_tokens)]", "build_vocabulary"),
    (", key=len,", ", key=list(special_tokens).index,", "split_special_edges"),
    (", key=len,", ", key=lambda one: -list(special_tokens).index(one),", "split_special_edges"),
    ("text.startswith(one, place)", "text.lower().startswith(one.lower(), place)", "split_special_edges"),
    ("special_tokens if allow_special else ()", "special_tokens", "encode_special"),
    ("for chunk in split_chunks(part):", "for chunk in [part]:", "encode_special"),
    (TOGETHER, EACH_ALONE, "decode"),
    ('errors="replace")', 'errors="ignore")', "decode_invalid"),
    ('errors="replace")', 'errors="backslashreplace")', "decode_invalid"),
    ("    if not text:\n        return 0.0\n", "", "bytes_per_token"),
    ('len(text.encode("utf-8")) /', "len(text) /", "bytes_per_token"),
]


@pytest.fixture
def assignment(course: Any) -> Any:
    return course.assignment("tokenizer")


@pytest.mark.parametrize("slip", SLIPS, ids=[wrong.strip() or right.strip() for right, wrong, _ in SLIPS])
def test_a_slip_loses_the_check_that_is_about_it(assignment: Any, solve: Any, mark: Any, slip: tuple[str, ...]) -> None:
    right, wrong, lost = slip
    results = mark(assignment, solve(assignment, (right, wrong)), seed=7)
    assert results[lost].outcome in {Outcome.FAILED, Outcome.ERROR}
    assert not [result for result in results.values() if result.outcome is Outcome.INFRASTRUCTURE]


def test_normalising_is_found_by_the_round_trip_alone(assignment: Any, solve: Any, mark: Any) -> None:
    wrong = f'__import__("unicodedata").normalize("NFC", {TOGETHER})'
    results = mark(assignment, solve(assignment, (TOGETHER, wrong)))
    assert {id_ for id_, result in results.items() if result.outcome is Outcome.FAILED} == {"round_trip"}


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_special_tokens_decides_nothing_whatever_the_seed(
    assignment: Any, solve: Any, mark: Any, seed: int
) -> None:
    check = "split_special_edges"
    names = solve(assignment, (", key=len,", ", key=list(special_tokens).index,"))
    assert mark(assignment, names, seed=seed, only=[check])[check].outcome is Outcome.FAILED


def nulls(right: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Functions that do none of the work of `right`."""
    yield lambda *args: None
    yield lambda *args: args[0]
    yield lambda *args: args[-1]
    yield lambda *args: []
    yield lambda *args: {}
    yield lambda *args: ""
    yield lambda *args: 1.0
    yield lambda *args: [(args[0], False)]
    yield lambda *args: type(right(*args))()


@pytest.mark.parametrize("kind", range(9))
def test_a_function_that_does_no_work_earns_nothing(assignment: Any, mark: Any, kind: int) -> None:
    oracle = importlib.import_module("reference.tokenizer")
    names = {entry.name: list(nulls(getattr(oracle, entry.name)))[kind] for entry in assignment.file.entry_points}
    results = mark(assignment, names, alone=True)
    assert {id_: result.points for id_, result in results.items() if result.points} == {}
    assert {result.outcome for id_, result in results.items() if id_ not in MEASURED} <= {Outcome.FAILED, Outcome.ERROR}
