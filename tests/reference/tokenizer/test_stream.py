"""A stream of pieces gives the ids of the whole, early, and in memory that does not grow with the stream."""

import tracemalloc
from collections.abc import Iterator
from itertools import count, pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_authorities import SAME

from reference.tokenizer import Tokenizer, tokenizer_from_merges, train_tokenizer
from reference.tokenizer.parts import stream_parts, text_parts
from reference.tokenizer.special import Finder

OVERLAPPING = tokenizer_from_merges(
    [(b" ", b" "), (b"l", b"l"), (b"'", b"ll"), (b"<", b"a"), (b"a", b"a")], ["<a>", "<a><b>", "<a><b><c>", "><", "  <"]
)


@settings(SAME, max_examples=600)
@given(pieces=st.lists(st.text("<a><b> 'l1\n!é", max_size=6), max_size=12))
def test_any_cut_gives_the_ids_of_the_whole(pieces: list[str]) -> None:
    assert list(OVERLAPPING.encode_stream(pieces)) == OVERLAPPING.encode("".join(pieces))


@settings(SAME, max_examples=400)
@given(
    blocks=st.lists(st.sampled_from(["<a>", "<b>", "<c>", "<", "'ll", "'v", "   ", "\n", "a" * 9, "x"]), max_size=12),
    cuts=st.lists(st.integers(0, 40), max_size=8),
)
def test_any_cut_through_special_tokens_and_runs(blocks: list[str], cuts: list[int]) -> None:
    text = "".join(blocks)
    places = [0, *sorted(cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(places)]
    assert list(OVERLAPPING.encode_stream(pieces)) == OVERLAPPING.encode(text)


@pytest.mark.slow
def test_every_short_text_and_every_cut() -> None:
    """All texts of up to five symbols that can change how a chunk before them ends."""
    finder = Finder(["<a", "<al", "a<a<"])
    for length in range(6):
        for symbols in product("' al<\n", repeat=length):
            text = "".join(symbols)
            expected = list(text_parts(text, finder))
            assert list(stream_parts(text, finder)) == expected, f"{text!r}, one character at a time"
            for cut in range(1, length):
                assert list(stream_parts([text[:cut], text[cut:]], finder)) == expected, f"{text!r} cut at {cut}"


@pytest.mark.slow
def test_one_character_at_a_time_on_hard_texts(proof, tokenizer: Tokenizer, texts: list[str]) -> None:
    whole = "".join(texts[:2000])
    proof(Tokenizer, "encode of the whole").equal(list(tokenizer.encode_stream(whole)), tokenizer.encode(whole))


def test_nothing_and_empty_pieces() -> None:
    assert list(OVERLAPPING.encode_stream([])) == []
    assert list(OVERLAPPING.encode_stream(["", "", ""])) == []
    assert list(OVERLAPPING.encode_stream(["", "a", "", "", "a", ""])) == OVERLAPPING.encode("aa")


def test_ids_come_before_the_stream_ends() -> None:
    """An endless stream: a thousand ids need hardly more than the pieces that they are in."""
    read = count()

    def endless() -> Iterator[str]:
        while True:
            next(read)
            yield "hug "

    ids = tokenizer_from_merges([(b"u", b"g"), (b" ", b"h")]).encode_stream(endless())
    for _ in range(1000):  # "h", "ug", then " h", "ug" for every piece
        next(ids)
    assert next(read) <= 500 + 4


def test_nothing_is_read_before_it_is_asked_for() -> None:
    def broken() -> Iterator[str]:
        raise AssertionError("read")
        yield ""

    OVERLAPPING.encode_stream(broken())


def test_a_special_token_comes_as_soon_as_it_is_certain() -> None:
    tokenizer = tokenizer_from_merges([], ["<a>", "<a><b>"])

    def pieces() -> Iterator[str]:
        yield "<a>"  # may become "<a><b>"
        yield "<a>x"  # the first one did not
        raise AssertionError("read on")

    ids = tokenizer.encode_stream(pieces())
    assert [next(ids), next(ids)] == [256, 256]
    with pytest.raises(AssertionError, match="read on"):
        next(ids)


@pytest.mark.parametrize(
    ("text", "n_certain"),
    [
        ("hug h", 3),  # two characters follow "hug"
        ("hug ", 0),
        ("it's a", 4),  # "it", "'s"
        ("it's ", 2),
        ("a   b", 3),  # "a", "  ": the last space goes with "b", which may go on
        ("a   ", 1),
        ("hug<s", 0),  # "hug" may stand before a special token or before "<s"
        ("hug <s>", 7),
        ("<s>hug <", 3),
    ],
)
def test_a_chunk_comes_as_soon_as_it_is_certain(text: str, n_certain: int) -> None:
    came: list[str] = []
    before_the_end: list[int] = []

    def pieces() -> Iterator[str]:
        yield text
        before_the_end.append(sum(map(len, came)))

    for part, _ in stream_parts(pieces(), Finder(["<s>"])):
        came += [part]
    assert before_the_end == [n_certain]
    assert "".join(came) == text


def peak_of_stream(tokenizer: Tokenizer, n_pieces: int) -> int:
    """Bytes at the highest, over a stream of distinct and repeated words, special tokens and white space."""
    pieces = (f"hug {number} hugs {'<s>' if number % 7 else '   '}\n{number:o}word" for number in range(n_pieces))
    tracemalloc.start()
    for _ in tokenizer.encode_stream(pieces):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first peak includes all words that are remembered; eight times the stream adds nothing to it."""
    monkeypatch.setattr("reference.tokenizer.chunk_ids.REMEMBERED", 500)
    tokenizer = train_tokenizer("hug hugs 12 345", vocabulary_size=270, special_tokens=["<s>"])
    tokenizer.encode("<s>")
    short, long = peak_of_stream(tokenizer, 500), peak_of_stream(tokenizer, 4000)
    assert long < 1.05 * short


def test_long_chunks_are_not_remembered() -> None:
    """A chunk of five hundred letters takes 12 kB to remember, sixty chunks 720 kB."""
    tokenizer = tokenizer_from_merges([])
    tracemalloc.start()
    for _ in tokenizer.encode_stream(chr(0x4E00 + i) * 500 + " " for i in range(60)):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e5


def test_empty_pieces_take_no_memory() -> None:
    tracemalloc.start()
    assert list(OVERLAPPING.encode_stream("a" if i < 9 else "" for i in range(50_000))) == OVERLAPPING.encode("a" * 9)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e5


def test_a_long_chunk_in_short_pieces_is_not_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    original = Finder.open_from

    def counted(self: Finder, text: str) -> int:
        looked_at.append(len(text))
        return original(self, text)

    monkeypatch.setattr(Finder, "open_from", counted)
    for text in ("a" * 4096, " " * 4096, "'" * 4096, "<a" * 2048):
        looked_at.clear()
        list(OVERLAPPING.encode_stream(text))
        assert sum(looked_at) < 6 * len(text)


def test_bad_pieces() -> None:
    with pytest.raises(TypeError):
        OVERLAPPING.encode_stream(7)
    with pytest.raises(TypeError):
        list(OVERLAPPING.encode_stream([b"a", b"b"]))
    for wrong in (b"a", 7, None):
        with pytest.raises(TypeError, match="pieces: expected texts, got"):
            list(OVERLAPPING.encode_stream(iter(["a", wrong])))
    with pytest.raises(ValueError, match=r"pieces: expected Unicode without lone surrogates, got '\\ud83d' at 1"):
        list(OVERLAPPING.encode_stream(["ab", "c\ud83d", "\ude00"]))
