"""The steps of byte-pair encoding as functions: brute force, textbook values, tiktoken, the tokenizer class."""

from collections import Counter

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_authorities import BYTES, SAME, brute_force_merges, random_texts

from reference.tokenizer import (
    build_vocabulary,
    bytes_per_token,
    count_pairs,
    decode,
    encode,
    learn_merges,
    merge_pair,
    most_frequent_pair,
    split_chunks,
    tokenizer_from_merges,
    train_merges,
)

TEXTBOOK = {tuple("hug"): 10, tuple("pug"): 5, tuple("pun"): 12, tuple("bun"): 4, tuple("hugs"): 5}
MERGES = [("u", "g"), ("u", "n"), ("h", "ug")]
SPECIAL = ["<s>", "<|end|>"]
letters = st.lists(st.sampled_from("aab€"), max_size=7)
tables = st.dictionaries(letters.map(tuple), st.integers(1, 4), max_size=6)


def brute_force_counts(words: dict[tuple[str, ...], int]) -> dict[tuple[str, str], int]:
    """One place after another, for one occurrence of a word after another."""
    places = [word[i : i + 2] for word, n in words.items() for _ in range(n) for i in range(len(word) - 1)]
    return {pair: places.count(pair) for pair in set(places)}


def brute_force_chunks(text: str) -> list[str]:
    """Read one character after another; the kind of a chunk is that of its first character after a space before it."""
    chunks: list[str] = []
    i = 0
    while i < len(text):
        start = i
        if text[i] == " " and i + 1 < len(text) and not text[i + 1].isspace():
            i += 1
        kind = kind_of(text[i])
        while i < len(text) and kind_of(text[i]) == kind:
            i += 1
        if kind == "word" and text[i : i + 1] in ("'", "’"):
            i += 1
        chunks.append(text[start:i])
    return chunks


def kind_of(character: str) -> str:
    if character.isspace():
        return "white"
    return "word" if character.isalnum() or character == "_" else "other"


def test_the_textbook_example(proof) -> None:
    counts = count_pairs(TEXTBOOK)
    published = {("h", "u"): 15, ("u", "g"): 20, ("p", "u"): 17, ("u", "n"): 16, ("b", "u"): 4, ("g", "s"): 5}
    proof(count_pairs, "published value (Hugging Face course)").equal(counts, published)
    proof(most_frequent_pair, "published value (Hugging Face course)").equal(most_frequent_pair(counts), ("u", "g"))
    proof(merge_pair, "published value (Hugging Face course)").equal(
        merge_pair(list("hugs"), ("u", "g")), ["h", "ug", "s"]
    )
    proof(learn_merges, "published value (Hugging Face course)").equal(learn_merges(TEXTBOOK, 3), MERGES)


@settings(SAME, max_examples=200)
@given(words=tables)
def test_counts_as_defined(words: dict[tuple[str, ...], int]) -> None:
    assert count_pairs(words) == brute_force_counts(words)


@settings(SAME, max_examples=200)
@given(words=tables, n_merges=st.integers(0, 20))
def test_merges_as_defined(words: dict[tuple[str, ...], int], n_merges: int) -> None:
    spelled = {"".join(word): count for word, count in words.items()}
    assert learn_merges(words, n_merges) == brute_force_merges(spelled, n_merges)[0]


@settings(SAME, max_examples=200)
@given(counts=st.dictionaries(st.tuples(st.text("ab", min_size=1), st.text("ab", min_size=1)), st.integers(1, 3)))
def test_the_most_frequent_pair_is_the_last_when_sorted(counts: dict[tuple[str, str], int]) -> None:
    ordered = sorted(counts)
    expected = None
    for pair in ordered:
        if expected is None or counts[pair] >= counts[expected]:
            expected = pair
    assert most_frequent_pair(counts) == expected


def test_merging_a_run_and_what_spells_the_same() -> None:
    assert merge_pair(list("aaaaa"), ("a", "a")) == ["aa", "aa", "a"]
    assert merge_pair(["ab", "c", "a", "bc"], ("a", "bc")) == ["ab", "c", "abc"]
    assert merge_pair([], ("a", "b")) == []
    assert merge_pair((b"\xc3", b"\xa9"), (b"\xc3", b"\xa9")) == [b"\xc3\xa9"]


def test_chunks_are_those_of_reading_one_character_after_another(proof, rng) -> None:
    texts = [*random_texts(rng, 3000), "l'œuvre d’art,  ici !", "a  b \n", " ", "'a''b", "e\u0301t\u0301", "\u00a0!_ 1"]
    proof(split_chunks, "brute force").equal(
        [split_chunks(text) for text in texts], list(map(brute_force_chunks, texts))
    )
    assert split_chunks("l'œuvre d’art,  ici !") == ["l'", "œuvre", " d’", "art", ",", "  ", "ici", " !"]


def test_training_on_a_text(proof, rng) -> None:
    text = "".join(random_texts(rng, 200))
    chunks = Counter(chunk.encode() for chunk in brute_force_chunks(text))
    proof(train_merges, "brute force").equal(train_merges(text, 80), brute_force_merges(chunks, 80)[0])


def test_ids_and_text_meet_tiktoken_chunk_by_chunk(proof, rng) -> None:
    texts = random_texts(rng, 300, special=SPECIAL)
    merges = train_merges("".join(texts), 150)
    vocabulary = build_vocabulary(merges, SPECIAL)
    theirs = tiktoken.Encoding(
        "ours",
        pat_str=r"(?s:.+)",  # a chunk is one: how a text is cut is proven above
        mergeable_ranks={token: one for one, token in enumerate(vocabulary[: 256 + len(merges)])},
        special_tokens={token: 256 + len(merges) + one for one, token in enumerate(SPECIAL)},
    )
    ours = [encode(text, merges) for text in texts]
    expected = [[one for chunk in split_chunks(text) for one in theirs.encode_ordinary(chunk)] for text in texts]
    proof(encode, "tiktoken.Encoding").equal(ours, expected)
    proof(build_vocabulary, "tiktoken.Encoding").equal(
        vocabulary, [theirs.decode_single_token_bytes(one) for one in range(theirs.n_vocab)]
    )
    broken = [rng.integers(theirs.n_vocab, size=12).tolist() for _ in range(500)]
    proof(decode, "tiktoken.Encoding.decode").equal(
        [decode(ids, vocabulary) for ids in broken], list(map(theirs.decode, broken))
    )
    assert [decode(ids, vocabulary) for ids in ours] == texts
    lengths = [sum(len(theirs.decode_single_token_bytes(one)) for one in ids) / max(1, len(ids)) for ids in expected]
    proof(bytes_per_token, "tiktoken.Encoding").close(
        [bytes_per_token(text, merges) for text in texts], lengths, within=1e-15
    )


def test_special_tokens_are_found_only_where_they_are_allowed() -> None:
    merges = train_merges("hug hug<s>", 3)
    tokenizer = tokenizer_from_merges(merges, SPECIAL)
    text = "hug <s><|end|> hug"
    assert decode(encode(text, merges, SPECIAL), build_vocabulary(merges)) == text
    allowed = encode(text, merges, SPECIAL, allow_special=True)
    assert [one for one in allowed if one >= 256 + len(merges)] == [256 + len(merges), 257 + len(merges)]
    assert tokenizer.decode(allowed) == decode(allowed, build_vocabulary(merges, SPECIAL)) == text


def test_little() -> None:
    assert count_pairs({}) == count_pairs({(): 3, ("a",): 2}) == {}
    assert most_frequent_pair({}) is None
    assert learn_merges({}, 3) == learn_merges(TEXTBOOK, 0) == train_merges("", 3) == []
    assert (split_chunks(""), encode("", []), decode([], BYTES), bytes_per_token("", [])) == ([], [], "", 0.0)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="n_merges: expected 0 or more, got -1"):
        learn_merges(TEXTBOOK, -1)
    with pytest.raises(ValueError, match="text: expected Unicode without lone surrogates"):
        split_chunks("\ud800")
    with pytest.raises(ValueError, match="expected two bytes or tokens made before"):
        build_vocabulary([(b"ab", b"c")])
    with pytest.raises(ValueError, match="ids"):
        decode([256], BYTES)
    with pytest.raises(TypeError):
        merge_pair("hug", "ug")
