"""`bareme check`, and the process in the background (the *host*) that makes it answer at once.

`client` asks the host and `check` does the work, in a worker of the host or in the command's own process: what is
printed is the same. Modules are imported one by one, as they are needed: asking takes the standard library alone.
"""
