"""Arguments for bubblewrap: options, and descriptors through which file contents reach it without touching a disk.

Not covered: which options a sandbox needs (`bubblewrap`) and which files are shown (`view`).
"""

import os
from contextlib import ExitStack
from pathlib import PurePosixPath


class Handed:
    """Descriptors that bubblewrap inherits, and that are closed here once it has them."""

    def __init__(self, closing: ExitStack) -> None:
        """`closing` closes them."""
        self.numbers: list[int] = []
        self._closing = closing

    def add(self, number: int) -> int:
        """Hand over `number`."""
        self.numbers.append(number)
        self._closing.callback(os.close, number)
        return number

    def memory(self, content: bytes) -> int:
        """A file in memory with `content`, ready to be read."""
        number = self.add(os.memfd_create("bareme"))
        with open(number, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(number, 0, os.SEEK_SET)
        return number


class Layer:
    """Arguments of one bubblewrap and the descriptors that they name."""

    def __init__(self, handed: Handed) -> None:
        """`handed` gathers the descriptors."""
        self.words: list[str] = []
        self._handed = handed
        self._known = {PurePosixPath("/")}

    def add(self, *words: object) -> None:
        """Options with their values."""
        self.words += map(str, words)

    def folder(self, path: PurePosixPath) -> None:
        """A folder open to everyone, with those above it: bubblewrap itself would make them 0700."""
        for folder in (*reversed(path.parents), path):
            if folder not in self._known:
                self._known.add(folder)
                self.add("--perms", "0755", "--dir", folder)

    def text(self, option: str, content: bytes, inside: PurePosixPath) -> None:
        """A file with `content`, handed over in memory."""
        self.folder(inside.parent)
        self.add("--perms", "0444", option, self._handed.memory(content), inside)

    def writable(self, folder: PurePosixPath, size_bytes: int, *, mode: str) -> None:
        """An empty folder in memory with a size."""
        self.folder(folder.parent)
        self._known.add(folder)
        self.add("--perms", mode, "--size", size_bytes, "--tmpfs", folder)

    def command(self, binary: str, *command: str) -> list[str]:
        """bubblewrap and what it runs; the arguments go through memory and show in no list of processes."""
        return [binary, "--args", str(self._handed.memory("\0".join(self.words).encode())), "--", *command]
