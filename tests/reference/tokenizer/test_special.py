"""Special tokens: leftmost, then longest; overlapping and nested ones."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_authorities import SAME, hugging_face
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

from reference.tokenizer import split_special, tokenizer_from_merges

marks = st.lists(st.text("ab<", min_size=1, max_size=4), unique=True, max_size=5)


def by_definition(text: str, special: list[str]) -> list[tuple[str, bool]]:
    parts: list[tuple[str, bool]] = []
    plain, place = "", 0
    while place < len(text):
        longest = max((token for token in special if text.startswith(token, place)), key=len, default="")
        plain += "" if longest else text[place]
        if longest and plain:
            parts.append((plain, False))
            plain = ""
        if longest:
            parts.append((longest, True))
        place += len(longest) or 1
    return parts + ([(plain, False)] if plain else [])


@settings(SAME, max_examples=500)
@given(text=st.text("ab<x", max_size=20), special=marks)
def test_as_defined(text: str, special: list[str]) -> None:
    expected = by_definition(text, special)
    assert split_special(text, special) == expected
    assert split_special(text, special[::-1]) == expected, "the order in which they are given does not matter"


def test_brute_force_and_hugging_face(proof, rng) -> None:
    special = ["<a>", "<a><b>", "<b>", "a><b", "<a><b><c>d", "><", "…", "…!"]
    texts = [
        "".join(rng.choice(["<a>", "<b>", "<c>", "<", ">", "a", "d", " ", "…", "!"], size=12)) for _ in range(2000)
    ]
    ours = [split_special(text, special) for text in texts]
    proof(split_special, "brute force").equal(ours, [by_definition(text, special) for text in texts])
    letters = {letter: one for one, letter in enumerate("".join(sorted(set("".join(texts)))))}
    theirs = Tokenizer(models.BPE(letters, []))
    theirs.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    theirs.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    flat = [[one for part, mark in parts for one in ([part] if mark else part)] for parts in ours]
    proof(split_special, "tokenizers.AddedToken").equal(flat, [theirs.encode(text).tokens for text in texts])


def test_overlapping_tokens_in_a_whole_tokenizer(proof, rng) -> None:
    special = ["<a>", "<a><b>", "<b>", "<", "<b><b><b>"]
    tokenizer = tokenizer_from_merges([(b"a", b">"), (b"<", b"a>"), (b"b", b"c")], special)
    theirs = hugging_face(tokenizer)
    texts = ["".join(rng.choice(["<a>", "<b>", "b", "c", ">", " ", "a"], size=10)) for _ in range(500)]
    ours = [tokenizer.encode(text) for text in texts]
    proof(tokenizer_from_merges, "tokenizers.AddedToken").equal(ours, [theirs.encode(text).ids for text in texts])


@pytest.mark.parametrize(
    ("special", "text", "parts"),
    [
        (["ab", "abc"], "abcab", [("abc", True), ("ab", True)]),  # longest
        (["ab", "bcd"], "abcd", [("ab", True), ("cd", False)]),  # leftmost before longest
        (["aa"], "aaa", [("aa", True), ("a", False)]),
        (["abc", "b"], "ab", [("a", False), ("b", True)]),  # the beginning of a longer one hides nothing
        ([".*", "\\d", "[x]"], "a.*1x[x]", [("a", False), (".*", True), ("1x", False), ("[x]", True)]),
        (["a b"], "xa b", [("x", False), ("a b", True)]),
        ([], "abc", [("abc", False)]),
        (["a"], "", []),
        (["a"], "aa", [("a", True), ("a", True)]),
    ],
)
def test_rules(special: list[str], text: str, parts: list[tuple[str, bool]]) -> None:
    assert split_special(text, special) == parts


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="special_tokens: expected texts of one character or more, got ''"):
        split_special("a", ["<s>", ""])
    with pytest.raises(
        ValueError, match=r"special_tokens: expected Unicode without lone surrogates, got '\\ud800' at 1"
    ):
        split_special("a", ["a\ud800"])
    with pytest.raises(ValueError, match="text: expected Unicode without lone surrogates"):
        split_special("\ud800", ["a"])
    with pytest.raises(TypeError):
        split_special("a", "<s>")


@pytest.mark.parametrize("wrong", [5, None, b"<a>", 0])
def test_every_special_token_is_a_text(wrong: object) -> None:
    for special in (["<a>", wrong], [wrong, "<a>"]):
        with pytest.raises(TypeError):
            split_special("x", special)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            tokenizer_from_merges([], special)  # type: ignore[arg-type]
