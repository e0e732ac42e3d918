"""What the statement says is what the model answer does: worked examples, tables, figures of the texts."""

from typing import Any

import nbformat
import pytest

HUGS = {tuple("hug"): 10, tuple("pug"): 5, tuple("pun"): 12, tuple("bun"): 4, tuple("hugs"): 5}
EXAMPLE = [(b"u", b"g"), (b"h", b"ug")]
LANGUAGES = ("fr", "en")


@pytest.fixture
def names(course: Any, solve: Any) -> dict[str, Any]:
    return solve(course.assignment("tokenizer"))


@pytest.fixture(params=LANGUAGES)
def statement(course: Any, request: pytest.FixtureRequest) -> str:
    """All prose of one language."""
    return prose(course, request.param)


def prose(course: Any, language: str) -> str:
    path = course.assignment("tokenizer").folder / "source.ipynb"
    cells = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4).cells  # type: ignore[no-untyped-call]
    return "\n".join(cell.source for cell in cells if language in cell.metadata.get("tags", []))


def double_quoted(value: Any) -> str:
    """A value as the statement writes it."""
    return repr(value).replace("'", '"')


def test_the_table_of_pairs(names: Any, statement: str) -> None:
    counts = names["count_pairs"](HUGS)
    assert f"| {' | '.join(' '.join(pair) for pair in counts)} |" in statement
    assert f"| {' | '.join(str(count) for count in counts.values())} |" in statement


def test_the_five_rounds(names: Any, statement: str) -> None:
    words, merges = HUGS, names["learn_merges"](HUGS, 100)
    assert len(merges) == 7
    assert [" ".join(pair) for pair in merges[5:]] == ["hug s", "b un"]
    for number, pair in enumerate(merges[:5], start=1):
        counts = names["count_pairs"](words)
        most = max(counts.values())
        shown = [f"{' '.join(one)} {f'**{count}**' if count == most else count}" for one, count in counts.items()]
        line = next(line for line in statement.splitlines() if line.startswith(f"| {number} |"))
        assert sorted(line.split(" | ")[1].split(", ")) == sorted(shown)
        assert line.endswith(f"| {' '.join(pair)} |")
        words = {tuple(names["merge_pair"](word, pair)): count for word, count in words.items()}


def test_ties_and_runs(names: Any, statement: str) -> None:
    counts = {("a", "z"): 7, ("ab", "a"): 7, ("z", "z"): 6}
    assert double_quoted(counts) in statement
    assert names["most_frequent_pair"](counts) == ("ab", "a")
    assert '"Z" < "a" < "z" < "é"' in statement
    assert "Z" < "a" < "z" < "é"
    for run in ("aaa", "aaaa"):
        merged = " ".join(names["merge_pair"](list(run), ("a", "a")))
        assert f"`{' '.join(run)}` " in statement
        assert f"`{merged}`" in statement


def test_chunks(names: Any, statement: str) -> None:
    text = "Aujourd'hui, l’œuvre  coûte 12 € !"
    chunks = names["split_chunks"](text)
    assert f'`"{text}"`' in statement
    assert "[" + ", ".join(f'"{chunk}"' for chunk in chunks) + "]" in statement


def test_merges_of_bytes_and_their_order(names: Any, statement: str) -> None:
    assert f"`{'été'.encode().hex(' ')}`" in statement
    for pair in names["train_merges"]("été", 2):
        assert f"`{double_quoted(pair)}`" in statement
    assert names["encode_chunk"](b"hugs", EXAMPLE) == [b"hug", b"s"]
    assert names["encode_chunk"](b"abc", [(b"b", b"c"), (b"a", b"b")]) == [b"a", b"bc"]
    assert '`[b"hug", b"s"]`' in statement
    assert '`[b"a", b"bc"]`' in statement


def test_ids_with_and_without_permission(names: Any, statement: str) -> None:
    vocabulary = names["build_vocabulary"](EXAMPLE, ["<|fin|>"])
    assert (len(vocabulary), vocabulary[104], vocabulary[256:]) == (259, b"h", [b"ug", b"hug", b"<|fin|>"])
    for allowed in (False, True):
        assert f"`{names['encode']('hug hug<|fin|>', EXAMPLE, ['<|fin|>'], allowed)}`" in statement
    parts = names["split_special"]("un<s>deux<s><s>!", ["<s>", "<s>!"])
    assert f"`{double_quoted(parts)}`" in statement


def test_broken_bytes(names: Any, statement: str) -> None:
    ids = [226, 130, 33, 130, 255]
    assert str(ids) in statement
    assert f'`"{names["decode"](ids, names["build_vocabulary"]([]))}"`' in statement
    assert str(list("€".encode()))[1:-1] in statement


def test_bytes_per_token(names: Any) -> None:
    assert names["bytes_per_token"]("hugs", EXAMPLE) == 2.0
    assert names["bytes_per_token"]("œuvre", []) == 1.0


def test_a_language_is_best_compressed_by_its_own_merges(names: Any) -> None:
    french, english = (names["train_merges"](names[one], 100) for one in ("FRENCH", "ENGLISH"))
    for text, own, other in ((names["FRENCH"], french, english), (names["ENGLISH"], english, french)):
        assert names["bytes_per_token"](text, own) > names["bytes_per_token"](text, other) > 1


def test_the_characters_whose_bytes_the_statement_counts() -> None:
    assert [len(one.encode()) for one in ("e", "é", "œ", "’", "\u202f", "€", "👩")] == [1, 2, 2, 3, 3, 3, 4]


def test_the_french_text_has_what_french_is_made_of(course: Any) -> None:
    data = course.assignment("tokenizer").folder / "data"
    for name in ("francais.txt", "francais-inedit.txt"):
        text = (data / name).read_text(encoding="utf-8")
        assert {"é", "è", "à", "œ", "’", "«", "»", "\u00a0", "\u202f"} <= set(text)
        assert not [plain for plain in (" :", " ;", " ?", " !", "« ", " »", "'") if plain in text]


def test_what_compression_is_measured_on_is_new(course: Any) -> None:
    data = course.assignment("tokenizer").folder / "data"
    for known, unseen in (("francais.txt", "francais-inedit.txt"), ("english.txt", "english-unseen.txt")):
        sentences = (data / unseen).read_text(encoding="utf-8").split(". ")
        assert not [one for one in sentences if one in (data / known).read_text(encoding="utf-8")]
    assert not set(course.assignment("tokenizer").file.data.student) & set(
        course.assignment("tokenizer").file.data.hidden
    )
