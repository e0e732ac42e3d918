"""A notebook that searches everything finds nothing of the grader: no check, oracle, seed, path or other submission.

Canaries lie wherever something secret does, and one more in each place that the notebook does reach: those it finds.
"""

import json
import secrets
import shutil
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
LIMITS = {"wall_s = 40.0": "wall_s = 400.0", "cell_s = 3.0": "cell_s = 200.0", "call_s = 2.0": "call_s = 200.0"}
LIMITS |= {"cpu_s = 40.0": "cpu_s = 400.0"}
# still running, with its canaries in memory, while the other notebook searches
NEIGHBOUR = '# %%\nfrom honest import *\nimport time\nkept = "{canary}", open("notes.txt").read()\ntime.sleep(30)\n'
WAYS = {  # each way of searching -> a canary that only it, or it too, must find
    "file": "own_extra",
    "name": "own_name",
    "memory": "own_notebook",
    "object": "own_notebook",
    "process": "own_child",
    "network": "own_server",
}


def canary(label: str) -> str:
    return f"c4n4ry-{label}-{secrets.token_hex(16)}"


@dataclass(frozen=True)
class Searched:
    """What the notebook told."""

    found: dict[str, list[str]]  # label of a canary -> ways in which it was found
    found_in_call: str  # the same as the message of a check
    looked_at: dict[str, int]


@pytest.fixture(scope="module")
def searched(grader: Any, tmp_path_factory: pytest.TempPathFactory) -> Searched:
    base = tmp_path_factory.mktemp("canaries")
    planted = planted_course(base / canary("course_path"))
    submissions, search = base / canary("submissions_path"), HERE / "notebooks" / "search.py"
    source = search.read_text(encoding="utf-8").replace("OWN_CANARY", canary("own_notebook"))
    grader.hand_in(submissions, "searcher", source, {"notes.txt": canary("own_extra")})
    source = NEIGHBOUR.format(canary=canary("other_notebook"))
    grader.hand_in(submissions, canary("other_name"), source, {"notes.txt": canary("other_extra")})
    out, home, cwd = base / canary("out_path"), base / "home", base / "cwd"
    for folder, label in ((out, "gradebook_folder"), (home, "home"), (cwd, "cwd")):
        folder.mkdir()
        (folder / "secret.txt").write_text(canary(label))
    shared = [Path(top, canary(label)) for top, label in (("/tmp", "host_tmp"), ("/dev/shm", "host_shm"))]
    for path in shared:
        path.write_text(path.name)
    environment = {"HOME": str(home), "BAREME_CANARY": canary("environment")}
    seed = 7700770077 * 10**20 + secrets.randbelow(10**20)
    try:
        with Server(canary("host_server").encode()):
            marked = grader(submissions, out, course=planted, seed=seed, environment=environment, cwd=cwd)
    finally:
        for path in shared:
            path.unlink()
    graded = marked.results["searcher"]
    found, looked_at = graded.cells[-2].output.splitlines()[-2:]
    messages = [check.message.en for check in graded.checks if check.id == "double" and check.message]
    return Searched(json.loads(found), messages[0], json.loads(looked_at))


def planted_course(where: Path) -> Path:
    """The toy course with canaries in its checks, its oracle, its settings and its hidden data; and more time."""
    shutil.copytree(HERE / "course", where, ignore=shutil.ignore_patterns("__pycache__"))
    for name, label in (("toy/checks.py", "checks"), ("toy_oracle.py", "oracle")):
        with (where / name).open("a", encoding="utf-8") as file:
            file.write(f'\nSECRET = "{canary(label)}"\n')
    (where / "toy" / "secret.txt").write_text(canary("hidden_data"))
    settings = where / "toy" / "assignment.toml"
    text = settings.read_text(encoding="utf-8").replace('["hidden.json"]', '["hidden.json", "secret.txt"]')
    for old, new in LIMITS.items():
        text = text.replace(old, new)
    settings.write_text(f"# {canary('settings')}\n{text}", encoding="utf-8")
    return where


class Server:
    """A server of the host, on a port and under an abstract name, that tells `secret` to whoever connects."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.servers = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
        self.servers[1].bind(b"\0" + secret)
        self.servers[1].listen()

    def __enter__(self) -> None:
        for server in self.servers:
            threading.Thread(target=self.answer, args=(server,), daemon=True).start()

    def answer(self, server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.send(self.secret)

    def __exit__(self, *exception: object) -> None:
        for server in self.servers:
            server.close()


def test_nothing_of_the_grader_is_found(searched: Searched) -> None:
    assert {label: ways for label, ways in searched.found.items() if not label.startswith("own_")} == {}


def test_nothing_of_the_grader_is_found_while_a_check_asks(searched: Searched) -> None:
    told = json.loads(searched.found_in_call[searched.found_in_call.index("{") : searched.found_in_call.index("}") + 1])
    assert {label for label in told if not label.startswith("own_")} == set()
    assert {"memory", "object"} <= set(told["own_notebook"])


@pytest.mark.parametrize("way", WAYS)
def test_the_search_finds_what_is_there(searched: Searched, way: str) -> None:
    assert way in searched.found[WAYS[way]]


def test_the_search_looks_far(searched: Searched) -> None:
    least = {"files": 5_000, "bytes of memory": 2**25, "objects": 10_000, "ports": 65_535}
    assert {name for name, number in searched.looked_at.items() if number < least[name]} == set()
