"""Chunks to tokens: the obvious way, the fast way and other libraries agree."""

from itertools import pairwise

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_authorities import BYTES, SAME, spell, tiktoken_encoding, unspell

from reference.tokenizer import encode_chunk, encode_chunk_heap, tokenizer_from_merges, train_bpe, train_bpe_incremental

runs = st.lists(st.sampled_from([b"a", b"aa", b"aaa", b"b", b"ab", b"c", b"\xff"]), max_size=12).map(b"".join)


@st.composite
def made_merges(draw: st.DrawFn) -> list[tuple[bytes, bytes]]:
    """Merges that keep the rules, whether or not training could learn them."""
    tokens = [b"a", b"b", b"c"]
    merges: list[tuple[bytes, bytes]] = []
    for _ in range(draw(st.integers(0, 10))):
        pair = draw(st.sampled_from(tokens)), draw(st.sampled_from(tokens))
        if pair[0] + pair[1] not in tokens:
            tokens.append(pair[0] + pair[1])
            merges.append(pair)
    return merges


def ranks(merges: list[tuple[bytes, bytes]]) -> dict[tuple[bytes, bytes], int]:
    return {pair: rank for rank, pair in enumerate(merges)}


def lowest_rank_first(chunk: bytes, merges: list[tuple[bytes, bytes]]) -> list[bytes]:
    """As GPT-2's own encoder does: of all pairs the one of lowest rank, of these the leftmost, until none is left."""
    tokens = [chunk[i : i + 1] for i in range(len(chunk))]
    while True:
        known = [(merges.index(pair), place) for place, pair in enumerate(pairwise(tokens)) if pair in merges]
        if not known:
            return tokens
        _, place = min(known)
        tokens[place : place + 2] = [tokens[place] + tokens[place + 1]]


@settings(SAME, max_examples=400)
@given(chunk=runs, merges=made_merges())
def test_in_order_of_learning_equals_lowest_rank_first(chunk: bytes, merges: list[tuple[bytes, bytes]]) -> None:
    expected = lowest_rank_first(chunk, merges)
    assert encode_chunk(chunk, merges) == expected
    assert encode_chunk_heap(chunk, ranks(merges)) == expected


@settings(SAME, max_examples=200)
@given(chunk=runs, corpus=st.lists(runs, max_size=6), n_merges=st.integers(0, 15))
def test_the_heap_finds_the_tokens_of_trained_merges(chunk: bytes, corpus: list[bytes], n_merges: int) -> None:
    merges = train_bpe(corpus, n_merges=n_merges)
    assert encode_chunk_heap(chunk, ranks(merges)) == encode_chunk(chunk, merges)


def test_chunks_of_random_bytes(proof, rng) -> None:
    corpus = [rng.integers(97, 102, size=rng.integers(0, 30)).astype("u1").tobytes() for _ in range(200)]
    merges = train_bpe_incremental(corpus, n_merges=80)
    chunks = [rng.integers(96, 103, size=rng.integers(0, 60)).astype("u1").tobytes() for _ in range(300)]
    expected = [lowest_rank_first(chunk, merges) for chunk in chunks]
    proof(encode_chunk, "brute force").equal([encode_chunk(chunk, merges) for chunk in chunks], expected)
    fast = [encode_chunk_heap(chunk, ranks(merges)) for chunk in chunks]
    proof(encode_chunk_heap, "brute force").equal(fast, expected)


def test_chunks_meet_hugging_face_and_tiktoken(proof, rng) -> None:
    corpus = [rng.integers(97, 101, size=rng.integers(0, 30)).astype("u1").tobytes() for _ in range(200)]
    merges = train_bpe(corpus, n_merges=60)
    tokenizer = tokenizer_from_merges(merges)
    vocabulary = {spell(token): one for one, token in enumerate(tokenizer.vocabulary)}
    model = tokenizers.models.BPE(vocabulary, [(spell(left), spell(right)) for left, right in merges])
    encoding = tiktoken_encoding(tokenizer)
    chunks = [rng.integers(97, 101, size=size).astype("u1").tobytes() for size in range(1, 200)]
    ours = [encode_chunk(chunk, merges) for chunk in chunks]
    theirs = [[unspell(token.value) for token in model.tokenize(spell(chunk))] for chunk in chunks]
    proof(encode_chunk, "tokenizers.models.BPE").equal(ours, theirs)
    fast = [encode_chunk_heap(chunk, ranks(merges)) for chunk in chunks]
    single = [encoding.decode_tokens_bytes(encoding.encode_ordinary(chunk.decode())) for chunk in chunks]
    proof(encode_chunk_heap, "tiktoken.Encoding").equal(fast, single)


def test_any_bytes_are_a_chunk() -> None:
    every = b"".join(BYTES)
    assert encode_chunk(every, []) == list(BYTES) == encode_chunk_heap(every, {})
    assert encode_chunk(b"", [(b"a", b"b")]) == [] == encode_chunk_heap(b"", {(b"a", b"b"): 0})


def test_a_long_chunk_takes_no_time_squared() -> None:
    merges = train_bpe([b"ab" * 64], n_merges=7)
    tokens = encode_chunk_heap(b"ab" * 50_000, ranks(merges))
    assert b"".join(tokens) == b"ab" * 50_000
    assert {len(token) for token in tokens[:-20]} == {128}


def test_wrong_types() -> None:
    with pytest.raises(TypeError):
        encode_chunk("hug", [])
    with pytest.raises(TypeError):
        encode_chunk_heap("hug", {})
