"""Merges are those of the definition, of textbooks and, where ties are decided alike, of Hugging Face."""

import json
from collections import Counter

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_authorities import BYTES, LETTERS, SAME, brute_force_merges, unspell
from tokenizers import models, pre_tokenizers, trainers

from reference.tokenizer import (
    encode_chunk,
    pretokenize,
    split_special,
    train_bpe,
    train_bpe_incremental,
    train_tokenizer,
)
from reference.tokenizer.incremental import NONE, _Corpus

TWINS = pytest.mark.parametrize("train", [train_bpe, train_bpe_incremental])
runs = st.lists(st.sampled_from([b"a", b"aa", b"aaaa", b"b", b"ab", b"ba", b"c", b"\x00", b"\xff"]), max_size=8)
corpora = st.lists(runs.map(b"".join), max_size=8)


@settings(SAME, max_examples=500)
@given(chunks=corpora, n_merges=st.integers(0, 40))
def test_both_twins_count_as_defined(chunks: list[bytes], n_merges: int) -> None:
    expected, _ = brute_force_merges(Counter(chunks), n_merges)
    assert train_bpe(chunks, n_merges=n_merges) == expected
    assert train_bpe_incremental(chunks, n_merges=n_merges) == expected


@settings(SAME, max_examples=100)
@given(chunks=corpora)
def test_corrected_counts_are_those_that_counting_anew_gives(chunks: list[bytes]) -> None:
    corpus = _Corpus(chunks)
    while (pair := corpus.most_frequent()) is not None:
        corpus.fuse(pair)
        anew: Counter[tuple[int, int]] = Counter()
        for place, following in enumerate(corpus.after):
            if NONE not in (corpus.symbol[place], following):
                anew[corpus.symbol[place], corpus.symbol[following]] += corpus.weight[place]
        assert {pair: count for pair, count in corpus.counts.items() if count} == anew


@TWINS
def test_random_text(train, proof, rng) -> None:
    text = "".join(rng.choice(list("etaoin  shrdlu'.2\né")) for _ in range(4000))
    chunks = [chunk.encode() for chunk in pretokenize(text)]
    expected, _ = brute_force_merges(Counter(chunks), 150)
    proof(train, "brute force").equal(train(chunks, n_merges=150), expected)


@TWINS
def test_one_long_chunk_with_runs(train, rng) -> None:
    chunk = b"".join(bytes([rng.integers(97, 100)]) * int(rng.integers(1, 9)) for _ in range(300))
    expected, _ = brute_force_merges({chunk: 1}, 120)
    assert train([chunk], n_merges=120) == expected


@TWINS
def test_the_example_of_encyclopedias(train, proof) -> None:
    """aaabdaaabac becomes XdXac with X = aaab, whichever way the tie after "aa" is decided (Gage 1994)."""
    merges = train([b"aaabdaaabac"], n_merges=3)
    proof(train, "published value (Gage 1994)").equal(
        encode_chunk(b"aaabdaaabac", merges), [b"aaab", b"d", b"aaab", b"a", b"c"]
    )


@TWINS
@pytest.mark.parametrize(
    ("chunks", "merges"),
    [
        ([b"ab", b"ba"], [(b"b", b"a")]),  # one each: left strings are compared first
        ([b"ab", b"ac"], [(b"a", b"c")]),  # then the right ones
        ([b"\xffa", b"zb"], [(b"\xff", b"a")]),  # as bytes, unsigned
        ([b"aa", b"b\x00"], [(b"b", b"\x00")]),
        ([b"aab", b"aab", b"aax", b"ya", b"ya"], [(b"a", b"a")]),  # counts go before order
        ([b"aaa"], [(b"a", b"a")]),  # both places count, one is fused
    ],
)
def test_ties(train, chunks: list[bytes], merges: list[tuple[bytes, bytes]]) -> None:
    assert train(chunks, n_merges=1) == merges


@TWINS
def test_a_string_is_greater_than_its_beginnings(train) -> None:
    """After "aa" is made, ("aa", "a") and ("a", "b") occur twice each."""
    assert train([b"aaab", b"aaab"], n_merges=2) == [(b"a", b"a"), (b"aa", b"a")]


@TWINS
def test_little_to_train_on(train) -> None:
    assert train([], n_merges=5) == []
    assert train([b"", b"a", b"a"], n_merges=5) == []
    assert train([b"ab"], n_merges=0) == []
    assert train([b"ab"], n_merges=5) == [(b"a", b"b")]
    assert train([b"aaaa"], n_merges=9) == [(b"a", b"a"), (b"aa", b"aa")]


@TWINS
def test_pairs_do_not_cross_chunks(train) -> None:
    assert train([b"a", b"b"] * 9 + [b"cd"], n_merges=9) == [(b"c", b"d")]


@TWINS
def test_bad_input(train) -> None:
    with pytest.raises(ValueError, match="n_merges: expected 0 or more, got -1"):
        train([b"ab"], n_merges=-1)
    with pytest.raises(TypeError):
        train("hug", n_merges=1)
    with pytest.raises(TypeError):
        train([b"ab"], n_merges=1.0)


def hugging_face_merges(text: str, n_merges: int) -> list[tuple[bytes, bytes]]:
    theirs = tokenizers.Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=256 + n_merges, show_progress=False, initial_alphabet=alphabet)
    theirs.train_from_iterator([text], trainer)
    return trained_merges(theirs)


def trained_merges(theirs: tokenizers.Tokenizer) -> list[tuple[bytes, bytes]]:
    merges = json.loads(theirs.to_str())
    return [(unspell(left), unspell(right)) for left, right in merges["model"]["merges"]]


def zipf_text(rng, n_words: int, scale: float) -> str:
    """Words so unequally frequent that few pairs tie."""
    words = ["".join(rng.choice(list("etaoinshrdluçß"), size=rng.integers(2, 9))) for _ in range(n_words)]
    counts = [int(scale / rank**1.3 * rng.uniform(0.8, 1.2)) + 1 for rank in range(1, n_words + 1)]
    return " ".join(word for word, count in zip(words, counts, strict=True) for _ in range(count))


def test_without_ties_hugging_face_learns_the_same(proof, rng) -> None:
    compared = []
    for _ in range(20):
        text = zipf_text(rng, 60, 3000)
        chunks = [chunk.encode() for chunk in pretokenize(text)]
        _, n_decided = brute_force_merges(Counter(chunks), 100)
        theirs = hugging_face_merges(text, n_decided)
        proof(train_bpe, "tokenizers BpeTrainer (no ties)").equal(train_bpe(chunks, n_merges=n_decided), theirs)
        fast = train_bpe_incremental(chunks, n_merges=n_decided)
        proof(train_bpe_incremental, "tokenizers BpeTrainer (no ties)").equal(fast, theirs)
        compared.append(n_decided)
    assert sum(compared) > 100, "the texts tie too early to say much"


def test_the_brute_force_with_hugging_faces_tie_rule_is_hugging_faces_training(rng) -> None:
    """There the pair of least ids wins, ids being those of letters, then in order of creation: so ties are all."""
    for _ in range(5):
        text = zipf_text(rng, 60, 300)
        counts = Counter(chunk.encode() for chunk in pretokenize(text))
        merges, n_decided = brute_force_merges(counts, 150, rank=lambda byte: LETTERS[byte[0]])
        assert n_decided < 150
        assert merges == hugging_face_merges(text, 150)


def test_train_tokenizer_is_cutting_then_training(proof, texts: list[str]) -> None:
    text = "".join(texts[:300])
    special = ["<s>", "[INST]"]
    tokenizer = train_tokenizer(text, vocabulary_size=400, special_tokens=special)
    chunks = [chunk.encode() for part, mark in split_special(text, special) if not mark for chunk in pretokenize(part)]
    expected, _ = brute_force_merges(Counter(chunks), 142)
    vocabulary = (*BYTES, *(left + right for left, right in expected), b"<s>", b"[INST]")
    proof(train_tokenizer, "brute force").equal((tokenizer.merges, tokenizer.vocabulary), (tuple(expected), vocabulary))


def test_special_tokens_are_not_trained_on() -> None:
    tokenizer = train_tokenizer("<s>" * 50 + "ab", vocabulary_size=300, special_tokens=["<s>"])
    assert tokenizer.merges == ((b"a", b"b"),)


def test_train_tokenizer_on_little() -> None:
    assert train_tokenizer("", vocabulary_size=1000).merges == ()
    assert len(train_tokenizer("abc" * 9, vocabulary_size=256).vocabulary) == 256
    with pytest.raises(ValueError, match="vocabulary_size: expected 257 or more, got 256"):
        train_tokenizer("abc", vocabulary_size=256, special_tokens=["<s>"])
    with pytest.raises(ValueError, match="lone surrogates"):
        train_tokenizer("a\ud800", vocabulary_size=256)
    with pytest.raises(ValueError, match=r"special_tokens: .*got ''"):
        train_tokenizer("abc", vocabulary_size=300, special_tokens=[""])
    with pytest.raises(ValueError, match=r"special_tokens: expected each entry once, got '<s>'"):
        train_tokenizer("abc", vocabulary_size=300, special_tokens=["<s>", "<s>"])
    with pytest.raises(TypeError):
        train_tokenizer("abc", vocabulary_size=300, special_tokens="<s>")
