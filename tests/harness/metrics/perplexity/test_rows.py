"""Answers as hostile as the wire lets them be: refused by name, or read as what they say."""

import math
from string import Formatter

import numpy as np
import pytest
import torch

from harness.metrics.contract import Refused
from harness.metrics.perplexity import BytePairs, Bytes, Characters, StudentTokenizer, Words, measure
from harness.metrics.perplexity.refusals import REASONS
from harness.metrics.perplexity.rows import MIXTURE, read

UNIFORM = np.full((2, 3), 1 / 3)


def mixed(p: float, size: int = 3) -> float:
    return p + MIXTURE * (1 / size - p)


@pytest.mark.parametrize(
    "answer",
    [
        UNIFORM,
        UNIFORM.astype(np.float32),
        UNIFORM.tolist(),
        tuple(map(tuple, UNIFORM)),
        torch.tensor(UNIFORM),
        torch.tensor(UNIFORM, requires_grad=True),
        np.asfortranarray(UNIFORM),
        None,
    ],
)
def test_plain_numbers_are_read_whatever_holds_them(answer) -> None:
    rows = read(answer, length=2, shape=(2, 3), kind="probabilities", fixed=False)
    np.testing.assert_allclose(rows.distributions(0, 2), UNIFORM, rtol=1e-6)
    assert len(rows.absent) == (2 if answer is None else 0)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("0.5", "not_numbers"),
        ({"a": 1}, "not_numbers"),
        ([[0.5, 0.5], [0.5]], "not_numbers"),
        ([[None] * 3] * 2, "not_numbers"),
        (UNIFORM > 0, "not_numbers"),
        (UNIFORM + 0j, "not_numbers"),
        (torch.tensor(UNIFORM) + 0j, "not_numbers"),
        ([[10**40] * 3] * 2, "not_numbers"),
        (object(), "not_numbers"),
        (0.5, "wrong_shape"),
        ([], "wrong_shape"),
        (UNIFORM.T, "wrong_shape"),
        (UNIFORM[:1], "wrong_shape"),
        (UNIFORM[None], "wrong_shape"),
        (np.zeros((2, 0)), "wrong_shape"),
        (UNIFORM * math.inf, "not_finite"),
        (torch.full((2, 3), torch.nan, dtype=torch.bfloat16), "not_finite"),
    ],
)
def test_other_answers_are_refused(answer, reason) -> None:
    with pytest.raises(Refused) as caught:
        read(answer, length=2, shape=(2, 3), kind="logits", fixed=False)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("kind", "row", "expected"),
    [
        ("logits", [0, 0, 0], [1 / 3] * 3),
        ("logits", [1e308, -1e308, 1e308], [0.5, 0, 0.5]),
        ("logits", [5, 5 + math.log(2), 5], [0.25, 0.5, 0.25]),
        ("log_probabilities", [math.log(0.5), math.log(0.25), math.log(0.25)], [0.5, 0.25, 0.25]),
        ("log_probabilities", [0, -1e308, -800], [1, 0, 0]),
        ("log_probabilities", [9e-5, -50, -50], [1, 0, 0]),  # what the tolerance lets through is not gained
        ("probabilities", [1, 0, 0], [1, 0, 0]),
        ("probabilities", [0.50004, 0.25002, 0.25002], [0.5, 0.25, 0.25]),
    ],
)
def test_rows_are_normalised_and_mixed(kind, row, expected) -> None:
    (found,) = read([row], length=1, shape=(1, 3), kind=kind, fixed=False).distributions(0, 1)
    np.testing.assert_allclose(found, [mixed(p) for p in expected], rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "row", "reason"),
    [
        ("log_probabilities", [2e-4, -50, -50], "positive"),
        ("log_probabilities", [50, 50, 50], "positive"),
        ("log_probabilities", [0, 0, 0], "unnormalised"),
        ("log_probabilities", [-1, -30, -30], "unnormalised"),
        ("probabilities", [1.5, -0.25, -0.25], "negative"),
        ("probabilities", [0, 0, 0], "unnormalised"),
        ("probabilities", [0.5, 0.5002, 0], "unnormalised"),
        ("probabilities", [1e308, 1e308, 1e308], "unnormalised"),
    ],
)
def test_what_is_no_distribution_is_refused(kind, row, reason) -> None:
    with pytest.raises(Refused) as caught:
        read([row], length=1, shape=(1, 3), kind=kind, fixed=False).distributions(0, 1)
    assert caught.value.reason == reason


@pytest.mark.parametrize("reason", REASONS)
def test_sentences_speak_both_languages_and_name_the_same_findings(reason) -> None:
    texts = (REASONS[reason].fr, REASONS[reason].en)
    names = [sorted(name for _, name, _, _ in Formatter().parse(text) if name) for text in texts]
    assert names[0] == names[1]
    assert " :" not in REASONS[reason].en


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (np.full((3, 4), 0.25), "wrong_shape"),
        (np.full(4, 0.25), "wrong_shape"),
        ("abc", "not_numbers"),
        ([[0.5, 0.5], [0.5]], "not_numbers"),
        ({tuple(range(40)): [1, 0, 0]}, "wrong_shape"),
        ({0: [0.5, 0.6, 0], 1: [1, 0, 0], 2: [1, 0, 0]}, "unnormalised"),
        ({0: [[1, 0, 0]], 1: [1, 0, 0], 2: [1, 0, 0]}, "wrong_shape"),
    ],
)
def test_tables_that_are_none(table, reason, rng) -> None:
    with pytest.raises(Refused) as caught:
        measure(table, rng=rng, tokenizer=Characters("abc"), documents="abcabc", kind="probabilities")
    assert caught.value.reason == reason


@pytest.mark.parametrize("table", [None, {}, {7: [1, 0, 0], "a": 3}])
def test_what_a_table_does_not_hold_is_uniform(table, rng) -> None:
    (found,) = measure(table, rng=rng, tokenizer=Characters("abc"), documents="abcabc", kind="probabilities")
    assert found.value == pytest.approx(math.log2(3), rel=1e-12)
    missing = {fact.name.en: fact.value for fact in found.facts}["positions without an answer, counted as uniform"]
    assert missing == 6


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "not_tokens"),
        ("ab", "not_tokens"),
        ([True, False], "not_tokens"),
        ([0.0, 1.0], "not_tokens"),
        ([97, 256 + 5], "not_tokens"),
        ([-1], "not_tokens"),
        (np.array([97.0]), "not_tokens"),
        (np.array([[97, 98]]), "not_tokens"),
        (torch.tensor([97.0]), "not_tokens"),
        ([97], "lossy_tokenizer"),
        (np.array([97, 99]), "lossy_tokenizer"),
        (torch.tensor([97, 98, 98]), "lossy_tokenizer"),
    ],
)
def test_answers_of_encode(answer, reason, asked) -> None:
    pieces = [*(bytes([byte]) for byte in range(256)), b"ab"]
    own = StudentTokenizer(asked(lambda text: answer), asked(lambda ids: pieces[ids[0]]), vocabulary_size=257)
    own.prepare()
    with pytest.raises(Refused) as caught:
        own.encode("ab")
    assert caught.value.reason == reason


@pytest.mark.parametrize("vocabulary", [None, 3, "abc", [], [b"a", b""], [b"a", b"a"], [b"a", "b"], [10**9], {0: b"a"}])
def test_vocabularies_of_students_are_checked(vocabulary) -> None:
    with pytest.raises(Refused, match="not_pieces"):
        BytePairs(vocabulary)


def test_a_text_beyond_a_student_s_vocabulary_is_their_loss(asked, rng) -> None:
    model = asked(lambda ids: np.zeros((len(ids), 2)))
    letters = StudentTokenizer(asked(len), asked(lambda ids: "ab"[ids[0]]), vocabulary_size=2)
    for tokenizer in (BytePairs([b"a", b"b"]), letters):
        with pytest.raises(Refused, match="lossy_tokenizer"):
            measure(model, rng=rng, tokenizer=tokenizer, documents="abc")


def test_byte_pairs_are_those_of_tiktoken() -> None:
    import tiktoken

    text = "The cat sat on the mat; the théâtre 東京 thatched thick. " * 3
    pieces = [bytes([byte]) for byte in range(256)] + [b"th", b"he", b"the", b" t", b" the", b"at", b"cat", b"\xc3\xa9"]
    pattern = r" ?\p{L}+|\s+|[^\s\p{L}]+"
    theirs = tiktoken.Encoding(
        "test", pat_str=pattern, mergeable_ranks={piece: rank for rank, piece in enumerate(pieces)}, special_tokens={}
    )
    ours = BytePairs(pieces, pattern=pattern)
    assert ours.encode(text) == theirs.encode(text)
    assert ours.decode(ours.encode(text)) == text


def test_the_longest_piece_that_fits_is_read() -> None:
    words = Words(["a", "ab", "abc", "c", "é"])
    assert words.encode("abcabaéc") == [2, 1, 0, 4, 3]
    assert words.decode([2, 4]) == "abcé"
    assert Bytes().decode([0xC3, 0xA9, 0xFF]) == "é�"


def test_tokens_that_stand_for_nothing_are_no_tokens(asked) -> None:
    """They would be free: a text could be given any number of tokens, and the alarm's sum would exceed 1."""
    pieces = ["a", "ab", "b", ""]
    own = StudentTokenizer(asked(lambda text: [0, 3, 2]), asked(lambda ids: pieces[ids[0]]), vocabulary_size=4)
    own.prepare()
    with pytest.raises(Refused, match="not_tokens"):
        own.encode("ab")
