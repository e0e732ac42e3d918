"""A forked kernel cannot be told from a cold one, and shares no randomness and no identity with its siblings."""

import re

import pytest

from harness.course import Limits, Policy
from harness.errors import InfrastructureError
from harness.kernel import Call
from harness.kernel.live import LiveNotebook
from harness.kernel.warmth import importable, warmth
from harness.records import Outcome
from harness.sandbox.warm.outside import Warm

SEEN = """
import gc, getpass, os, random, resource, signal, sys, threading
import numpy, warnings
drawn_before = random.random(), float(numpy.random.rand()), hash("a"), list({"one", "two", "three", "four"})

def files(folder):
    return sorted((path, sorted(folders), sorted(names)) for path, folders, names in os.walk(folder))

def seen():
    main, shell = sys.modules["__main__"], get_ipython()
    kernel = shell.kernel
    return {
        "main": (__name__, main.__name__, vars(main) is globals()),
        "imports": (sys.path, sys.argv[0], len(sys.argv),
                    [getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path]),
        "places": (os.getcwd(), files(os.environ["TMPDIR"]), files("."), sorted(os.listdir("/"))),
        "environment": sorted(os.environ.items()),
        "interpreter": (tuple(sys.flags), sys.executable, sys.getrecursionlimit(), gc.get_threshold(), gc.isenabled()),
        "process": (os.getuid(), os.umask(0o022),
                    {n: resource.getrlimit(n) for n in range(16) if n != resource.RLIMIT_NPROC}),  # the namespace's
        "signals": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "threads": sorted(thread.name.partition("-")[0] for thread in threading.enumerate()),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "streams": [(type(s).__name__, s.isatty(), s.encoding, s.closed, s.fileno() > 2)
                    for s in (sys.stdout, sys.stderr)],
        "warnings": sorted({str(entry[:3]) for entry in warnings.filters}),
        "hooks": [getattr(hook, "__qualname__", type(hook).__name__) for hook in (
            sys.displayhook, sys.excepthook, input, getpass.getpass, exit, __import__)],
        "shell": (sorted(name for name in shell.user_ns if name[0] != "_"), shell.execution_count, str(shell.xmode)),
        "magics": {kind: sorted(found) for kind, found in shell.magics_manager.magics.items()},
        "kernel": (type(kernel).__name__, sorted(kernel.shell_handlers), kernel.profile_dir.location),
        "drawn": (drawn_before, random.random(), float(numpy.random.rand())),
    }

view = seen()
"""
DIFFERENT = """
import multiprocessing, os, random, secrets, tempfile, uuid
import numpy

def own():
    kernel = get_ipython().kernel
    return {
        "a kernel's number": kernel.ident,
        "a session's number": kernel.session.session,
        "names of temporary files": os.path.basename(tempfile.mktemp()),
        "what processes prove themselves with": bytes(multiprocessing.current_process().authkey),
        "unique numbers": str(uuid.uuid4()),
        "secrets": secrets.token_hex(),
        "the system's randomness": random.SystemRandom().random(),
        "a generator of Python's": random.Random().random(),
        "a generator of NumPy's": float(numpy.random.default_rng().random()),
    }
"""
LIMITS = Limits(cell_s=60, call_s=60, wall_s=300)


def told(sandbox, plan, name):
    """What the function `name` of the notebook returns, in one kernel."""
    with LiveNotebook(plan, sandbox) as notebook:
        [cell] = notebook.run_cells().cells
        assert cell.outcome is Outcome.PASSED, cell.error
        [answer] = notebook.call([Call(name)])
        assert answer.outcome is Outcome.PASSED, answer.error
        return answer.value


@pytest.fixture(scope="module")
def seen(cold, warm, make_plan):
    """What a cold kernel and two forked ones see of themselves."""
    plan = make_plan(SEEN, limits=LIMITS, files={"helpers.py": b"x = 1\n", "probe.py": b"y = 1\n"})
    return [told(sandbox, plan, "view") for sandbox in (cold, warm, warm)]


@pytest.mark.parametrize("what", re.findall(r'^        "(\w+)": ', SEEN, re.MULTILINE))
def test_a_notebook_cannot_tell_how_its_kernel_was_started(seen, what):
    cold, *warm = [each[what] for each in seen]
    assert warm == [cold, cold]


@pytest.fixture(scope="module")
def own(warm, make_plan):
    return [told(warm, make_plan(DIFFERENT, limits=LIMITS), "own") for _ in range(2)]


@pytest.mark.parametrize("what", re.findall('^        "(.+)": ', DIFFERENT, re.MULTILINE))
def test_two_kernels_of_one_server_have_nothing_random_in_common(own, what):
    first, second = (each[what] for each in own)
    assert first != second


def test_the_call_after_the_first_is_seeded_as_in_a_cold_kernel(cold, warm, make_plan):
    plan = make_plan("import random\ndef draw(): return random.random()")
    drawn = []
    for sandbox in (cold, warm):
        with LiveNotebook(plan, sandbox) as notebook:
            notebook.run_cells()
            drawn.append([answer.value for answer in notebook.call([Call("draw")] * 3)])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 3


@pytest.mark.slow
def test_tensors_are_drawn_alike(cold, warm, make_plan):
    source = "import torch\nfirst = torch.rand(3)\ndef draw(): return first, torch.rand(3), torch.initial_seed()"
    plan = make_plan(source, policy=Policy(("torch", "numpy")), limits=LIMITS)
    alike = [told(sandbox, plan, "draw") for sandbox in (cold, warm)]
    assert [[list(map(float, tensor)) for tensor in each[:2]] for each in alike[1:]] == [
        [list(map(float, tensor)) for tensor in alike[0][:2]]
    ]
    assert alike[0][2] == alike[1][2]


def test_a_server_for_other_rules_is_refused(warm, make_plan):
    server = warm.server(Policy(packages=(), forbidden=("colorsys",)))
    plan = make_plan("import colorsys", policy=Policy(packages=(), forbidden=()))
    refused = pytest.raises(InfrastructureError, match="prepared for other rules")
    with LiveNotebook(plan, Warm(server.address, server.warmth)) as notebook, refused:
        notebook.run_cells()


def test_a_server_imports_what_its_packages_install_and_nothing_forbidden():
    described = warmth(Policy(packages=("numpy", "no-such-package"), forbidden=("json", "numpy.linalg")), "cpu")
    assert described.settings == '{"forbidden": ["json", "numpy.linalg"], "preload": ["numpy"]}'
    assert "ipykernel" in described.packages
    assert warmth(Policy(packages=("numpy",), forbidden=("numpy",)), "cpu").settings.endswith('"preload": []}')


@pytest.mark.parametrize(
    ("distribution", "modules"),
    [
        ("numpy", ["numpy"]),
        ("torch", ["functorch", "torch", "torchgen"]),
        ("matplotlib", ["matplotlib", "mpl_toolkits", "pylab"]),  # lists no top level of its own
        ("ipykernel", ["ipykernel", "ipykernel_launcher"]),
        ("no-such-package", []),
    ],
)
def test_modules_are_found_by_what_is_installed(distribution, modules):
    assert importable(distribution) == modules
