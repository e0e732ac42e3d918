"""What students find in place of a solution cell: its entry points with their signatures, said in words, to complete.

Covered: functions, classes with methods, several of them in one cell, hints. Everything else of the cell goes: helpers,
imports, constants (`verify` sees to it that nothing else of the kit uses them). Not covered: what is in other cells.
"""

import ast
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.course import EntryPoint
from harness.intake.parse import parse_source
from harness.records import Language, Text
from harness.typography import with_apostrophes, with_french_spaces

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
TO_COMPLETE = Text("à compléter", "to be completed")
TAKES = Text("Reçoit : ", "Takes: ")
RETURNS = Text("Renvoie : ", "Returns: ")
HINT = re.compile(r"#\s*hint (?P<language>fr|en):\s*(?P<words>.*)")
CONTRACT = frozenset({"classmethod", "property", "staticmethod"})  # decorators that say how a method is called
SIZE = r"[\w.…·]+(?: [-+*] [\w.…·]+)*"
SHAPE = re.compile(rf"\({SIZE}(?:, {SIZE})*,?\)")  # "(B, P + T, D)": stays on one line
JOINED = "\0"  # stands for a space within a shape while lines are made: no text holds it
WIDTH = 88  # characters of a docstring's line
INDENT = " " * 4


@dataclass(frozen=True, slots=True)
class _Hint:
    """A comment that students keep."""

    line: int  # within the cell, from 1
    comment: str


def stubs(source: str, entry_points: Mapping[str, EntryPoint], language: Language) -> str:
    """The solution cell `source` as students find it; empty where it defines no entry point and holds no hint.

    Hints within an entry point stay there, others stand at the top.

    Raises:
        SyntaxError: `source` is not Python.
    """
    body = parse_source(source).body
    chosen = [node for node in body if isinstance(node, Definition) and node.name in entry_points]
    hints = list(_hints(source, language))
    inside = {node: [hint for hint in hints if node.lineno <= hint.line <= (node.end_lineno or 0)] for node in chosen}
    outside = [hint.comment for hint in hints if not any(hint in kept for kept in inside.values())]
    blocks = ["\n".join(outside)] if outside else []
    for node in chosen:
        said = [*_docstring(entry_points[node.name], language), *(hint.comment for hint in inside[node])]
        blocks.append("\n".join(_stub(node, said, language)))
    return "\n\n\n".join(blocks)


def definitions(tree: ast.Module) -> set[str]:
    """The functions and classes that a cell defines at its top level."""
    return {node.name for node in tree.body if isinstance(node, Definition)}


def _stub(node: Definition, said: list[str], language: Language) -> list[str]:
    return _class(node, said, language) if isinstance(node, ast.ClassDef) else _function(node, said, language)


def _function(node: Function, said: list[str], language: Language) -> list[str]:
    keyword = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    last = f'raise NotImplementedError("{TO_COMPLETE.in_language(language)}")'
    return [f"{keyword} {node.name}({ast.unparse(node.args)}){returns}:", *_indented([*said, last])]


def _class(node: ast.ClassDef, said: list[str], language: Language) -> list[str]:
    """A class with the methods that others may call, each to be completed."""
    bases = ", ".join(ast.unparse(base) for base in (*node.bases, *node.keywords))
    lines = [f"class {node.name}({bases}):" if bases else f"class {node.name}:", *_indented(said)]
    for method in node.body:
        if isinstance(method, Function) and (not method.name.startswith("_") or method.name.endswith("__")):
            kept = [f"@{name}" for decorator in method.decorator_list if (name := ast.unparse(decorator)) in CONTRACT]
            lines += ["", *_indented([*kept, *_function(method, [], language)])]
    return lines


def _docstring(entry: EntryPoint, language: Language) -> list[str]:
    takes, returns = (
        _wrapped(_typeset(label, said, language)) for label, said in ((TAKES, entry.takes), (RETURNS, entry.returns))
    )
    return [f'"""{takes[0]}', *takes[1:], "", *returns, '"""']


def _wrapped(words: str) -> list[str]:
    """Lines of a docstring, none of which ends within a shape."""
    joined = SHAPE.sub(lambda shape: shape[0].replace(" ", JOINED), words)
    lines = textwrap.wrap(joined, WIDTH, break_long_words=False, break_on_hyphens=False)
    return [line.replace(JOINED, " ") for line in lines]


def _typeset(label: Text, said: Text, language: Language) -> str:
    words = label.in_language(language) + said.in_language(language)
    if language == "fr":
        words = with_apostrophes(with_french_spaces(words))
    return words.replace("\\", "\\\\").replace('"""', r"\"\"\"")


def _hints(source: str, language: Language) -> Iterator[_Hint]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        found = HINT.fullmatch(token.string) if token.type == tokenize.COMMENT else None
        if found is not None and found["language"] == language:
            yield _Hint(token.start[0], f"# {found['words']}")


def _indented(lines: list[str]) -> list[str]:
    return [INDENT + line if line else "" for line in lines]
