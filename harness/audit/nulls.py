"""Notebooks that do no work: the empty one, and the solution with every entry point made hollow (`bareme_null`).

Not covered: what they may earn (`examine`).
"""

import inspect
from collections.abc import Sequence
from pathlib import Path

from harness.audit import bareme_null
from harness.audit.notebooks import Solution
from harness.records import Candidate, Text

EMPTY, MEMORISED = "empty", "memorised"
MEMORY = "memory.pickle"
TITLES = {
    EMPTY: Text("Le notebook vide", "The empty notebook"),
    "nothing": Text("Renvoyer None", "Returning None"),
    "zeros": Text("Des zéros de la bonne forme", "Zeros of the right shape"),
    "ones": Text("Des uns de la bonne forme", "Ones of the right shape"),
    "nan": Text("Des NaN de la bonne forme", "NaN of the right shape"),
    "mean": Text("La moyenne de la réponse partout", "The answer's mean throughout"),
    "noise": Text("Du bruit de la bonne forme", "Noise of the right shape"),
    "first": Text("Renvoyer le premier argument", "Returning the first argument"),
    "second": Text("Renvoyer le deuxième argument", "Returning the second argument"),
    "last": Text("Renvoyer le dernier argument", "Returning the last argument"),
    "list": Text("Une liste vide", "An empty list"),
    "dict": Text("Un dictionnaire vide", "An empty dictionary"),
    "example": Text("Toujours la réponse de l'exemple", "Always the example's answer"),
    "once": Text("Juste une fois, puis plus jamais", "Right once, then never again"),
    MEMORISED: Text("Les exemples publics, par cœur", "The public examples, by heart"),
}
STAGE = "bareme_null"  # the module, and the name of the stage in the notebook's own scope


def notebooks(solution: Solution, names: Sequence[str], folder: Path, memory: bytes) -> dict[str, Candidate]:
    """Every null notebook by its kind, written below `folder`.

    Args:
        names: the entry points.
        memory: calls and their answers, as `recording.record` writes them.
    """
    module = inspect.getsource(bareme_null).encode()
    hollow = {f"{STAGE}.py": module}
    candidates = {EMPTY: solution.write(folder, f"null/{EMPTY}", _empty(solution))}
    for kind in TITLES:
        if kind == MEMORISED:
            cells = [*_setting(names), f"stage_.recite({MEMORY!r})"]
            candidates[kind] = solution.write(folder, f"null/{kind}", cells, {**hollow, MEMORY: memory})
        elif kind != EMPTY:
            cells = [*_setting(names), *_watched(solution), f"stage_.install({kind!r})"]
            candidates[kind] = solution.write(folder, f"null/{kind}", cells, hollow)
    return candidates


def _empty(solution: Solution) -> list[str]:
    """The cells of a kit: those to complete say nothing."""
    return [text for cell, text in solution.cells.items() if cell not in solution.tagged]


def _setting(names: Sequence[str]) -> list[str]:
    imports = "import sys\n\nimport numpy\n\nimport bareme_null\n"  # `sys.modules` has to know what arrays are
    return [f"{imports}\nstage_ = bareme_null.Stage(globals(), {list(names)!r})"]


def _watched(solution: Solution) -> list[str]:
    return [f"{text}\n\nstage_.watch()" for text in solution.cells.values()]
