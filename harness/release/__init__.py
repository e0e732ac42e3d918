"""The student kit of an assignment: its notebook in one language without solutions, data files, a README; and a zip.

A kit is made of what students may have, never by taking away from a copy of the assignment's folder.
Not covered: checks (students make the public ones with `bareme check`), handing kits out.
"""

from harness.release.kit import release

__all__ = ["release"]
