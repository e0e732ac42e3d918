"""Importing one module of the oracle pulls in what bareme itself needs, and no authority that it is held against."""

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
    code = f"import sys, torch; before = {{*sys.modules}}; import reference.{name}; print(*{{*sys.modules}} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    added = done.stdout.split()  # torch looks by itself for what may be there, such as dill
    assert "reference.checked" in added
    assert not {module.partition(".")[0] for module in added} & foreign
