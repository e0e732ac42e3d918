"""Chunks are those that GPT-2's pattern cuts elsewhere, on every character whose class is not in dispute."""

import pytest
from tokenizer_authorities import GPT2_PATTERN, disputed, tiktoken_classes
from tokenizers import Regex, pre_tokenizers

from reference.tokenizer import pretokenize


def test_hugging_face_cuts_the_same(proof, texts: list[str]) -> None:
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    split = pre_tokenizers.Split(Regex(GPT2_PATTERN), "isolated")
    ours = [pretokenize(text) for text in texts]
    spans = [[text[start:end] for _, (start, end) in level.pre_tokenize_str(text)] for text in texts]
    proof(pretokenize, "tokenizers.pre_tokenizers.ByteLevel").equal(ours, spans)
    theirs = [[chunk for chunk, _ in split.pre_tokenize_str(text)] for text in texts]
    proof(pretokenize, "tokenizers.pre_tokenizers.Split").equal(ours, theirs)
    assert ["".join(chunks) for chunks in ours] == texts


def test_disputed_characters_are_those_that_the_authority_does_not_know_yet() -> None:
    """Unicode grows: newer tables know letters that older ones call unassigned, and nothing else differs."""
    assert disputed() <= tiktoken_classes(r"\p{Cn}+")


@pytest.mark.parametrize(
    ("text", "chunks"),
    [
        ("", []),
        (" ", [" "]),
        ("   ", ["   "]),
        ("a", ["a"]),
        ("a  b", ["a", " ", " b"]),
        ("a \nb", ["a", " ", "\n", "b"]),  # only a space goes with what follows
        ("a\n\n", ["a", "\n\n"]),
        ("a\u00a0b", ["a", "\u00a0", "b"]),
        ("we'll they've", ["we", "'ll", " they", "'ve"]),
        ("we 'll", ["we", " '", "ll"]),
        ("WE'LL", ["WE", "'", "LL"]),  # lower case only
        ("don''t", ["don", "''", "t"]),
        ("'sting", ["'s", "ting"]),  # wherever an apostrophe begins a chunk
        ("l'été", ["l", "'", "été"]),
        ("e\u0301a", ["e", "\u0301", "a"]),  # a combining mark is no letter
        ("x1y22", ["x", "1", "y", "22"]),
        ("½Ⅻ٣", ["½Ⅻ٣"]),
        ("a_b", ["a", "_", "b"]),
        ("\x1c\x85", ["\x1c", "\x85"]),  # a file separator is not white, a next line is
        ("👍🏽!", ["👍🏽!"]),
    ],
)
def test_rules(text: str, chunks: list[str]) -> None:
    assert pretokenize(text) == chunks


def test_lone_surrogates() -> None:
    with pytest.raises(ValueError, match=r"text: expected Unicode without lone surrogates, got '\\udc00' at 2"):
        pretokenize("ab\udc00")
    with pytest.raises(TypeError):
        pretokenize(b"ab")
