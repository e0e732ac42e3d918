"""What the sandbox runs: makes the files beside it a package, then becomes the kernel.

Nothing of `harness` exists in the sandbox. The same files that are `harness.kernel.probe` and so on for the grader's
tests are `bareme.probe` here; they reach each other by relative imports, so they never notice.
A kernel starts cold, by `main` alone, or warm: `prepare` once, then a fork, then `main` in each child.
"""

import gc
import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

PACKAGE = "bareme"
FOLDER = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  (pathlib costs start-up time)
HASH_SEED = "0"  # fixed, so that sets of strings iterate alike in every run; isolated mode ignores the environment's


def prepare(settings: str) -> None:
    """Do what no submission changes; leaves one thread, and no socket, file or event loop that was not there.

    `settings` is JSON: `forbidden` (names that the assignment forbids) and `preload` (modules to import).

    Raises:
        ahead.Unforkable: a module leaves something that children could not share.
    """
    values = json.loads(settings)
    gc.disable()  # of what is imported nothing is garbage, and looking for it takes a sixth of the time
    _build(values["forbidden"], values["preload"])
    import_module(f"{PACKAGE}.ahead").read_sources()
    gc.enable()
    gc.collect()
    gc.freeze()  # the children's collector leaves these objects, and so their shared pages, alone


def main() -> None:
    """Run the kernel until it ends; a cold one starts over with a fixed hash seed if need be, and prepares itself."""
    if PACKAGE not in sys.modules:
        if sys.flags.hash_randomization:
            _start_over()
        os.environ.pop("PYTHONPATH", None)
        _build(json.loads(sys.argv[1])["forbidden"], preload=())
    _leave_path()
    os.environ["PYTHONHASHSEED"] = HASH_SEED  # for the Python processes that a notebook starts
    import_module(f"{PACKAGE}.app").run(sys.argv[1])


def _build(forbidden: Sequence[str], preload: Sequence[str]) -> None:
    _leave_path()
    package = ModuleType(PACKAGE)
    package.__path__ = [FOLDER]
    sys.modules[PACKAGE] = package
    import_module(f"{PACKAGE}.app").prepare(forbidden)
    import_module(f"{PACKAGE}.ahead").load(preload)


def _leave_path() -> None:
    """A student's `probe.py` is theirs, and a library's `wire` its own; starting over has doubled the rest."""
    sys.path[:] = [path for path in dict.fromkeys(sys.path) if path != FOLDER]


def _start_over() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": HASH_SEED, "PYTHONPATH": os.pathsep.join(sys.path)}
    os.execve(sys.executable, [sys.executable, "-s", "-S", "-P", "-B", *sys.argv], environment)  # noqa: S606


if __name__ == "__main__":
    main()
