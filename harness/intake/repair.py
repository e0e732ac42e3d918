"""From the bytes of a notebook to its cells, whatever state they are in: JSON of formats 3 and 4, and Python scripts.

nbformat stops at the first oddity; this reader repairs what has one sensible meaning, says so, and refuses the rest.
On valid notebooks a test holds it equal to nbformat. Outputs, widgets' state and metadata are not kept.
Not covered: what the cells say (`parse`, `policy`, `remarks`).
"""

import io
import json
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.intake.texts import UnreadableNotebook, notice
from harness.records import Cell, Notice

KNOWN = frozenset({"code", "markdown", "raw", "heading", "html"})  # the last two in format 3 only
CELL_ID = re.compile(r"^[a-zA-Z0-9-_]{1,64}$")  # as format 4.5 defines it
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
CELL_MARK = re.compile(r"^# ?(?:%%|In\[[\d ]*\]:)(.*)$")  # percent format, and what nbconvert writes
PROSE_MARK = re.compile(r"\[(markdown|md|raw)\]")


@dataclass(frozen=True, slots=True)
class Repaired:
    """What could be made of a file."""

    cells: tuple[Cell, ...]  # code cells
    notices: tuple[Notice, ...]


def read_json(content: bytes, name: str) -> Repaired:
    """The code cells of a notebook file called `name`.

    Raises:
        UnreadableNotebook: it is not a notebook.
    """
    value, notices = _parsed(content, name)
    if not isinstance(value, dict):
        raise UnreadableNotebook("not-a-notebook", name)
    version = _version(value, name, notices)
    raw = list(_format3(value)) if version == 3 else value.get("cells")
    if not isinstance(raw, list) or (version == 3 and not isinstance(value.get("worksheets"), list)):
        raise UnreadableNotebook("not-a-notebook", name)
    notices += _language(value.get("metadata"))
    cells = [cell for index, item in enumerate(raw) if (cell := _cell(index, item, notices))]
    minor = value.get("nbformat_minor")
    expects_ids = version == 4 and isinstance(minor, int) and minor >= 5
    return Repaired(_with_ids(cells, expects_ids=expects_ids, notices=notices), tuple(notices))


def read_script(content: bytes, name: str) -> Repaired:
    """The cells of a Python script: the percent format, or all of it as one cell.

    Raises:
        UnreadableNotebook: it is empty, or not in the encoding that it declares.
    """
    if not content.strip():
        raise UnreadableNotebook("empty-file", name)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = content.decode(encoding)
    except (SyntaxError, UnicodeError, LookupError) as error:
        raise UnreadableNotebook("encoding-cookie", name) from error
    sources = _split(text.replace("\r\n", "\n").replace("\r", "\n"))
    return Repaired(
        tuple(Cell(index, f"cell-{index}", source) for index, source in enumerate(sources) if source is not None), ()
    )


def _parsed(content: bytes, name: str) -> tuple[Any, list[Notice]]:
    notices: list[Notice] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(items)) < len(items) and not notices:
            notices.append(notice("duplicate-keys"))
        return found

    try:
        return json.loads(_text(content, name), object_pairs_hook=pairs), notices
    except RecursionError as error:
        raise UnreadableNotebook("too-nested", name) from error
    except ValueError as error:
        code = "merge-conflict" if re.search(rb"^<{7} ", content, re.MULTILINE) else "not-json"
        raise UnreadableNotebook(code, name) from error


def _text(content: bytes, name: str) -> str:
    if not content.strip():
        raise UnreadableNotebook("empty-file", name)
    try:
        return content.decode(json.detect_encoding(content))
    except UnicodeError as error:
        raise UnreadableNotebook("not-text", name) from error


def _version(value: dict[str, Any], name: str, notices: list[Notice]) -> int:
    stated = value.get("nbformat")
    if type(stated) is int and stated in {3, 4}:
        return stated
    if type(stated) is int:
        raise UnreadableNotebook("version", name, version=stated if abs(stated) < 1000 else "?")
    version = 3 if "worksheets" in value and "cells" not in value else 4
    notices.append(notice("no-version", version=version))
    return version


def _format3(value: dict[str, Any]) -> Iterator[Any]:
    """The cells of all worksheets, as format 4 writes them."""
    sheets = value.get("worksheets")
    for sheet in sheets if isinstance(sheets, list) else ():
        cells = sheet.get("cells") if isinstance(sheet, dict) else None
        for cell in cells if isinstance(cells, list) else [None]:
            if isinstance(cell, dict) and cell.get("cell_type") == "code":
                yield {"cell_type": "code", "source": cell.get("input")}
            else:
                yield cell


def _language(metadata: object) -> list[Notice]:
    metadata = metadata if isinstance(metadata, dict) else {}
    kernel, info = metadata.get("kernelspec"), metadata.get("language_info")
    if not isinstance(kernel, dict) and not isinstance(info, dict):
        return [notice("no-kernelspec")]
    stated = [
        language
        for part, key in ((kernel, "language"), (info, "name"))
        if isinstance(part, dict) and isinstance(language := part.get(key), str)
    ]
    foreign = [language for language in stated if language.lower() not in {"python", "ipython", ""}]
    return [notice("not-python", language=foreign[0])] if foreign else []


def _cell(index: int, item: object, notices: list[Notice]) -> Cell | None:
    """The code cell at `index`, None for prose and for what is no cell."""
    kind = item.get("cell_type") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(kind, str) or kind not in KNOWN:
        notices.append(notice("damaged-cell", cell=index))
        return None
    if kind != "code":
        return None
    source, damaged = _source(item.get("source"))
    if damaged:
        notices.append(notice("damaged-cell", cell=index))
    if LONE_SURROGATE.search(source):
        notices.append(notice("bad-characters", cell=index))
        source = LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", source)
    identifier = item.get("id")
    return Cell(index, identifier if isinstance(identifier, str) else "", source)


def _source(value: object) -> tuple[str, bool]:
    """A cell's source, and whether something of it could not be read."""
    if isinstance(value, str):
        return value, False
    if isinstance(value, list):
        lines = [line for line in value if isinstance(line, str)]
        return "".join(lines), len(lines) < len(value)
    return "", True


def _with_ids(cells: list[Cell], *, expects_ids: bool, notices: list[Notice]) -> tuple[Cell, ...]:
    """Every cell with an id of its own: its own where that is valid and new, else one made from its place."""
    own = {cell.id for cell in cells}
    taken: set[str] = set()
    named = []
    for cell in cells:
        identifier = cell.id if CELL_ID.match(cell.id) and cell.id not in taken else f"cell-{cell.index}"
        while identifier != cell.id and identifier in own | taken:
            identifier += "-"
        taken.add(identifier)
        named.append(Cell(cell.index, identifier, cell.source))
    if expects_ids and named != cells:
        notices.append(notice("cell-ids"))
    return tuple(named)


def _split(text: str) -> list[str | None]:
    """The cells of a script in order; None for prose, which counts as a cell but is not run."""
    blocks: list[tuple[bool, list[str]]] = [(False, [])]
    for line in text.split("\n"):
        if mark := CELL_MARK.match(line):
            blocks.append((bool(PROSE_MARK.search(mark[1])), []))
        else:
            blocks[-1][1].append(line)
    if len(blocks) > 1 and all(not line.strip() or line.startswith("#") for line in blocks[0][1]):
        del blocks[0]  # a header, not a cell
    return [None if prose else "\n".join(lines).strip("\n") for prose, lines in blocks]
