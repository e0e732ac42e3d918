"""Student code that attacks the way its answers are fetched spoils its own answers and nothing else."""

import pytest

from harness.course import Limits
from harness.kernel import Call
from harness.records import Outcome

QUICK = Limits(cell_s=1.5, call_s=1.5, wall_s=60)  # for notebooks that may end in any way, on time or not
TOOLS = """
import os, sys, threading, time
kernel = get_ipython().kernel
wire = sys.modules['bareme.wire']

def forge(content, value, kind='bareme_reply', parent=None, parts=None):
    request = parent or kernel.get_parent('shell')
    parts = wire.encode(value) if parts is None else parts
    ident = kernel._parent_ident['shell']
    kernel.session.send(kernel.shell_stream, kind, content, request, ident=ident, buffers=parts)

def mine():
    return kernel.get_parent('shell')['content']['nonce']

PASS = ('passed', 'forged', None, False, None, '', [])
def ok(x): return x
"""


def answers(opened, attack: str, calls, **options):
    notebook = opened(TOOLS, attack, **options)
    assert notebook.run_cells().cells[0].outcome is Outcome.PASSED
    return notebook.call(calls)


IGNORED = {
    "wrong nonce": "def attack(): forge({'nonce': '0' * 32, 'index': 0}, PASS); return 'honest'",
    "no nonce": "def attack(): forge({}, PASS); return 'honest'",
    "nonce of another type": "def attack(): forge({'nonce': [mine()], 'index': 0}, PASS); return 'honest'",
    "extra keys": "def attack(): forge({'nonce': mine(), 'index': 0, 'more': 1}, PASS); return 'honest'",
    "out of order": "def attack(): forge({'nonce': mine(), 'index': 1}, PASS); return 'honest'",
    "wrong type": "def attack(): forge({'nonce': mine(), 'index': 0}, PASS, kind='execute_reply'); return 'honest'",
    "wrong parent": "def attack(): forge({'nonce': mine(), 'index': 0}, PASS, parent={'msg_id': 'x'}); return 'honest'",
    "not JSON": "def attack(): kernel.shell_stream.send_multipart("
    "[*kernel._parent_ident['shell'], b'<IDS|MSG>', b'', b'{', b'[', b'', b'nul']); return 'honest'",
    "no delimiter": "def attack(): kernel.shell_stream.send_multipart("
    "[*kernel._parent_ident['shell'], b'x']); return 'honest'",
    "deep JSON": "def attack(): kernel.shell_stream.send_multipart("
    "[*kernel._parent_ident['shell'], b'<IDS|MSG>', b'', *[b'[' * 10**6] * 4]); return 'honest'",
    "huge numbers": "def attack(): kernel.shell_stream.send_multipart("
    "[*kernel._parent_ident['shell'], b'<IDS|MSG>', b'', *[b'{\"a\":' + b'9' * 10**5 + b'}'] * 4]); return 'honest'",
    "lists for objects": "def attack(): kernel.shell_stream.send_multipart("
    "[*kernel._parent_ident['shell'], b'<IDS|MSG>', b'', *[b'[]'] * 4]); return 'honest'",
    "flood": "def attack():\n    for _ in range(1_500): forge({}, None)\n    return 'honest'",
    "iopub flood": "def attack():\n    for _ in range(2_000): kernel.session.send(kernel.iopub_socket, 'stream',"
    " {'name': 'stdout', 'text': 'x' * 10**4})\n    return 'honest'",
    "huge iopub": "def attack(): kernel.session.send("
    "kernel.iopub_socket, 'stream', {'text': 'x' * 10**8}); return 'honest'",
}


@pytest.mark.parametrize("name", IGNORED)
def test_what_is_no_reply_is_ignored(opened, name):
    attacked, after = answers(opened, IGNORED[name], [Call("attack"), Call("ok", (1,))])
    assert (attacked.outcome, attacked.value) == (Outcome.PASSED, "honest")
    assert after.value == 1


BROKEN = {  # with the nonce of the request: they answer their own call, and nothing they say passes
    "malformed wire": "forge({'nonce': mine(), 'index': 0}, None, parts=[b'{}'])",
    "no parts": "forge({'nonce': mine(), 'index': 0}, None, parts=[])",
    "too many parts": "forge({'nonce': mine(), 'index': 0}, None, parts=[b''] * 20_000)",
    "pickle": "forge({'nonce': mine(), 'index': 0}, None, parts=[__import__('pickle').dumps(1)])",
    "wrong shape": "forge({'nonce': mine(), 'index': 0}, ('passed', 1))",
    "unknown outcome": "forge({'nonce': mine(), 'index': 0}, ('perfect', 1, None, False, None, '', []))",
    "infrastructure": "forge({'nonce': mine(), 'index': 0}, ('infrastructure', 1, None, False, None, '', []))",
    "wrong types": "forge({'nonce': mine(), 'index': 0}, ('passed', 1, None, 0, None, '', []))",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_protocol_never_passes(opened, name):
    attacked, after = answers(
        opened, f"def attack():\n    {BROKEN[name]}\n    return 'late'", [Call("attack"), Call("ok", (1,))]
    )
    assert (attacked.outcome, attacked.value) == (Outcome.CRASHED, None)
    assert attacked.error.message == "the kernel broke the protocol"
    assert (after.outcome, after.value) == (Outcome.PASSED, 1)


def test_answering_twice_answers_once(opened):
    attack = "def attack():\n    forge({'nonce': mine(), 'index': 0}, PASS)\n    return 'second'"
    attacked, after, last = answers(opened, attack, [Call("attack"), Call("ok", (1,)), Call("ok", (2,))])
    assert (attacked.value, after.value, last.value) == ("forged", 1, 2)


def test_a_late_answer_to_an_old_request_is_ignored(opened):
    attack = (
        "kept = []\n"
        "def first():\n    kept.append((kernel.get_parent('shell'), mine()))\n    return 1\n"
        "def second():\n    parent, nonce = kept[0]\n"
        "    forge({'nonce': nonce, 'index': 0}, PASS, parent=parent)\n    return 2"
    )
    notebook = opened(TOOLS, attack)
    notebook.run_cells()
    assert notebook.call([Call("first")])[0].value == 1
    assert notebook.call([Call("second")])[0].value == 2


SABOTAGE = {
    "json": "import json\njson.dumps = json.loads = None",
    "time": "import time\ntime.time = time.monotonic = time.perf_counter = lambda: 0.0",
    "isinstance": "import builtins\nbuiltins.isinstance = lambda *a: True",
    "len": "import builtins\nbuiltins.len = lambda *a: 0",
    "str": "import builtins\nbuiltins.str = None",
    "hashlib": "import hashlib\nhashlib.sha256 = None",
    "wire": "import sys\nsys.modules['bareme.wire'].encode = lambda *a, **k: [b'{}']",
    "probe": "kernel.shell_handlers['bareme_request'] = lambda *a: None",
    "excepthook": "import sys\nsys.excepthook = None\nget_ipython().showtraceback = None",
    "stdout": "import sys\nsys.stdout = sys.stderr = None",
    "session": "kernel.session.send = None",
    "close the sockets": "kernel.shell_stream.close()",
    "close descriptors": "import os\nos.closerange(3, 1000)",
    "remove the sockets": "import glob, os\nfor path in glob.glob('/run/*'): os.remove(path)",
    "another socket in their place": "import os, socket\n"
    "for n in range(1, 6):\n    os.remove(f'/run/k-{n}'); socket.socket(socket.AF_UNIX).bind(f'/run/k-{n}')",
    "loop": "kernel.io_loop.stop()",
    "recursion": "import sys\nsys.setrecursionlimit(60)",
    "modules": "import sys\nsys.modules.clear()",
    "garbage": "import gc\ngc.unfreeze()\nfor thing in gc.get_objects():\n"
    "    if isinstance(thing, dict) and thing is not globals() and 'kept' in thing: thing.clear()",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SABOTAGE)
def test_sabotage_ends_as_an_outcome_never_as_our_fault(opened, name):
    notebook = opened(TOOLS, SABOTAGE[name], "def late(x): return x", limits=QUICK)
    execution = notebook.run_cells()
    assert len(execution.cells) == 3
    [answer] = notebook.call([Call("ok", (41,))])
    assert answer.outcome is not Outcome.INFRASTRUCTURE
    assert answer.value in {None, 41}
    assert (answer.value == 41) == (answer.outcome is Outcome.PASSED)
    assert len(notebook.defined(["ok"])) == 1


def test_forged_execute_replies_do_not_raise(opened):
    attack = (
        "for content in ({}, {'status': 'ok', 'bareme': {'error': [], 'violations': {'a': 1}}}, {'status': 5}):\n"
        "    forge(content, None, kind='execute_reply')\n"
        "time.sleep(0.2)"
    )
    notebook = opened(TOOLS, attack, "x = 1")
    cells = notebook.run_cells().cells
    assert [cell.outcome for cell in cells] == [Outcome.PASSED, Outcome.CRASHED, Outcome.PASSED]
    assert notebook.call([Call("x")])[0].value == 1


LOOK = """
import gc, os, sys

def look(front, back):
    needle = front + back
    places = [open(f'/proc/self/{name}').read() for name in ('environ', 'cmdline', 'maps')]
    places += [repr(os.environ), repr(sys.argv)]
    frame = sys._getframe()
    while frame := frame.f_back:
        places.append(repr(frame.f_locals))
    gc.unfreeze()  # a forked kernel's collector does not look at what it inherited
    places += [repr(o) for o in gc.get_objects() if type(o) in (dict, list, tuple) and len(o) < 100]
    return sum(needle in place for place in places)

def plant(front, back):
    global planted
    planted = [int(front + back)]
"""


def test_the_secret_seed_is_nowhere_in_the_kernel(opened):
    front, back = "91827364", "5546372819"
    notebook = opened(LOOK, seed=int(front + back))
    notebook.run_cells()
    assert notebook.call([Call("look", (front, back))])[0].value == 0
    planted, found = notebook.call([Call("plant", (front, back)), Call("look", (front, back))])
    assert planted.outcome is Outcome.PASSED
    assert found.value > 0
