"""Word-level BPE: the textbook's merges, Hugging Face's model, brute force."""

import json

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_authorities import SAME, brute_force_merges
from tokenizers import models, pre_tokenizers, trainers

from reference.tokenizer import encode_word, train_word_bpe

TEXTBOOK = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
MERGES = [("u", "g"), ("u", "n"), ("h", "ug")]


def test_the_textbook_example(proof) -> None:
    proof(train_word_bpe, "published value (Hugging Face course)").equal(train_word_bpe(TEXTBOOK, n_merges=3), MERGES)
    tokens = [encode_word(word, MERGES, letters="bghnpsu") for word in ("bug", "mug", "thug", "unhug", "hugs")]
    published = [["b", "ug"], ["[UNK]", "ug"], ["[UNK]", "hug"], ["un", "hug"], ["hug", "s"]]
    proof(encode_word, "published value (Hugging Face course)").equal(tokens, published)


def hugging_face_merges(word_counts: dict[str, int], n_merges: int) -> list[tuple[str, str]]:
    theirs = tokenizers.Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    n_letters = len(set("".join(word_counts)))
    trainer = trainers.BpeTrainer(vocab_size=n_letters + n_merges, show_progress=False)
    theirs.train_from_iterator((f"{word} " * count for word, count in word_counts.items()), trainer)
    model = theirs.model.__getstate__()
    return [tuple(pair) for pair in json.loads(model)["merges"]]


def random_words(rng, scale: int) -> dict[str, int]:
    words = {"".join(rng.choice(list("abcdefé東"), size=rng.integers(1, 8))): 0 for _ in range(40)}
    return {word: int(rng.integers(1, scale)) for word in words}


def test_without_ties_hugging_face_learns_the_same(proof, rng) -> None:
    compared = 0
    for _ in range(20):
        words = random_words(rng, 5000)
        expected, n_decided = brute_force_merges(words, 50)
        proof(train_word_bpe, "brute force").equal(train_word_bpe(words, n_merges=50), expected)
        theirs = hugging_face_merges(words, n_decided)
        proof(train_word_bpe, "tokenizers BpeTrainer (no ties)").equal(
            train_word_bpe(words, n_merges=n_decided), theirs
        )
        compared += n_decided
    assert compared > 200, "the words tie too early to say much"


def test_the_brute_force_with_hugging_faces_tie_rule_is_hugging_faces_training(rng) -> None:
    for _ in range(5):
        words = random_words(rng, 4)
        merges, n_decided = brute_force_merges(words, 60, rank=str)
        assert n_decided < 20
        assert merges == hugging_face_merges(words, 60)


@settings(SAME, max_examples=200)
@given(words=st.dictionaries(st.text("aab€", max_size=8), st.integers(1, 4), max_size=6), n_merges=st.integers(0, 20))
def test_counts_as_defined(words: dict[str, int], n_merges: int) -> None:
    assert train_word_bpe(words, n_merges=n_merges) == brute_force_merges(words, n_merges)[0]


def test_words_meet_hugging_faces_model(proof, rng) -> None:
    words = random_words(rng, 100)
    merges = train_word_bpe(words, n_merges=40)
    letters = set("".join(words))
    vocabulary = {token: one for one, token in enumerate(["[UNK]", *letters, *(a + b for a, b in merges)])}
    theirs = models.BPE(vocabulary, merges, unk_token="[UNK]")
    fresh = ["".join(rng.choice(list("abcdefé東xy"), size=size)) for size in range(1, 100)]
    ours = [encode_word(word, merges, letters=letters) for word in fresh]
    proof(encode_word, "tokenizers.models.BPE").equal(
        ours, [[one.value for one in theirs.tokenize(word)] for word in fresh]
    )


def test_ties_and_runs() -> None:
    assert train_word_bpe({"ab": 1, "ba": 1}, n_merges=1) == [("b", "a")]
    assert train_word_bpe({"zé": 2, "za": 2}, n_merges=1) == [("z", "é")]  # by code point
    assert train_word_bpe({"aaa": 1, "bc": 1}, n_merges=1) == [("a", "a")]  # two places
    assert encode_word("aaa", [("a", "a")], letters="a") == ["aa", "a"]


def test_little() -> None:
    assert train_word_bpe({}, n_merges=3) == []
    assert train_word_bpe({"": 4, "a": 9}, n_merges=3) == []
    assert train_word_bpe(TEXTBOOK, n_merges=0) == []
    assert train_word_bpe({"ab": 1}, n_merges=9) == [("a", "b")]
    assert encode_word("", MERGES, letters="hug") == []
    assert encode_word("hug", MERGES, letters="") == ["[UNK]"] * 3


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="n_merges: expected 0 or more, got -1"):
        train_word_bpe(TEXTBOOK, n_merges=-1)
    with pytest.raises(ValueError, match=r"word_counts\['hug'\]: expected 1 or more, got 0"):
        train_word_bpe({"hug": 0}, n_merges=1)
    with pytest.raises(ValueError, match="unknown: expected two letters or more that no merge names, got 's'"):
        encode_word("hug", MERGES, letters="hug", unknown="s")
    with pytest.raises(ValueError, match="unknown: expected two letters or more that no merge names, got 'ug'"):
        encode_word("hug", MERGES, letters="hug", unknown="ug")
    with pytest.raises(TypeError):
        train_word_bpe(["hug"], n_merges=1)
    with pytest.raises(TypeError):
        encode_word(b"hug", MERGES, letters="hug")
