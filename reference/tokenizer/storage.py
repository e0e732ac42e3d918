"""A tokenizer as a file of JSON, there and back. Not covered: the files of other libraries.

The file is one object with these keys, and no others:

format            "byte-level BPE tokenizer"
version           1
vocabulary        each token's bytes in the order of ids, as lower-case hexadecimal: "6875" for b"hu"
merges            [left, right] in the order of learning, each as hexadecimal
special_tokens    texts
"""

import json
from pathlib import Path
from typing import Any

from reference.checked import checked
from reference.tokenizer.tokenizer import Tokenizer

FORMAT = "byte-level BPE tokenizer"
VERSION = 1
KEYS = ("format", "version", "vocabulary", "merges", "special_tokens")


@checked
def save_tokenizer(tokenizer: Tokenizer, path: Path) -> None:
    """Write a tokenizer as JSON; equal tokenizers give equal files. What was at `path` is replaced.

    The format is described at the top of this file.

    Source: our own format, JSON as in RFC 8259.

    Args:
        tokenizer: what to write.
        path: where; its folder exists.
    Raises:
        OSError: the file cannot be written.

    Cost: O(V) for V tokens.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "tokenizer.json")
    ...     save_tokenizer(Tokenizer(tuple(bytes([value]) for value in range(256))), path)
    ...     path.read_text()[:51]
    '{"format": "byte-level BPE tokenizer", "version": 1'
    """
    values = {
        "format": FORMAT,
        "version": VERSION,
        "vocabulary": [token.hex() for token in tokenizer.vocabulary],
        "merges": [[left.hex(), right.hex()] for left, right in tokenizer.merges],
        "special_tokens": list(tokenizer.special_tokens),
    }
    path.write_text(json.dumps(values) + "\n", encoding="ascii", newline="\n")


@checked
def load_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer that `save_tokenizer` wrote; it equals the one that was saved.

    Nothing is guessed: a missing, unknown or repeated key, another version, and a value of the wrong type are errors.

    Source: our own format, JSON as in RFC 8259.

    Args:
        path: the file.
    Raises:
        ValueError: the file is not what `save_tokenizer` writes; the message names it and says why.
        OSError: the file cannot be read.

    Cost: O(V) for V tokens.

    >>> from tempfile import TemporaryDirectory
    >>> tokenizer = Tokenizer(tuple(bytes([value]) for value in range(256)))
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "tokenizer.json")
    ...     save_tokenizer(tokenizer, path)
    ...     load_tokenizer(path) == tokenizer
    True
    """
    content = path.read_bytes()
    try:
        return _tokenizer(json.loads(content.decode("utf-8"), object_pairs_hook=_object))
    except (ValueError, RecursionError) as error:  # deep nesting is no tokenizer either
        raise ValueError(f"{path.name}: expected a saved tokenizer, got a file that is none: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose keys are exactly ours, each once."""
    keys = [key for key, _ in pairs]
    if sorted(keys) != sorted(KEYS):
        raise ValueError(f"keys: expected {', '.join(KEYS)}, each once, got {', '.join(keys)}")
    return dict(pairs)


def _tokenizer(values: Any) -> Tokenizer:
    if not isinstance(values, dict):
        raise ValueError(f"file: expected an object, got {type(values).__name__}")  # noqa: TRY004  # a broken file
    for name, expected in (("format", FORMAT), ("version", VERSION)):
        if values[name] != expected or isinstance(values[name], bool | float):
            raise ValueError(f"{name}: expected {expected!r}, got {values[name]!r}")
    merges = [_list("merges", pair) for pair in _list("merges", values["merges"])]
    for pair in merges:
        if len(pair) != 2:
            raise ValueError(f"merges: expected two entries each, got {len(pair)}")
    return Tokenizer(
        tuple(_bytes("vocabulary", token) for token in _list("vocabulary", values["vocabulary"])),
        tuple((_bytes("merges", left), _bytes("merges", right)) for left, right in merges),
        tuple(_text("special_tokens", token) for token in _list("special_tokens", values["special_tokens"])),
    )


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{name}: expected a list, got {value!r}")  # noqa: TRY004  # a broken file
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected texts, got {value!r}")  # noqa: TRY004  # a broken file
    return value


def _bytes(name: str, value: Any) -> bytes:
    """Bytes of hexadecimal as `bytes.hex` writes it: there is one way to write each token."""
    text = _text(name, value)
    spelled = bytes.fromhex(text)
    if spelled.hex() != text:
        raise ValueError(f"{name}: expected lower-case hexadecimal without spaces, got {text!r}")
    return spelled
