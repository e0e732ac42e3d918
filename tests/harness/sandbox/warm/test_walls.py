"""What a program sees is the same before, beside and after another that tries everything; and what a cold one sees.

The programs are real: inside/census.py tells what there is and inside/attacker.py tries to change it.
"""

import json
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from family import MIB, Family, wait

from harness.course import Limits
from harness.sandbox import choose
from harness.sandbox.contract import Process, Program, Sandbox
from harness.sandbox.warm.outside import Warm

INSIDE = Path(__file__).parent / "inside"
CENSUS, ATTACKER = ((INSIDE / name).read_bytes() for name in ("census.py", "attacker.py"))
ATTEMPTS = re.findall(r"^def (\w+)\(\) -> bool:", ATTACKER.decode(), re.MULTILINE)
LIMITS = Limits(memory_bytes=512 * MIB, disk_bytes=64 * MIB, processes=64, cpu_s=60.0)
# What a warm program sees otherwise than a cold one: names of the census -> why
OTHERWISE = {
    r"proc 1/.*": "PID 1 is bubblewrap there and forked from the fork server here; nothing of it can be changed",
    r"proc self/(cmdline|environ|auxv)": "those of the fork server: the same for all its programs, nothing secret",
    r"memory|modules": "what the fork server has loaded",
    r"proc (self/)?mount.*": "its mounts lie upon those of the fork server, and nothing beneath can be written to",
    r"proc self/[ug]id_map|file /dev/pts|file /home/student/notes.txt": "mounted without a root of its own",
    r"proc sys/user/max_.*": "a share of what Linux counts for each user, and all programs of a fork server are one",
    r"process environment|process descriptor \d+|proc self/fdinfo/\d+": "the number of the ready pipe",
    r"process room": "the files that it is given take their room in the working folder, to the block",
    r"process python": "isolated by options that let the hash seed be fixed; a cold kernel starts over with them",
}
READY = "import os, signal; os.write(int(os.environ['BAREME_READY_FD']), b'.')"
SEARCH = f"""
import json, os, re, sys
pattern = re.compile(sys.argv[1].encode() + b"(?=" + sys.argv[2].encode() + b")")  # nowhere in one piece
found = 0
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
    for line in maps.read().splitlines():
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        if line.split()[1].startswith("rw"):
            memory.seek(start)
            found += len(pattern.findall(memory.read(end - start)))
with open("found.json", "w") as file:
    json.dump(found, file)
{READY}
signal.pause()
""".encode()
DRAW = """
import ctypes, random, secrets, ssl, tempfile, uuid  # uuid1 is a time and a name: not its own at the same moment
LIBC = ctypes.CDLL(None)
def draw():
    drawn = {"OpenSSL": ssl.RAND_bytes(16).hex(), "random": random.random(), "secrets": secrets.token_hex()}
    drawn |= {"tempfile": next(tempfile._get_candidate_names()), "uuid4": str(uuid.uuid4())}
    return drawn | ({"libc": [LIBC.arc4random() for _ in range(4)]} if hasattr(LIBC, "arc4random") else {})
"""
DRAWN = f"""{DRAW}
import json, os, signal
child = os.fork()  # its number is 3 in every sandbox
with open(f"{{int(child == 0)}}.json", "w") as file:
    json.dump({{name: str(value) for name, value in draw().items()}}, file)
if child == 0:
    os._exit(0)
os.wait()
{READY}
signal.pause()
""".encode()
# Times in nanoseconds, of what is made with the sandbox, and here with the fork server; and the length of the table of
# descriptors, which grows with the highest number that the process before had open for a moment
NEITHER = re.compile(r"\b\d{16,}\b|FDSize:\t\d+")


def start(sandbox: Sandbox, source: bytes, *arguments: str, **given: Any) -> Process:
    program = Program("main.py", arguments, {"main.py": source}, {"notes.txt": b"given"}, (), LIMITS, **given)
    process: Process = sandbox.start(program)
    wait(process.ready_fd())
    assert os.read(process.ready_fd(), 1) == b".", process.last_words()
    return process


def told(process: Process, name: str) -> Any:
    return json.loads(Path(process.outside("work", name)).read_text(encoding="utf-8"))


def census(sandbox: Sandbox) -> dict[str, str]:
    process = start(sandbox, CENSUS)
    found: dict[str, str] = told(process, "census.json")
    process.end()
    return found


def differences(one: dict[str, str], other: dict[str, str]) -> dict[str, list[str]]:
    """Names of what is not the same -> the lines that differ."""
    told = {
        name: [each.get(name, "nothing").splitlines() for each in (one, other)] for name in one.keys() | other.keys()
    }
    return {
        name: [
            *(f"- {line}" for line in before if line not in after),
            *(f"+ {line}" for line in after if line not in before),
        ]
        for name, (before, after) in sorted(told.items())
        if before != after
    }


@pytest.fixture
def warm(family: Family) -> Warm:
    return Warm(family.server.address, family.server.warmth)


@pytest.mark.slow
def test_a_program_that_tries_everything_changes_nothing_for_others(warm: Warm) -> None:
    before = census(warm)
    attacker = start(warm, ATTACKER, "word-of-the-attacker")
    assert sorted(told(attacker, "done.json")) == sorted(ATTEMPTS)
    beside = census(warm)
    assert attacker.running()
    attacker.end()
    after = census(warm)
    assert differences(before, beside) == {}
    assert differences(before, after) == {}
    assert len(before) > 1_000


def test_nothing_of_another_program_is_in_memory(warm: Warm) -> None:
    word = secrets.token_hex(16)
    given = {"environment": {"WORD": word}}
    first = start(warm, f"{READY}\nword = '{word}'\nsignal.pause()".encode(), word, **given)
    halves = (word[:16], word[16:])
    assert told(start(warm, SEARCH, *halves), "found.json") == 0
    first.end()
    assert told(start(warm, SEARCH, *halves), "found.json") == 0
    assert told(start(warm, SEARCH, *halves, **given), "found.json") > 0  # the search does find what is there


def test_random_numbers_are_each_programs_own(begun: Callable[..., Family]) -> None:
    """OpenSSL and tempfile look at the number of their process to see that they were forked."""
    family = begun(f"{DRAW}\ndef prepare(settings): draw()")
    family.server.wait()
    sandbox = Warm(family.server.address, family.server.warmth)
    one, other = (
        [told(process, f"{n}.json") for n in range(2)] for process in (start(sandbox, DRAWN) for _ in range(2))
    )
    drawn = [*one, *other]  # of a program and of its child, twice
    for name in drawn[0]:
        assert len({each[name] for each in drawn}) == len(drawn), name


@pytest.mark.slow
def test_a_warm_program_sees_what_a_cold_one_sees(warm: Warm) -> None:
    cold, seen = census(choose("bubblewrap")), census(warm)
    folders = {name for name in cold if re.fullmatch(r"[0-9a-f]{64}", cold[name])}  # their times cannot be left out
    assert folders == {name for name in seen if re.fullmatch(r"[0-9a-f]{64}", seen[name])}
    without = [
        {name: NEITHER.sub("", text) for name, text in each.items() if name not in folders} for each in (cold, seen)
    ]
    found = differences(*without)
    assert {name: each for name, each in found.items() if not any(re.fullmatch(why, name) for why in OTHERWISE)} == {}
    assert [why for why in OTHERWISE if not any(re.fullmatch(why, name) for name in found)] == []
