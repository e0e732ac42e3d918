"""What real notebooks expect of the machine they were written on, inside the kernel: Colab, pip, magics, a keyboard.

Each has a defined outcome: it does nothing and says so, in French and English, or it raises a clear error. Nothing is
downloaded or installed. Not covered: rules of the assignment (guard).
"""

# IPython declares few types, hence:
# mypy: disable-error-code="no-untyped-call"

import builtins
import getpass
import importlib.abc
import importlib.machinery
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from types import ModuleType
from typing import Any

from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.error import StdinNotImplementedError
from IPython.core.magic import Magics, line_magic, magics_class

INSTALLERS = re.compile(r"\s*(?:\S*python[\d.]*\s+-m\s+|sudo\s+|uv\s+)*(?:pip[\d.]*|conda|mamba|apt|apt-get|poetry)\b")
SHOWN = 4_000  # characters of an error while something is displayed


def say(fr: str, en: str) -> None:
    """One remark for the notebook's author, in its output."""
    sys.stdout.write(f"[bareme] {fr} / {en}\n")


def no_input(*_: object, **__: object) -> str:
    """Stands for `input` and `getpass`: nobody is there to answer."""
    raise StdinNotImplementedError(
        "input() : personne n'est là pour répondre pendant la correction ; donnez une valeur dans le code. / "
        "input(): nobody is there to answer while the notebook is marked; put a value in the code."
    )


def leave(code: object = None) -> None:
    """Stands for `exit` and `quit`: ends the cell, not the kernel."""
    raise SystemExit(code)


def say_what_is_installed() -> None:
    """Answer a request to install something."""
    names = sorted({str(found.metadata["Name"]) for found in metadata.distributions() if found.metadata["Name"]})
    say("rien ne s'installe pendant la correction ; déjà là :", "nothing is installed while marking; already there:")
    sys.stdout.write(f"    {', '.join(names)}\n")


@magics_class
class InstallMagics(Magics):
    """`%pip` and its kin."""

    @line_magic
    def pip(self, line: str) -> None:  # noqa: ARG002
        """Install nothing, and say what there is."""
        say_what_is_installed()

    conda = mamba = micromamba = uv = pip


class Shell(ZMQInteractiveShell):
    """IPython's shell, for a notebook that nobody watches."""

    def init_user_ns(self) -> None:
        super().init_user_ns()
        own = {"exit": leave, "quit": leave}
        self.user_ns.update(own)
        self.user_ns_hidden.update(own)

    def init_environment(self) -> None:
        """No colours, no pager."""

    def init_magics(self) -> None:
        super().init_magics()
        self.register_magics(InstallMagics)
        self.magics_manager.magics["line"] |= dict.fromkeys(
            ("conda", "mamba", "micromamba", "uv"), self.magics_manager.magics["line"]["pip"]
        )
        self.magics_manager.magics["line"]["load_ext"] = self.load_extension

    def load_extension(self, name: str) -> None:
        """`%load_ext`; an extension that is not there is passed over."""
        try:
            self.magics_manager.shell.extension_manager.load_extension(name.strip())
        except ModuleNotFoundError:
            say(f"l'extension {name!r} n'existe pas ici", f"there is no extension {name!r} here")

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        if self.find_line_magic(magic_name) is None:
            say(f"la commande %{magic_name} n'existe pas ici : ignorée", f"there is no %{magic_name} here: passed over")
            return None
        return super().run_line_magic(magic_name, line, _stack_depth + 1)

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        if self.find_cell_magic(magic_name) is None:
            say(
                f"la commande %%{magic_name} n'existe pas ici : ignorée",
                f"there is no %%{magic_name} here: passed over",
            )
            return self.ex(self.transform_cell(cell))
        return super().run_cell_magic(magic_name, line, cell)

    def enable_matplotlib(self, gui: str | None = None) -> tuple[str, str]:  # noqa: ARG002
        """Figures are drawn for nobody, whatever `%matplotlib` asks for."""
        return "agg", "agg"

    def enable_gui(self, gui: Any = None) -> None:
        """There is no screen."""

    def system(self, cmd: str) -> None:
        if INSTALLERS.match(cmd):
            say_what_is_installed()
        else:
            super().system_piped(cmd)

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        if INSTALLERS.match(cmd):
            say_what_is_installed()
            return [] if split else ""
        return super().getoutput(cmd, split, depth + 1)

    @contextmanager
    def _tee(self, channel: str) -> Iterator[None]:  # noqa: ARG002
        """IPython would keep a copy of all that is printed, at the cost of the notebook's memory."""
        yield

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: Sequence[str]) -> None:  # noqa: ARG002
        """Errors travel in the reply; only those of displaying an object are output."""
        self._last_traceback = []
        if getattr(self.displayhook, "msg", None) is not None:
            sys.stderr.write("\n".join(stb)[:SHOWN] + "\n")


# Google Colab -------------------------------------------------------------------------------------------------------


class Colab(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `google.colab` and its modules, of which each function says that it does nothing here."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname == "google" or fullname == "google.colab" or fullname.startswith("google.colab."):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return ColabModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing in it."""


class ColabModule(ModuleType):
    """A part of `google.colab`, with whatever function is asked for; the packages above have nothing but parts."""

    def __getattr__(self, name: str) -> Callable[..., dict[str, bytes]]:
        if name.startswith("__") or not self.__name__.startswith("google.colab."):
            raise AttributeError(name)

        def does_nothing(*_: object, **__: object) -> dict[str, bytes]:
            say(f"{self.__name__}.{name} ne fait rien ici", f"{self.__name__}.{name} does nothing here")
            return {}

        return does_nothing


def install() -> None:
    """Put the shims in place."""
    builtins.input = no_input
    getpass.getpass = no_input
    sys.meta_path.append(Colab())
