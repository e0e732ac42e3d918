"""A kernel says that it is ready when it may be subscribed to; real clients and sockets: test_live_cells."""

import os
import subprocess
import sys

from harness.kernel.inside import trusted_files

SCRIPT = """
import importlib.util, json, os, sys, time
root = sys.argv[1]
told, telling = os.pipe()
os.environ.update(TMPDIR=root, BAREME_RUN=root, BAREME_READY_FD=str(telling))
spec = importlib.util.spec_from_file_location("launch", f"{root}/launch.py")
launch = importlib.util.module_from_spec(spec)
spec.loader.exec_module(launch)
launch.prepare(json.dumps({"forbidden": [], "preload": []}))
if not os.fork():
    from ipykernel.iostream import IOPubThread
    send = IOPubThread._really_send
    def slowly(*arguments, **options):
        time.sleep(0.3)
        send(*arguments, **options)
        os.write(telling, b"s")
    IOPubThread._really_send = slowly
    os.environ["BAREME_READY_FD"] = str(os.dup(telling))
    settings = {"key": "k", "forbidden": [], "output_characters": 1000, "cell_seed": 5, "device": "cpu"}
    sys.argv[:] = ["launch.py", json.dumps(settings)]
    launch.main()
print(os.read(told, 1) + os.read(told, 1), flush=True)
os.kill(0, 15)
"""


def test_ready_is_said_after_the_first_message_is_sent(tmp_path):
    """A subscription that arrives while something is being sent may be missed: the client would wait for ever."""
    for name, content in trusted_files().items():
        (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-s", "-P", "-B", "-c", SCRIPT, str(tmp_path)]
    environment = {"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60, start_new_session=True
    )
    assert done.stdout.strip() == "b's1'", done.stderr
