# /// expected
# threat = "HTML, scripts, ANSI codes, LaTeX and formulas stand where people will read them."
# status = "marked"
# checks = {total = "error", total_hidden = "error", median = "failed"}
# ///

# %%
from honest import *

MARKUP = (
    "<script>alert('hostile')</script><img src=x onerror=alert(1)>"
    "\x1b[2J\x1b]0;hostile\x07\x1b[31m $\\\\input{/etc/passwd}$ \u202ehostile\x00 ]]> '; drop table results; --"
)
print(MARKUP)
print("=HYPERLINK(\"http://hostile.example\")")


class Hostile(Exception):
    pass


Hostile.__name__ = Hostile.__qualname__ = "<script>alert('type')</script>"


def total(values):
    raise Hostile("=cmd|' /C calc'!A0 " + MARKUP)


def median(values):
    return MARKUP
