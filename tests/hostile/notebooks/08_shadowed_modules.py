# /// expected
# threat = "Files beside the notebook stand in for libraries, or run before it."
# status = "marked"
# checks = {total = "failed", total_hidden = "failed"}
# output = "pytest of the notebook: 1"
# [files]
# "numpy.py" = "LIE = 1"
# "json.py" = "LIE = 1"
# "torch.py" = "raise SystemExit"
# "zmq.py" = "raise SystemExit"
# "ipykernel.py" = "raise SystemExit"
# "IPython/__init__.py" = "raise SystemExit"
# "bareme.py" = "raise SystemExit"
# "pytest.py" = "LIE = 1"
# "wire.py" = "raise SystemExit"
# "sitecustomize.py" = "import os; os.environ['hostile_hook_ran'] = '1'"
# "usercustomize.py" = "import os; os.environ['hostile_hook_ran'] = '1'"
# "conftest.py" = "def pytest_runtest_call(item): pass"
# "pytest.ini" = "[pytest]\naddopts = --collect-only"
# "checks.py" = "def test_total(): pass"
# "assignment.toml" = "points = 0"
# ///

# %%
from honest import *

import os
import sys

import numpy

home = os.getcwd()
assert not numpy.__file__.startswith(home)
assert not sys.modules["json"].__file__.startswith(home)
assert "hostile_hook_ran" not in os.environ
import pytest

print("pytest of the notebook:", pytest.LIE)


def total(values):
    return 0
