# /// expected
# threat = "The results file is overwritten, or locked so that the grader cannot write it."
# status = "marked"
# checks = {total = "failed", total_hidden = "failed"}
# ///

# %%
from honest import *

import fcntl
import glob
import os
import sqlite3

held = []
for folder in (".", "/tmp", "/run", "/dev/shm", "/home/student", *glob.glob("/proc/*/cwd"), *glob.glob("/proc/*/root/tmp")):
    for name in ("results.json", "gradebook.sqlite", "gradebook.sqlite-wal", "grades.csv", "junit.xml"):
        try:
            held.append(open(os.path.join(folder, name), "a+"))
            fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
for path in glob.glob("/proc/[0-9]*/fd/*"):
    try:
        opened = os.path.realpath(path)
        if opened.endswith(".sqlite"):
            with sqlite3.connect(opened, timeout=0.1) as database:
                database.execute("update submission set score = 20")
    except (OSError, sqlite3.Error):
        continue


def total(values):
    return 0
