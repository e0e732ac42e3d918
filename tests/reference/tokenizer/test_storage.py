"""A saved tokenizer comes back as it was; a file that is broken in any way is refused."""

import json
from pathlib import Path

import pytest
from tokenizer_authorities import BYTES, tiktoken_encoding

from reference.tokenizer import Tokenizer, load_tokenizer, save_tokenizer, tokenizer_from_merges

SMALL = tokenizer_from_merges([(b"u", b"g"), (b"h", b"ug"), (b"\xff", b"\n")], ["<s>", 'é\n"\\', "\x00👍"])
HEXADECIMAL = [token.hex() for token in SMALL.vocabulary]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokenizer.json"


def test_round_trip(proof, path: Path, tokenizer: Tokenizer, texts: list[str]) -> None:
    for one in (SMALL, tokenizer, tokenizer_from_merges([])):
        save_tokenizer(one, path)
        back = load_tokenizer(path)
        assert back == one
        content = path.read_bytes()
        save_tokenizer(back, path)
        assert path.read_bytes() == content
    save_tokenizer(tokenizer, path)
    theirs = tiktoken_encoding(tokenizer)
    back = load_tokenizer(path)
    ours = [back.encode(text) for text in texts[:500]]
    proof(load_tokenizer, "tiktoken.Encoding").equal(
        ours, [theirs.encode(text, allowed_special="all") for text in texts[:500]]
    )


def test_the_file_is_what_is_documented(proof, path: Path) -> None:
    save_tokenizer(SMALL, path)
    expected = {
        "format": "byte-level BPE tokenizer",
        "version": 1,
        "vocabulary": [f"{value:02x}" for value in range(256)]
        + ["7567", "687567", "ff0a", "3c733e", "c3a90a225c", "00f09f918d"],
        "merges": [["75", "67"], ["68", "7567"], ["ff", "0a"]],
        "special_tokens": ["<s>", 'é\n"\\', "\x00👍"],
    }
    proof(save_tokenizer, "json, written out by hand").equal(json.loads(path.read_text()), expected)
    path.write_text(json.dumps(expected, ensure_ascii=False, indent=2), encoding="utf-8")  # spaces do not matter
    proof(load_tokenizer, "json, written out by hand").equal(load_tokenizer(path), SMALL)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "BPE"}, "format: expected 'byte-level BPE tokenizer', got 'BPE'"),
        ({"version": 2}, "version: expected 1, got 2"),
        ({"version": True}, "version: expected 1, got True"),
        ({"version": 1.0}, "version: expected 1, got 1.0"),
        ({"version": None}, "version: expected 1, got None"),
        ({"more": 1}, "keys: expected format, version, .* got .*more"),
        ({"vocabulary": None}, "vocabulary: expected a list, got None"),
        ({"vocabulary": "6875"}, "vocabulary: expected a list"),
        ({"vocabulary": HEXADECIMAL[:-1]}, "vocabulary: expected the token"),
        ({"vocabulary": [*HEXADECIMAL, "6162"]}, "vocabulary: expected bytes, merges and special tokens, got b'ab'"),
        ({"vocabulary": [*HEXADECIMAL, "00"]}, "vocabulary: expected each entry once"),
        ({"vocabulary": [*HEXADECIMAL[:-1], 7]}, "vocabulary: expected texts, got 7"),
        ({"vocabulary": [*HEXADECIMAL[:-1], "0"]}, "hexadecimal"),
        ({"vocabulary": [*HEXADECIMAL[:-1], "zz"]}, "hexadecimal"),
        ({"vocabulary": ["FF" if token == "ff" else token for token in HEXADECIMAL]}, "lower-case hexadecimal"),
        ({"vocabulary": [" 00", *HEXADECIMAL[1:]]}, "lower-case hexadecimal without spaces"),
        ({"merges": {}}, "keys: expected"),
        ({"merges": 7}, "merges: expected a list, got 7"),
        ({"merges": ["7567"]}, "merges: expected a list, got '7567'"),
        ({"merges": [["75"]]}, "merges: expected two entries each, got 1"),
        ({"merges": [["75", "67", "68"]]}, "merges: expected two entries each, got 3"),
        ({"merges": [["75", 67]]}, "merges: expected texts, got 67"),
        ({"merges": [["68", "7567"], ["75", "67"], ["ff", "0a"]]}, "merges: expected two bytes or tokens made before"),
        ({"special_tokens": ["<s>"]}, "vocabulary: expected bytes, merges and special tokens"),
        ({"special_tokens": ["<s>", 1]}, "special_tokens: expected texts, got 1"),
        ({"special_tokens": [""]}, "special_tokens: expected texts of one character or more"),
        ({"special_tokens": ["\ud800"]}, "special_tokens: expected Unicode without lone surrogates"),
    ],
)
def test_broken_values(path: Path, changes: dict[str, object], message: str) -> None:
    save_tokenizer(SMALL, path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ValueError, match=rf"(?s)tokenizer\.json: expected a saved tokenizer.*{message}"):
        load_tokenizer(path)


@pytest.mark.parametrize("key", ["format", "version", "vocabulary", "merges", "special_tokens"])
def test_missing_and_repeated_keys(path: Path, key: str) -> None:
    save_tokenizer(SMALL, path)
    content = path.read_text()
    values = json.loads(content)
    path.write_text(content.replace("{", "{" + json.dumps(key) + ": " + json.dumps(values.pop(key)) + ", ", 1))
    with pytest.raises(ValueError, match=r"keys: expected .* each once"):
        load_tokenizer(path)
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match="keys: expected"):
        load_tokenizer(path)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"null", b"[]", b"7", b"NaN", b"\xff\xfe", b"[" * 100_000, b'{"a"', b"\xef\xbb\xbf{}"]
)
def test_files_of_something_else(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"tokenizer\.json: expected a saved tokenizer"):
        load_tokenizer(path)


def test_a_file_cut_short_or_with_one_byte_changed(path: Path, rng) -> None:
    save_tokenizer(SMALL, path)
    content = path.read_bytes()
    for end in rng.integers(len(content) - 1, size=60):
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match="expected a saved tokenizer"):
            load_tokenizer(path)
    significant = [place for place, byte in enumerate(content) if byte not in b" \n"]
    for place in rng.choice(significant, size=200):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ValueError, match="expected a saved tokenizer"):
            load_tokenizer(path)


def test_no_file(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_tokenizer(path)
    with pytest.raises(FileNotFoundError):
        save_tokenizer(SMALL, path.parent / "none" / "tokenizer.json")
    with pytest.raises(TypeError):
        save_tokenizer(BYTES, path)
