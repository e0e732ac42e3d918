"""What the sandbox runs: makes the files beside it a package, then becomes the kernel.

Nothing of `harness` exists in the sandbox. The same files that are `harness.kernel.probe` and so on for the grader's
tests are `bareme.probe` here; they reach each other by relative imports, so they never notice.
"""

import os
import sys
from importlib import import_module
from types import ModuleType

PACKAGE = "bareme"
HASH_SEED = "0"  # fixed, so that sets of strings iterate alike in every run; isolated mode ignores the environment's


def main() -> None:
    """Start over with a fixed hash seed if need be, then run the kernel until it ends."""
    if sys.flags.hash_randomization:
        _start_over()
    os.environ.pop("PYTHONPATH", None)
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  (pathlib costs start-up time)
    sys.path[:] = [path for path in sys.path if path != folder]  # a student's `probe.py` is theirs
    package = ModuleType(PACKAGE)
    package.__path__ = [folder]
    sys.modules[PACKAGE] = package
    import_module(f"{PACKAGE}.app").run(sys.argv[1])


def _start_over() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": HASH_SEED, "PYTHONPATH": os.pathsep.join(sys.path)}
    os.execve(sys.executable, [sys.executable, "-s", "-S", "-P", "-B", *sys.argv], environment)  # noqa: S606


if __name__ == "__main__":
    main()
