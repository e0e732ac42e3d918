"""What real notebooks contain, and what their authors are told."""

from collections.abc import Callable

import pytest

from harness.records import Submission

Make = Callable[..., bytes]
Submit = Callable[..., Submission]

REMARKED = {
    "google-colab": ["from google.colab import drive", "import google.colab", "from google import colab"],
    "pip-install": [
        "!pip install nltk",
        "%pip install nltk",
        "!apt-get -y install x",
        "%%bash\npip install nltk",
        "import os\nos.system('pip install x')",
        "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'pip', 'install', 'x'])",
    ],
    "input": ["n = int(input('n? '))"],
    "absolute-path": ["open('/content/drive/x.txt')", r"open('C:\\Users\\ann\\x.txt')", "%cd /home/ann/work"],
    "package-unavailable": ["import nltk.corpus", "from wandb import init"],
    "syntax-error": ["def f(:"],
}


@pytest.mark.parametrize(("code", "source"), [(code, s) for code, sources in REMARKED.items() for s in sources])
def test_remark(code: str, source: str, submit: Submit, as_bytes: Make) -> None:
    (notice,) = submit(as_bytes("x = 1", source)).notices
    assert (notice.code, notice.cell) == (code, 1)
    assert notice.line
    assert notice.text.fr != notice.text.en


QUIET = {
    "allowed packages and what they need": "import numpy.linalg, torch, typing_extensions, IPython.display, json",
    "relative": "from . import x",
    "beside": "import helper, pkg.part, legacy",
    "guarded": "try:\n    import nltk\nexcept ImportError:\n    nltk = None",
    "guarded by a tuple": "try:\n    import nltk\nexcept (ImportError, OSError):\n    nltk = None",
    "own input": "def f(input):\n    return input(3)",
    "docstring": "def f():\n    '/content/x'\n'/home/x'",
    "relative path": "open('data/prenoms.txt'), '/', '/tmp', 'a: b', 'C'",
    "pip in text": "print('pip install x')\n# !pip install x",
    "plots": "import json\n%matplotlib inline\nfor i in range(3): pass",
}


@pytest.mark.parametrize("source", QUIET.values(), ids=QUIET.keys())
def test_no_remark(source: str, submit: Submit, as_bytes: Make) -> None:
    beside = {"helper.py": b"", "pkg/part.py": b"", "legacy.py": b"print 1"}
    assert submit(as_bytes(source), beside=beside).notices == ()


def test_module_that_the_notebook_writes_itself(submit: Submit, as_bytes: Make) -> None:
    assert submit(as_bytes("%%writefile made.py\nx = 1", "import made")).notices == ()


def test_entry_point_defined_twice(submit: Submit, as_bytes: Make) -> None:
    submission = submit(
        as_bytes("def f(): ...", "def g(): ...", "\ndef f(): ...\ndef h(): ...\ndef h(): ..."), entry_points=["f", "g"]
    )
    (notice,) = submission.notices
    assert (notice.code, notice.cell, notice.line) == ("defined-twice", 2, 2)
    assert notice.text.fr.startswith("f est")


def test_forbidden_import_is_not_also_called_unavailable(submit: Submit, as_bytes: Make) -> None:
    submission = submit(as_bytes("import sklearn"), forbidden=["sklearn"])
    assert (submission.notices, len(submission.violations)) == ((), 1)


def test_same_remark_once_a_line(submit: Submit, as_bytes: Make) -> None:
    assert len(submit(as_bytes("open('/home/a/x'), open('/home/a/y')")).notices) == 1
