"""What the students' code takes by itself: their cells as plain Python, in a process that has imported torch.

Reads [[[cell, …], …], [[draw, call], …]] from standard input and prints [[seconds of all cells, of all calls], …], one
pair a student. Each student gets a fresh fork: what torch sets up at the first use of an operation is theirs.
"""

import contextlib
import io
import json
import os
import sys
import time

import torch


def taken(cells: list[str], questions: list[list[str]]) -> tuple[float, float]:
    names: dict[str, object] = {"torch": torch, "rng": torch.Generator().manual_seed(0)}
    before = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in cells:
            exec(cell, names)
    cells_s = time.perf_counter() - before
    calls_s = 0.0
    for draw, call in questions:
        exec(draw, names)
        before = time.perf_counter()
        exec(call, names)
        calls_s += time.perf_counter() - before
    return cells_s, calls_s


def forked(cells: list[str], questions: list[list[str]]) -> tuple[float, float]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, json.dumps(taken(cells, questions)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return tuple(json.loads(said))


students, questions = json.load(sys.stdin)
print(json.dumps([forked(cells, questions) for cells in students]))
