"""What is loaded ahead of a fork leaves nothing behind that children could not share, and nothing of it is missed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.kernel.inside import trusted_files

LIBRARIES = {
    "quiet": "import random\nvalue = 1",
    "loud": "import sys, warnings\nprint('a greeting')\nwarnings.warn('beware')\nvalue = 2",
    "unlucky": "import unlucky.part\nraise OSError('no luck')",
    "unlucky/part": "value = 3",
    "leaving": "raise SystemExit(3)",
    "threaded": "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
    "timed": "import threading\nt = threading.Timer(600, print)\nt.start()\nt.cancel()",
    "opening": "file = open('/dev/null')",
    "connecting": "import socket\nleft, right = socket.socketpair()",
    "drawing": "import random, numpy\npython = random.Random()\nnumpys = numpy.random.default_rng()\n"
    "old = numpy.random.RandomState()\n"
    "steady = random.Random(5), numpy.random.default_rng(5), numpy.random.RandomState(5)\n"
    "def draw(): return python.random(), numpys.random(), old.rand()\n"
    "def draw_steadily(): return steady[0].random(), steady[1].random(), steady[2].rand()",
    "setting": "import os\nos.environ['OF_A_LIBRARY'] = 'set'",
    "logging_early": "import logging, sys\nhandler = logging.StreamHandler()\nkept = sys.stdout, sys.stderr",
}
SCRIPT = """
import importlib.util, json, os, sys, threading
root, preload, then = sys.argv[1:]
os.environ.update(TMPDIR=f"{root}/tmp", BAREME_RUN=f"{root}/run")
spec = importlib.util.spec_from_file_location("launch", f"{root}/bareme/launch.py")
launch = importlib.util.module_from_spec(spec)
spec.loader.exec_module(launch)
sys.path.append(f"{root}/packages")
before = sorted(os.listdir("/proc/self/fd"))
launch.prepare(json.dumps({"forbidden": ["colorsys"], "preload": json.loads(preload)}))

def child(code):
    '''What `code`, a cell that binds `told`, leaves in a forked kernel, and what it writes.'''
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        with open(reading) as file:
            return json.load(file)
    from bareme import app
    written = []
    def start(self):
        real = type(sys.stdout).write
        type(sys.stdout).write = lambda stream, text: written.append((stream.name, text))
        result = self.kernel.shell.run_cell(code)
        told = self.kernel.shell.user_ns.get("told", repr(result.error_in_exec))
        os.write(writing, json.dumps([told, written]).encode())
        os._exit(0)
    app.KernelApp.start = start
    number = str(threading.get_native_id())
    os.makedirs(f"{root}/run/{number}")
    ready = os.pipe()
    os.environ.update(BAREME_RUN=f"{root}/run/{number}", BAREME_READY_FD=str(ready[1]))
    settings = {"key": number, "forbidden": ["colorsys"], "output_characters": 1000, "cell_seed": 5, "device": "cpu"}
    sys.argv[:] = ["launch.py", json.dumps(settings)]
    launch.main()

exec(then)
"""


@pytest.fixture
def prepared(tmp_path):
    """Runs a process that is prepared with some of LIBRARIES; what it then prints, as JSON."""
    for name, content in trusted_files().items():
        _write(tmp_path / "bareme" / name, content.decode())
    for name, content in LIBRARIES.items():
        package, _, module = name.partition("/")
        _write(tmp_path / "packages" / package / f"{module or '__init__'}.py", content)
    for folder in ("tmp", "run"):
        (tmp_path / folder).mkdir()

    def run(then, *libraries):
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        command = [sys.executable, "-s", "-P", "-B", "-c", SCRIPT, str(tmp_path), json.dumps(libraries), then]
        environment = {"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONHASHSEED": "0", **threads}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60)
        assert not done.returncode, done.stderr
        return json.loads(done.stdout)

    return run


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_one_thread_and_no_file_socket_or_loop_are_left(prepared):
    told = prepared(
        "import asyncio, zmq\n"
        "loop = asyncio.get_event_loop_policy()._local._loop\n"
        "after = sorted(os.listdir('/proc/self/fd'))\n"
        "print(json.dumps([len(os.listdir('/proc/self/task')), after == before, loop, zmq.Context._instance]))",
        "quiet", "numpy", "timed",
    )  # fmt: skip
    assert told == [1, True, None, None]


@pytest.mark.parametrize(
    ("library", "why"),
    [
        pytest.param("threaded", "starts threads", marks=pytest.mark.slow),
        ("opening", "leaves files open: .*/dev/null"),
        ("connecting", "files open: .*socket"),
    ],
)
def test_a_library_that_cannot_be_forked_is_told(prepared, library, why):
    with pytest.raises(AssertionError, match=f"Unforkable: the package {library} .*{why}"):
        prepared("", library)


def test_a_library_that_cannot_be_imported_fails_again_in_the_notebook(prepared):
    told, _ = prepared("print(json.dumps(child('import quiet, unlucky')))", "unlucky", "leaving", "quiet")
    assert told == "OSError('no luck')"
    told, _ = prepared(
        "print(json.dumps(child('import sys; told = [n for n in sys.modules if \"luck\" in n]')))", "unlucky"
    )
    assert told == []


def test_what_a_library_printed_is_told_to_the_notebook_that_imports_it_once(prepared):
    [[none, silent], [two, spoken]] = prepared(
        "print(json.dumps([child('told = 0'), child('import loud\\nimport loud as again\\ntold = loud.value')]))",
        "loud",
    )
    assert (none, silent) == (0, [])
    assert two == 2
    assert [text for name, text in spoken if name == "stdout"] == ["a greeting", "\n"]
    assert "UserWarning: beware" in "".join(text for name, text in spoken if name == "stderr")
    assert "".join(text for _, text in spoken).count("beware") == 2  # the message, and the line that it comes from


def test_streams_that_a_library_has_kept_are_the_notebooks(prepared):
    told, written = prepared(
        "print(json.dumps(child('import logging_early, sys\\n"
        'logging_early.handler.emit(__import__("logging").makeLogRecord({"msg": "heard"}))\\n'
        "told = [logging_early.kept[0] is sys.stdout, logging_early.kept[1] is sys.stderr]')))",
        "logging_early",
    )
    assert told == [True, True]
    assert ["stderr", "heard\n"] in written


def test_generators_that_a_library_has_made_are_renewed_and_seeded_ones_are_not(prepared):
    code = "import drawing\\ntold = [drawing.draw(), drawing.draw_steadily()]"
    [[(first, steady), _], [(second, steady_again), _]] = prepared(
        f"print(json.dumps([child('{code}'), child('{code}')]))", "drawing"
    )
    assert all(one != other for one, other in zip(first, second, strict=True))
    assert steady == steady_again


def test_what_is_looked_up_once_is_looked_up_again(prepared):
    """Although the number of the process is the same: in a sandbox every kernel has the same."""
    code = (
        "import tempfile, multiprocessing\\ntold = [tempfile.mktemp(), multiprocessing.current_process().authkey.hex()]"
    )
    first, second = prepared(
        "import tempfile, multiprocessing\n"
        "next(tempfile._get_candidate_names())\n"
        "number = os.getpid(); os.getpid = lambda: number\n"
        "tempfile.tempdir = '/nowhere'\n"
        f"print(json.dumps([child('{code}')[0], child('{code}')[0]]))"
    )
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert not first[0].startswith("/nowhere")


def test_a_variable_that_a_library_has_set_is_set_in_an_environment_of_its_own(prepared):
    told, _ = prepared(
        "del os.environ['OF_A_LIBRARY']\nprint(json.dumps(child('import os\\ntold = os.environ[\"OF_A_LIBRARY\"]')))",
        "setting",
    )
    assert told == "set"


def test_the_rules_hold_for_what_is_loaded_ahead(prepared):
    told, _ = prepared("print(json.dumps(child('import colorsys')))", "quiet", "colorsys")
    assert "PolicyViolation" in told


def test_sources_on_the_stack_of_a_cell_are_read_before_the_fork(prepared):
    """All but our own and a few of Python's: whoever writes the stack down would read them again in each kernel."""
    code = (
        "import linecache, traceback\n"
        "had = set(linecache.cache)\n"
        "below = [f.filename for f in traceback.extract_stack() if 'site-packages' in f.filename]\n"
        "told = [len(below), sorted(set(below) - had)]"
    )
    (number, missing), _ = prepared(f"print(json.dumps(child({code!r})))")
    assert number > 2
    assert missing == []
