"""Makes a large process cheap to fork: what it has in memory moves into huge pages.

A fork copies an entry for each page, and the child's end takes each away again; a huge page of 2 MiB costs both what a
page of 4 KiB does. A child that writes still gets a copy of 4 KiB alone.
Runs inside; standard library only. Linux 6.1 brought MADV_COLLAPSE, see madvise(2); where it is unknown, or no huge
page can be had, memory stays as it is and forks are as slow as before.
"""

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

MADV_COLLAPSE = 25  # linux/mman.h
ENTRY_BYTES = 8  # for each page: in /proc/self/pagemap, and in the tables of the processor, one page long each
PRESENT = 0x80  # of the last byte of an entry in pagemap: the page is in memory
LEAST = 0.5  # of a huge page that must be in memory already: it will be all

_libc = ctypes.CDLL(None, use_errno=True)


def collapse() -> int:
    """Move the private memory of this process, which has one thread, into huge pages; how many it has become."""
    page = os.sysconf("SC_PAGE_SIZE")
    size = page * (page // ENTRY_BYTES)
    return sum(_collapsed(start, size) for start in _filled(page, size))


def _collapsed(start: int, size: int) -> bool:
    refused: int = _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), MADV_COLLAPSE)
    return not refused


def _filled(page: int, size: int) -> Iterator[int]:
    """Addresses at which a huge page can begin that is in memory to its greater part."""
    with Path("/proc/self/pagemap").open("rb", buffering=0) as entries:
        for first, end in _private():
            for start in range(-(-first // size) * size, end - size + 1, size):
                read = os.pread(entries.fileno(), size // page * ENTRY_BYTES, start // page * ENTRY_BYTES)
                last_bytes = read[ENTRY_BYTES - 1 :: ENTRY_BYTES]  # numbers, the lowest byte first
                if sum(byte >= PRESENT for byte in last_bytes) >= LEAST * len(last_bytes):
                    yield start


def _private() -> list[tuple[int, int]]:
    """Beginning and end of what is this process's own to write to, and of no file."""
    found = []
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        addresses, rights, _, _, file, *_ = line.split()
        if rights == "rw-p" and file == "0":
            first, end = addresses.split("-")
            found.append((int(first, 16), int(end, 16)))
    return found
