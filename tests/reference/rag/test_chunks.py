"""Chunkers against LangChain's splitters where the rules coincide, and against loops where they do not."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_text_splitters import CharacterTextSplitter, RecursiveCharacterTextSplitter
from langchain_text_splitters.base import Tokenizer, split_text_on_tokens

from reference.rag import SEPARATORS, Chunk, page_chunks, recursive_chunks, window_chunks, word_spans

DEFAULT = settings(derandomize=True, deadline=None, max_examples=200)
KEEP = {"keep_separator": "end", "strip_whitespace": False}  # so that every chunk is a part of the text


def texts(chunks: list[Chunk]) -> list[str]:
    return [chunk.text for chunk in chunks]


def assert_in_place(chunks: list[Chunk], text: str) -> None:
    assert all(chunk.text == text[chunk.start : chunk.end] for chunk in chunks)
    assert all(first.start <= second.start and first.end <= second.end for first, second in pairwise(chunks))


def test_pages_equal_those_of_langchain(proof) -> None:
    text = "un\fdeux\ntrois\fquatre "
    splitter = CharacterTextSplitter("\f", chunk_size=1, chunk_overlap=0, strip_whitespace=False)
    pages = page_chunks(text)
    proof(page_chunks, "langchain CharacterTextSplitter").equal(texts(pages), splitter.split_text(text))
    assert_in_place(pages, text)


@DEFAULT
@given(st.text("ab\f", max_size=12), st.sampled_from(["\f", "ab", "aa"]))
def test_pages_equal_split(text: str, separator: str) -> None:
    pages = page_chunks(text, separator=separator)
    expected = text.split(separator)
    assert texts(pages) == (expected[:-1] if expected[-1] == "" else expected)
    assert_in_place(pages, text)


@pytest.mark.parametrize(("text", "expected"), [("", []), ("\f", [""]), ("a", ["a"]), ("\f\fa", ["", "", "a"])])
def test_pages_at_the_edges(text: str, expected: list[str]) -> None:
    assert texts(page_chunks(text)) == expected


def test_a_separator_of_pages_has_characters() -> None:
    with pytest.raises(ValueError, match="separator: expected at least one character"):
        page_chunks("a", separator="")


@DEFAULT
@given(st.text("ab \n\t\u00a0\u202f\u2003", max_size=12))
def test_words_equal_split(text: str) -> None:
    assert [text[start:end] for start, end in word_spans(text)] == text.split()


def test_words_meet_their_authority(proof) -> None:
    text = " « Le loup\u00a0! » dit-il.\n\nFin "
    proof(word_spans, "str.split").equal([text[start:end] for start, end in word_spans(text)], text.split())


@pytest.mark.parametrize("n_units", [0, 1, 2, 3, 5, 8, 9])
@pytest.mark.parametrize(("size", "overlap"), [(1, 0), (2, 0), (2, 1), (4, 0), (4, 1), (4, 3), (9, 0), (9, 3)])
def test_windows_equal_those_of_langchain(n_units: int, size: int, overlap: int, proof) -> None:
    text = " ".join(f"w{i}" for i in range(n_units))
    tokenizer = Tokenizer(overlap, size, decode=lambda words: " ".join(map(str, words)), encode=str.split)
    chunks = window_chunks(text, word_spans(text), size=size, overlap=overlap)
    proof(window_chunks, "langchain split_text_on_tokens").equal(
        texts(chunks), split_text_on_tokens(text=text, tokenizer=tokenizer)
    )
    assert_in_place(chunks, text)


def test_windows_of_tokens_that_share_a_character() -> None:
    chunks = window_chunks("a😀b", [(0, 1), (1, 2), (1, 2), (1, 2), (1, 2), (2, 3)], size=3, source="fil")
    assert chunks == [Chunk("a😀", 0, 2, "fil"), Chunk("😀b", 1, 3, "fil")]


@pytest.mark.parametrize("spans", [[(0, 1), (0, 0)], [(1, 2), (0, 3)], [(2, 1)], [(-1, 1)], [(0, 4)]])
def test_spans_are_in_order_and_in_the_text(spans: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match=r"spans: expected \[start, end\) in order within 0 to 3"):
        window_chunks("abc", spans, size=1)


@pytest.mark.parametrize(("size", "overlap", "message"), [(0, 0, "size"), (2, 2, "overlap"), (2, -1, "overlap")])
def test_sizes_are_held(size: int, overlap: int, message: str) -> None:
    with pytest.raises(ValueError, match=f"{message}: expected"):
        window_chunks("abc", [(0, 3)], size=size, overlap=overlap)
    with pytest.raises(ValueError, match=f"{message}: expected"):
        recursive_chunks("abc", size=size, overlap=overlap)


SPLITS = st.sampled_from([SEPARATORS, ("\n\n", "\n", " "), (" ",), ("aa", "a", ""), ("", " "), (". ", " ", "")])


@DEFAULT
@given(st.text("ab. \n", max_size=40), st.integers(1, 9), st.integers(0, 8), SPLITS)
def test_recursive_chunks_equal_those_of_langchain(text, size, overlap, separators) -> None:
    overlap = min(overlap, size - 1)
    splitter = RecursiveCharacterTextSplitter(
        separators=list(separators), chunk_size=size, chunk_overlap=overlap, **KEEP
    )
    chunks = recursive_chunks(text, size=size, overlap=overlap, separators=separators)
    assert texts(chunks) == splitter.split_text(text)
    assert_in_place(chunks, text)


@DEFAULT
@given(st.text("ab \n", max_size=40), st.integers(1, 9), SPLITS)
def test_without_overlap_recursive_chunks_partition_the_text(text, size, separators) -> None:
    chunks = recursive_chunks(text, size=size, separators=separators)
    assert "".join(texts(chunks)) == text
    if "" in separators:
        assert all(0 < len(chunk.text) <= size for chunk in chunks)


@pytest.mark.parametrize("overlap", [0, 7, 30])
def test_recursive_chunks_of_prose(overlap: int, proof) -> None:
    text = "Le chat dort. Le chien part.\nIl pleut.\n\n" * 30 + "x" * 200 + "\n\n" + "mot " * 50
    splitter = RecursiveCharacterTextSplitter(chunk_size=60, chunk_overlap=overlap, **KEEP)
    authority = proof(recursive_chunks, "langchain RecursiveCharacterTextSplitter")
    authority.equal(texts(recursive_chunks(text, size=60, overlap=overlap)), splitter.split_text(text))


@pytest.mark.parametrize("overlap", [0, 5, 19])
def test_one_separator_equals_langchain_without_recursion(overlap: int, proof) -> None:
    text = "un deux trois quatre cinq anticonstitutionnellement six sept huit"
    splitter = CharacterTextSplitter(" ", chunk_size=20, chunk_overlap=overlap, **KEEP)
    chunks = recursive_chunks(text, size=20, overlap=overlap, separators=[" "])
    proof(recursive_chunks, "langchain CharacterTextSplitter").equal(texts(chunks), splitter.split_text(text))


def test_length_may_count_words() -> None:
    text = "a b c\nd e\nf g h i"
    words = lambda piece: len(piece.split())  # noqa: E731
    splitter = RecursiveCharacterTextSplitter(chunk_size=3, chunk_overlap=1, length_function=words, **KEEP)
    chunks = recursive_chunks(text, size=3, overlap=1, length=words, source="fil")
    assert texts(chunks) == splitter.split_text(text)
    assert {chunk.source for chunk in chunks} == {"fil"}


def test_a_piece_of_just_the_size_is_not_cut() -> None:
    assert texts(recursive_chunks("ab cd", size=2, length=lambda _: 2)) == ["ab ", "cd"]


def test_recursive_chunks_at_the_edges() -> None:
    assert recursive_chunks("", size=1) == []
    assert texts(recursive_chunks("a", size=1)) == ["a"]
    assert texts(recursive_chunks("abc", size=3)) == ["abc"]
    assert texts(recursive_chunks("abcd", size=3)) == ["abc", "d"]
    with pytest.raises(ValueError, match="separators: expected at least one"):
        recursive_chunks("a", size=1, separators=[])
    with pytest.raises(ValueError, match="expected 0 or more, got -1"):
        recursive_chunks("a", size=1, length=lambda _: -1)
