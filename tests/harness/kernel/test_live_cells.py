"""What real notebooks contain has a defined outcome, cell by cell."""

import pytest

from harness.course import Limits, Policy
from harness.kernel import Call
from harness.records import CellRun, Outcome

PASSED, ERROR = Outcome.PASSED, Outcome.ERROR


def run(opened, *sources, **options) -> tuple[CellRun, ...]:
    return opened(*sources, **options).run_cells().cells


def outcomes(cells) -> list[Outcome]:
    return [cell.outcome for cell in cells]


def test_a_cell_that_raises_does_not_end_the_notebook(opened):
    cells = run(opened, "a = 1", "def f():\n    return a / 0\n\nf()", "b = a + 1\nprint('é€😀', b)")
    assert outcomes(cells) == [PASSED, ERROR, PASSED]
    error = cells[1].error
    assert (error.name, error.message, error.cell, error.line) == ("ZeroDivisionError", "division by zero", 1, 2)
    assert error.traceback == ("cell 1, line 4, in <module>: f()", "cell 1, line 2, in f: return a / 0")
    assert cells[2].output == "é€😀 2\n"


def test_errors_name_the_cell_that_defines_what_raised(opened):
    cells = run(opened, "x = 1", "def g():\n    raise KeyError('k')", "g()")
    assert (cells[2].cell, cells[2].error.cell, cells[2].error.line) == (2, 1, 2)


def test_a_syntax_error_is_located(opened):
    cells = run(opened, "x = 1\nif x\n    y = 2", "z = 3")
    assert outcomes(cells) == [ERROR, PASSED]
    assert (cells[0].error.name, cells[0].error.cell, cells[0].error.line) == ("SyntaxError", 0, 2)


ORDINARY = {
    "not in colab": "import sys\nassert 'google.colab' not in sys.modules",
    "main guard": "if __name__ == '__main__':\n    print('main')",
    "await": "import asyncio\nawait asyncio.sleep(0)\nprint('awaited')",
    "semicolon": "1 + 1;",
    "value": "'shown'",
    "time magic": "%%time\nx = 1",
    "timeit": "%timeit -n 1 -r 1 1 + 1",
    "autoreload": "%load_ext autoreload\n%autoreload 2",
    "unknown extension": "%load_ext tensorboard",
    "unknown line magic": "%tensorboard --logdir runs\nafter = 1",
    "unknown cell magic": "%%bigquery\nafter = 2",
    "matplotlib magic": "%matplotlib inline",
    "pip magic": "%pip install transformers",
    "pip command": "!pip install -q transformers",
    "python -m pip": "!python -m pip install transformers",
    "conda magic": "%conda install pytorch",
    "captured pip": "out = !pip list",
    "command": "!echo from-the-shell",
    "captured command": "files = !echo one; echo two\nprint(list(files))",
    "colab": "from google.colab import drive\ndrive.mount('/content/drive')",
    "colab files": "from google.colab import files\nuploaded = files.upload()\nprint(len(uploaded))",
    "descriptor 1": "import os\n_ = os.write(1, b'raw\\n')",
    "forked print": "import os\npid = os.fork()\nif pid == 0:\n    print('child', flush=True); os._exit(0)\n"
    "_ = os.waitpid(pid, 0)",
    "unraisable repr": "class R:\n    def __repr__(self): raise ValueError('no')\nR()",
    "huge value": "'x' * 10**7",
    "surrogates": "print('\\ud800')",
    "null characters": "print('a\\0b')",
    "warnings": "import warnings\nwarnings.warn('careful')",
    "logging": "import logging\nlogging.warning('careful')",
    "empty": "",
}


SHOWN = {  # what some of them print
    "main guard": "main\n",
    "await": "awaited\n",
    "semicolon": "",
    "value": "'shown'\n",
    "command": "from-the-shell",
    "captured command": "['one', 'two']\n",
    "pip magic": "nothing is installed while marking; already there:\n",
    "pip command": "nothing is installed while marking",
    "python -m pip": "nothing is installed while marking",
    "conda magic": "nothing is installed while marking",
    "captured pip": "nothing is installed while marking",
    "unknown extension": "there is no extension 'tensorboard' here",
    "unknown line magic": "there is no %tensorboard here",
    "unknown cell magic": "there is no %%bigquery here",
    "colab": "google.colab.drive.mount does nothing here",
    "colab files": "google.colab.files.upload does nothing here\n0\n",
    "descriptor 1": "raw\n",
    "forked print": "child\n",
    "unraisable repr": "ValueError: no",
    "surrogates": "?\n",
    "null characters": "a\0b\n",
    "warnings": "UserWarning: careful",
    "logging": "WARNING:root:careful",
}


@pytest.fixture(scope="module")
def ordinary(run_once) -> dict[str, CellRun]:
    return dict(zip(ORDINARY, run_once(*ORDINARY.values()).cells, strict=True))


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_cells_pass(ordinary, name):
    assert (ordinary[name].outcome, ordinary[name].error) == (PASSED, None)
    assert SHOWN.get(name, "") in ordinary[name].output


def test_a_displayed_value_is_capped(ordinary):
    assert 60_000 < len(ordinary["huge value"].output) < 70_000


def test_warnings_name_the_cell(ordinary):
    assert ordinary["warnings"].output.startswith(f"<cell {ordinary['warnings'].cell}>:2:")


RAISING = {
    "input()": ("StdinNotImplementedError", "personne n'est là pour répondre"),
    "import getpass\ngetpass.getpass()": ("StdinNotImplementedError", "nobody is there to answer"),
    "exit()": ("SystemExit", ""),
    "quit(0)": ("SystemExit", "0"),
    "import sys\nsys.exit(3)": ("SystemExit", "3"),
    "import nothing_like_this": ("ModuleNotFoundError", "This package is not available in this assignment."),
    "import pandas as pd": ("ModuleNotFoundError", "Ce paquet n'est pas disponible dans ce devoir."),
    "open('/home/emma/data.csv')": ("FileNotFoundError", "/home/emma/data.csv"),
    "f = lambda n: f(n + 1)\nf(0)": ("RecursionError", "maximum recursion depth"),
    "%run missing.py": ("Exception", "missing.py"),
    "raise ValueError('\\ud800')": ("ValueError", "?"),
    "raise ValueError('x' * 10**8)": ("ValueError", "xxx"),
    "class Mute(Exception):\n    def __str__(self): raise KeyError\nraise Mute": ("Mute", ""),
    "raise KeyboardInterrupt": ("KeyboardInterrupt", ""),
    "raise BaseException('base')": ("BaseException", "base"),
    "assert False, 'claim'": ("AssertionError", "claim"),
    "compile('x' * 10, '<cell-0000000000000000>', 'exec') and 1 / 0": ("ZeroDivisionError", ""),
}


@pytest.fixture(scope="module")
def raising(run_once) -> dict[str, CellRun]:
    return dict(zip(RAISING, run_once(*RAISING).cells, strict=True))


@pytest.mark.parametrize("source", RAISING)
def test_cells_that_raise_say_so_and_the_kernel_lives(raising, source):
    name, message = RAISING[source]
    assert raising[source].outcome is ERROR
    assert raising[source].error.name == name
    assert message in raising[source].error.message
    assert len(raising[source].error.message) <= 4000


@pytest.fixture(scope="module")
def pictures(run_once) -> tuple[CellRun, ...]:
    sources = (
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('perte')\nplt.show()",
        "import ipywidgets as widgets\nfrom IPython.display import display\ndisplay(widgets.IntSlider())",
        "from tqdm import tqdm\nfor _ in tqdm(range(3)): pass",
        "from tqdm.notebook import tqdm\nfor _ in tqdm(range(3)): pass",
        "from tqdm.auto import trange\nfor _ in trange(3): pass",
        "from IPython.display import HTML, Image, clear_output\nclear_output(wait=True)\nHTML('<b>x</b>')",
        "fig, ax = plt.subplots()\nfig",
    )
    return run_once(*sources, policy=Policy(packages=("matplotlib", "ipywidgets", "tqdm"))).cells


@pytest.mark.slow
def test_plots_widgets_and_progress_bars_are_harmless(pictures):
    assert [(cell.outcome, cell.error) for cell in pictures] == [(PASSED, None)] * len(pictures)
    assert "non-interactive" not in pictures[0].output
    assert "IntSlider" in pictures[1].output
    assert "3/3" in pictures[2].output
    assert "IPython.core.display.HTML" in pictures[5].output


def test_output_is_capped_over_the_whole_notebook(opened):
    execution = opened(
        "print('é' * 600)", "print('b' * 600)", "print('c')", limits=Limits(output_bytes=1500)
    ).run_cells()
    assert execution.output_truncated
    assert [cell.outcome for cell in execution.cells] == [PASSED] * 3
    assert execution.cells[0].output == "é" * 600 + "\n"
    assert execution.cells[1].output == "b" * 299
    assert execution.cells[2].output == ""


def test_output_that_just_fits_is_not_called_truncated(opened):
    execution = opened("print('a' * 1499)", limits=Limits(output_bytes=1500)).run_cells()
    assert (execution.output_truncated, len(execution.cells[0].output)) == (False, 1500)


def test_a_cell_that_ends_while_its_output_is_on_its_way_keeps_it(opened):
    """Output is sent by a thread, by itself or at the end of a cell; here it takes its time."""
    slow = """
import sys, threading, time
really = sys.stdout.session.send
def send(*arguments, **more):
    if threading.current_thread() is not threading.main_thread():
        time.sleep(0.05)
    return really(*arguments, **more)
sys.stdout.session.send = send
"""
    ends_meanwhile = "print('a' * 2**19); time.sleep(sys.stdout.flush_interval + 0.1)"
    execution = opened(slow, ends_meanwhile, "print('next')").run_cells()
    assert [len(cell.output) for cell in execution.cells[1:]] == [2**19 + 1, len("next\n")]


def test_what_is_written_past_python_belongs_to_the_cell_that_wrote_it(opened):
    numbers = range(40)
    cells = run(opened, "import os", *(f"_ = os.write(1 + {n % 2}, b'{n}\\n')" for n in numbers))
    assert [cell.output for cell in cells[1:]] == [f"{n}\n" for n in numbers]


@pytest.mark.slow
def test_a_flood_neither_stalls_nor_fills_the_grader(opened):
    notebook = opened(
        "import os\nfor _ in range(300):\n    print('x' * 10**6)",
        "for _ in range(300):\n    _ = os.write(1, b'y' * 10**6)",
        "print('end')\nz = 1",
        limits=Limits(output_bytes=10_000, cell_s=60, wall_s=200),
    )
    execution = notebook.run_cells()
    assert [cell.outcome for cell in execution.cells] == [PASSED] * 3
    assert execution.output_truncated
    assert sum(len(cell.output) for cell in execution.cells) == 10_000
    assert execution.peak_memory_bytes < 200 * 2**20  # dropped in the kernel, not piled up there
    assert notebook.defined(["z"]) == (True,)


def test_files_beside_the_notebook_are_there_and_installed_packages_come_first(opened):
    files = {
        "helper.py": b"def twice(x):\n    return 2 * x\n",
        "random.py": b"raise SystemExit",
        "data.txt": "né".encode(),
    }
    cells = run(
        opened,
        "import helper, random\nrandom.random()\nhelper.twice(21)",
        "print(open('data.txt', encoding='utf-8').read())",
        "helper.twice(None)",
        files=files,
    )
    assert [cell.output for cell in cells[:2]] == ["42\n", "né\n"]
    assert cells[2].error.traceback[-1] == "helper.py, line 2, in twice"


def test_the_defined_names_are_the_notebooks_own(opened):
    notebook = opened("def f(): pass\nx = None\nfrom math import pi")
    notebook.run_cells()
    names = ["f", "x", "pi", "g", "print", "get_ipython", "In", "exit", "open", "__name__x"]
    assert notebook.defined(names) == (True, True, True) + (False,) * 7


def test_the_last_definition_counts(opened):
    notebook = opened("def f(): return 1", "def f(): return 2")
    notebook.run_cells()
    assert notebook.call([Call("f")])[0].value == 2


def test_each_cell_is_told_as_soon_as_it_is_over(opened) -> None:
    told = []
    live = opened("a = 1", "1 / 0", "a = 3")
    execution = live.run_cells(lambda run: told.append((run, live.defined(["a"]))))
    assert [run for run, _ in told] == list(execution.cells)
    assert outcomes(run for run, _ in told) == [PASSED, ERROR, PASSED]
    assert told[0][1] == (True,)  # told between the cells: the notebook can be asked
