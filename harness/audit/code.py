"""One cell as text and as a tree at once: where each node stands, so that a fault changes nothing but its own place.

Not covered: which faults there are (`operators`), and what becomes of them (`mutants`).
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
LOOSE = (ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Lambda, ast.UnaryOp, ast.NamedExpr, ast.Await, ast.Starred)
COMMENT = re.compile(r"#[^\n]*")
MESSAGES = (ast.Raise, ast.Assert)  # what they say decides nothing
ANNOTATED = {ast.arg: "annotation", ast.AnnAssign: "annotation", ast.FunctionDef: "returns"}


@dataclass(frozen=True, slots=True)
class Edit:
    """A piece of a cell, and what stands there instead."""

    start: int  # in characters from the beginning of the cell
    end: int
    text: str


class Code:
    """The text of one cell and its tree.

    >>> code = Code("total = (a + b) * c")
    >>> product = code.tree.body[0].value
    >>> code.segment(product), code.operator(product.left, product.right, "*")
    ('(a + b) * c', (16, 17))
    """

    def __init__(self, text: str) -> None:
        """Raises SyntaxError where `text` is not Python."""
        self.text = text
        self.tree = ast.parse(text)
        self._lines = text.split("\n")  # as the tree counts them, unlike `splitlines`
        self._starts = list(accumulate((len(line) + 1 for line in self._lines), initial=0))
        self._parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node that decides what the cell computes, in the order of the text, outer ones first."""
        return tuple(self._deciding(self.tree))

    def start(self, node: ast.AST) -> int:
        """Where `node` begins; parentheses around it are not part of it."""
        return self._place(node.lineno, node.col_offset)  # type: ignore[attr-defined]  # of expressions and statements

    def end(self, node: ast.AST) -> int:
        """Where `node` has ended."""
        return self._place(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def segment(self, node: ast.AST) -> str:
        """The text of `node`."""
        return self.text[self.start(node) : self.end(node)]

    def operand(self, node: ast.AST) -> str:
        """The text of `node` as it can stand anywhere: in parentheses where it must be."""
        return f"({self.segment(node)})" if isinstance(node, LOOSE) else self.segment(node)

    def replace(self, node: ast.AST, text: str) -> Edit:
        """`text` instead of `node`."""
        return Edit(self.start(node), self.end(node), text)

    def operator(self, left: ast.AST, right: ast.AST, sign: str) -> tuple[int, int]:
        """From where to where the operator `sign` stands between two operands."""
        start = self.end(left)
        between = COMMENT.sub(lambda comment: " " * len(comment[0]), self.text[start : self.start(right)])
        found = re.search(r"\s+".join(map(re.escape, sign.split())), between)
        assert found is not None  # noqa: S101  # the tree says that it is there
        return start + found.start(), start + found.end()

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node that holds `node`; None for the module."""
        return self._parents.get(node)

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around `node`, innermost first."""
        while (node := self._parents.get(node)) is not None:  # type: ignore[assignment]
            yield node

    def function(self, node: ast.AST) -> FunctionNode | None:
        """The function that `node` is in."""
        return next((one for one in self.above(node) if isinstance(one, FunctionNode)), None)

    def qualified(self, node: ast.AST) -> str:
        """The name of the place that `node` is in: "Tokenizer.encode"; empty at the top of the cell."""
        around = [one.name for one in self.above(node) if isinstance(one, FunctionNode | ast.ClassDef)]
        return ".".join(reversed(around))

    def changed(self, edit: Edit) -> str:
        """The cell with `edit` made."""
        return self.text[: edit.start] + edit.text + self.text[edit.end :]

    def _place(self, line: int, byte: int) -> int:
        text = self._lines[line - 1]
        return self._starts[line - 1] + len(text.encode()[:byte].decode())

    def _deciding(self, node: ast.AST) -> Iterator[ast.AST]:
        yield node
        left_out = {id(child) for child in self._beside(node)}
        for child in ast.iter_child_nodes(node):
            if id(child) not in left_out and not isinstance(child, MESSAGES):
                yield from self._deciding(child)

    def _beside(self, node: ast.AST) -> Iterator[ast.AST]:
        """Children of `node` that say something to people only: annotations, docstrings, texts alone."""
        annotated = next((field for kind, field in ANNOTATED.items() if isinstance(node, kind)), None)
        if annotated is not None and getattr(node, annotated) is not None:
            yield getattr(node, annotated)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        if isinstance(node, ast.JoinedStr):
            # Python 3.11 does not always know where a part of such a string stands
            yield from (part for part in node.values if not self._stands_there(part))

    def _stands_there(self, part: ast.AST) -> bool:
        """Whether the text at the place of what is shown in a string is really it."""
        if not isinstance(part, ast.FormattedValue) or part.format_spec is not None:
            return False
        try:
            found = ast.parse(self.segment(part.value), mode="eval")
        except (SyntaxError, ValueError):
            return False
        return ast.dump(found.body) == ast.dump(part.value)
