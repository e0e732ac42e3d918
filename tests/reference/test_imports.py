"""Importing one module of the oracle pulls in what bareme itself needs, and no authority that it is held against."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import reference

PROJECT = Path(reference.__file__).parents[1] / "pyproject.toml"
FILES = sorted(Path(reference.__file__).parent.rglob("*.py"))
MODULES = sorted(path.name for path in Path(reference.__file__).parent.iterdir() if (path / "__init__.py").is_file())


def distributions(wanted: list[str]) -> set[str]:
    """The distributions that `wanted` brings along, itself included."""
    found: set[str] = set()
    queue = [Requirement(one) for one in wanted]
    while queue:
        requirement = queue.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        try:
            queue += [Requirement(one) for one in requires(name) or []]
        except ModuleNotFoundError:  # for another platform
            continue
    return found


def imported() -> set[str]:
    """What the oracle's files import at their top, themselves left out."""
    nodes = [node for file in FILES for node in ast.parse(file.read_text()).body]
    found = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    found |= {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    return {name for name in found if name.partition(".")[0] not in {"reference", "__future__"}}


def test_no_file_imports_an_authority_at_its_top(foreign: set[str]) -> None:
    assert {"torch", "numpy"} <= imported()
    assert not {name.partition(".")[0] for name in imported()} & foreign


@pytest.fixture(scope="module")
def foreign() -> set[str]:
    """Top-level names of packages that only the test extra brings."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    own = distributions(project["dependencies"])
    extra = {one for one in project["optional-dependencies"]["test"] if not re.match(r"bareme\b", one)}
    only = distributions(sorted(extra)) - own
    return {top for top, names in packages_distributions().items() if {canonicalize_name(n) for n in names} & only}


def test_the_authorities_are_foreign(foreign: set[str]) -> None:
    assert {"nltk", "sklearn", "tiktoken", "tokenizers", "transformers"} <= foreign
    assert not {"numpy", "torch", "scipy", "jaxtyping", "beartype"} & foreign


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_nothing_foreign(name: str, foreign: set[str]) -> None:
    used = ", ".join(sorted(imported() - foreign))  # torch and scipy look by themselves for what may be there
    code = f"import sys, {used}; before = {{*sys.modules}}; import reference.{name}; print(*{{*sys.modules}} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    added = done.stdout.split()
    assert "reference.checked" in added
    assert not {module.partition(".")[0] for module in added} & foreign
