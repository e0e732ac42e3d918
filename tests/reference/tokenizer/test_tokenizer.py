"""Whole tokenizers meet tiktoken and Hugging Face token for token; broken ones and broken input are refused."""

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_authorities import BYTES, SAME, hugging_face, tiktoken_encoding

from reference.tokenizer import Tokenizer, encode_chunk, pretokenize, split_special, tokenizer_from_merges


@pytest.mark.slow
def test_ten_thousand_texts_meet_tiktoken(proof, tokenizer: Tokenizer, texts: list[str]) -> None:
    theirs = tiktoken_encoding(tokenizer)
    ids = [tokenizer.encode(text) for text in texts]
    proof(Tokenizer, "tiktoken.Encoding, 10,000 texts").equal(
        ids, [theirs.encode(text, allowed_special="all") for text in texts]
    )
    assert len({one for some in ids for one in some}) > 1300  # of 1500: nearly all tokens are used
    assert [tokenizer.decode(some) for some in ids] == texts
    streamed = [list(tokenizer.encode_stream([text[:7], text[7:]])) for text in texts]
    proof(Tokenizer, "tiktoken.Encoding, 10,000 texts as streams").equal(
        streamed, [theirs.encode(text, allowed_special="all") for text in texts]
    )


@pytest.mark.slow
def test_ten_thousand_texts_meet_hugging_face(proof, tokenizer: Tokenizer, texts: list[str]) -> None:
    theirs = hugging_face(tokenizer)
    ids = [tokenizer.encode(text) for text in texts]
    proof(Tokenizer, "tokenizers ByteLevel BPE, 10,000 texts").equal(ids, [theirs.encode(text).ids for text in texts])


def test_without_special_tokens_their_text_is_ordinary(proof, tokenizer: Tokenizer, texts: list[str]) -> None:
    plain = tokenizer_from_merges(tokenizer.merges)
    theirs = tiktoken_encoding(plain)
    ours = [plain.encode(text) for text in texts[:1000]]
    proof(tokenizer_from_merges, "tiktoken.Encoding").equal(
        ours, [theirs.encode_ordinary(text) for text in texts[:1000]]
    )


def test_encode_is_its_parts(tokenizer: Tokenizer, texts: list[str]) -> None:
    """Special tokens, then chunks, then merges, each by its obvious function."""
    for text in texts[:60]:
        tokens: list[bytes] = []
        for part, special in split_special(text, tokenizer.special_tokens):
            chunks = [] if special else pretokenize(part)
            tokens += [part.encode()] if special else []
            tokens += [token for chunk in chunks for token in encode_chunk(chunk.encode(), tokenizer.merges)]
        assert tokenizer.encode(text) == [tokenizer.vocabulary.index(token) for token in tokens]


@settings(SAME, max_examples=300)
@given(text=st.text())
def test_every_text_comes_back(text: str) -> None:
    tokenizer = tokenizer_from_merges([(b"\xc3", b"\xa9"), (b"a", b"b")], ["ab", "\x00"])
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_numbers_of_tokens_may_be_in_any_order(proof, tokenizer: Tokenizer, texts: list[str], rng) -> None:
    """GPT-2 itself has printable bytes first; special tokens may be anywhere."""
    order = rng.permutation(len(tokenizer.vocabulary))
    shuffled = Tokenizer(tuple(tokenizer.vocabulary[one] for one in order), tokenizer.merges, tokenizer.special_tokens)
    place = np.argsort(order)
    ours = [shuffled.encode(text) for text in texts[:300]]
    proof(Tokenizer, "brute force").equal(
        ours, [[int(place[i]) for i in tokenizer.encode(text)] for text in texts[:300]]
    )


def test_decode_meets_tiktoken_on_broken_utf8(proof, tokenizer: Tokenizer, rng) -> None:
    theirs = tiktoken_encoding(tokenizer)
    sequences = [rng.integers(128, 256, size=rng.integers(0, 12)).tolist() for _ in range(2000)]
    sequences += [rng.integers(len(tokenizer.vocabulary), size=9).tolist() for _ in range(500)]
    ours = [tokenizer.decode(ids) for ids in sequences]
    proof(Tokenizer, "tiktoken.Encoding.decode").equal(ours, [theirs.decode(ids) for ids in sequences])
    assert [tokenizer.decode_bytes(ids) for ids in sequences] == [theirs.decode_bytes(ids) for ids in sequences]


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (b"\xe2\x82", "�"),  # the beginning of a character: one sign
        (b"\xf0\x9f\x91!", "�!"),
        (b"\xff\xfe", "��"),  # bytes that begin nothing: one sign each
        (b"\x80a\x80", "�a�"),
        (b"\xc0\x80", "��"),  # overlong
        (b"\xed\xa0\x80", "���"),  # a surrogate
        (b"\xf4\x90\x80\x80", "����"),  # beyond U+10FFFF
        (b"\xe2\x82\xe2\x82\xac", "�€"),
    ],
)
def test_bytes_that_are_no_utf8(broken: bytes, text: str) -> None:
    assert tokenizer_from_merges([]).decode(list(broken)) == text


def test_little() -> None:
    tokenizer = tokenizer_from_merges([])
    assert tokenizer.encode("") == []
    assert tokenizer.decode([]) == ""
    assert tokenizer.decode_bytes([]) == b""
    assert tokenizer.encode("é") == [0xC3, 0xA9]
    assert tokenizer_from_merges([], ["é"]).encode("éé") == [256, 256]


def test_white_space_before_a_special_token_stays_whole() -> None:
    """ "  a" gives one of its spaces to the word; a special token takes none."""
    tokenizer = tokenizer_from_merges([(b" ", b" ")], ["<s>"])
    assert tokenizer.encode("  <s>a") == [256, 257, 97]
    assert tokenizer.encode("  a") == [32, 32, 97]


def test_a_special_token_that_is_an_ordinary_one_shares_its_id() -> None:
    tokenizer = tokenizer_from_merges([(b"a", b"b"), (b"ab", b"c")], ["ab", "#", "<s>"])
    assert tokenizer.vocabulary[256:] == (b"ab", b"abc", b"<s>")
    assert tokenizer.encode("abc#<s>") == [256, 99, 35, 258]  # the special token comes first, so no "abc"


def test_special_tokens_stay_whole_next_to_anything(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("x<|endoftext|>'s<|endoftext|><|endoftext")
    mark = tokenizer.vocabulary.index(b"<|endoftext|>")
    assert [one == mark for one in ids].count(True) == 2
    assert tokenizer.decode(ids) == "x<|endoftext|>'s<|endoftext|><|endoftext"


@pytest.mark.parametrize("ids", [[256], [-1], [0, 1, 10**6], [2**63], [-(2**70)]])
def test_unknown_ids(ids: list[int]) -> None:
    for decode in (tokenizer_from_merges([]).decode, tokenizer_from_merges([]).decode_bytes):
        with pytest.raises(ValueError, match="ids: expected token ids from 0 to 255, got"):
            decode(ids)


def test_bad_text() -> None:
    tokenizer = tokenizer_from_merges([], ["<s>"])
    for text in ("\ud800", "a\udfff", "<s>\ud83d\ude00"):
        with pytest.raises(ValueError, match="text: expected Unicode without lone surrogates, got"):
            tokenizer.encode(text)
    with pytest.raises(TypeError):
        tokenizer.encode(b"a")
    with pytest.raises(TypeError):
        tokenizer.decode("a")
    with pytest.raises(TypeError):
        tokenizer.decode([0.0])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((BYTES[:-1],), r"vocabulary: expected the token b'\\xff', got none"),
        (((),), r"vocabulary: expected the token b'\\x00', got none"),
        (((*BYTES, b"a"),), "vocabulary: expected each entry once, got b'a' again"),
        (((*BYTES, b"ab"),), "vocabulary: expected bytes, merges and special tokens, got b'ab'"),
        (((*BYTES, b""),), "vocabulary: expected bytes, merges and special tokens, got b''"),
        ((BYTES, ((b"a", b"b"),)), "vocabulary: expected the token b'ab', got none"),
        ((BYTES, (), ("<s>",)), "vocabulary: expected the token b'<s>', got none"),
        (((*BYTES, b"<s>"), (), ("<s>", "<s>")), "special_tokens: expected each entry once, got '<s>' again"),
        ((BYTES, (), ("",)), "special_tokens: expected texts of one character or more"),
        ((BYTES, (), ("\ud800",)), "special_tokens: expected Unicode without lone surrogates"),
        (((*BYTES, b"abc"), ((b"ab", b"c"),)), "merges: expected two bytes or tokens made before, got"),
        (((*BYTES, b"abc", b"ab"), ((b"ab", b"c"), (b"a", b"b"))), "merges: expected two bytes or tokens made before"),
        ((BYTES, ((b"a", b""),)), "merges: expected two bytes or tokens made before"),
        ((BYTES, ((b"a", b"b", b"c"),)), "merges: expected pairs, got"),
        (
            ((*BYTES, b"ab", b"bc", b"abc"), ((b"a", b"b"), (b"b", b"c"), (b"ab", b"c"), (b"a", b"bc"))),
            "merges: expected each token to be made once, got",
        ),
    ],
)
def test_fields_that_do_not_fit_together(fields: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tokenizer(*fields)


@pytest.mark.parametrize(
    "fields",
    [
        (list(BYTES),),
        ((*BYTES, "a"),),
        (BYTES, [(b"a", b"b")]),
        ((*BYTES, b"ab"), ([b"a", b"b"],)),
        ((*BYTES, b"ab"), (("a", "b"),)),
        (BYTES, (), "<s>"),
        (BYTES, (), (b"a",)),
    ],
)
def test_fields_of_a_wrong_type(fields: tuple) -> None:
    with pytest.raises(TypeError, match="expected"):
        Tokenizer(*fields)


def test_from_merges_that_break_a_rule() -> None:
    with pytest.raises(ValueError, match="merges: expected two bytes or tokens made before"):
        tokenizer_from_merges([(b"ab", b"c")])
    with pytest.raises(ValueError, match="special_tokens: expected each entry once"):
        tokenizer_from_merges([], ["#", "#"])
    with pytest.raises(ValueError, match="special_tokens: expected Unicode without lone surrogates"):
        tokenizer_from_merges([], ["\ud800"])
    with pytest.raises(TypeError):
        tokenizer_from_merges([], "<s>")


def test_frozen_equal_hashable_and_picklable(tokenizer: Tokenizer) -> None:
    with pytest.raises(FrozenInstanceError):
        tokenizer.merges = ()
    same = Tokenizer(tokenizer.vocabulary, tokenizer.merges, tokenizer.special_tokens)
    assert tokenizer == same
    assert hash(tokenizer) == hash(same)
    assert pickle.loads(pickle.dumps(tokenizer)).encode("hug <s>") == tokenizer.encode("hug <s>")
