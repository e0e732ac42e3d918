"""What a worker hands to a nested sandbox, in a file in memory: facts as JSON, then the files' contents.

Standard library only: it runs on both sides. The fork server passes the descriptor on and never reads it.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, BinaryIO

LENGTH_BYTES = 8  # of the JSON, before it


def pack(facts: Mapping[str, Any], groups: Mapping[str, Mapping[str, bytes]]) -> int:
    """A descriptor of a file with `facts` and groups of files, by name."""
    sizes = {group: {name: len(content) for name, content in files.items()} for group, files in groups.items()}
    head = json.dumps({"facts": facts, "sizes": sizes}).encode()
    number = os.memfd_create("bareme")
    with open(number, "wb", closefd=False) as file:
        file.write(len(head).to_bytes(LENGTH_BYTES))
        file.write(head)
        for files in groups.values():
            file.writelines(files.values())
    return number


def unpack(number: int) -> tuple[dict[str, Any], dict[str, dict[str, bytes]]]:
    """What `pack` was given.

    Raises:
        EOFError: a part is missing.
    """
    os.lseek(number, 0, os.SEEK_SET)
    with open(number, "rb", closefd=False) as file:
        head = json.loads(_exactly(file, int.from_bytes(_exactly(file, LENGTH_BYTES))))
        groups = {
            group: {name: _exactly(file, size) for name, size in sizes.items()}
            for group, sizes in head["sizes"].items()
        }
    return head["facts"], groups


def _exactly(file: BinaryIO, size: int) -> bytes:
    read = file.read(size)
    if len(read) != size:
        raise EOFError(f"the parcel ends {size - len(read)} bytes early")
    return read
