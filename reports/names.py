"""File names for students: unique, readable, and safe on every file system.

Not covered: how a name is shown on a page (`text`).
"""

import hashlib
import re
import unicodedata

READABLE_CHARACTERS = (
    48  # of the name; with the suffix and ".html" well below the 143 bytes of an encrypted file system
)
SUFFIX_DIGITS = 10  # hexadecimal: 40 bits, a chance collision among 1,000 students is below 1e-6

PLAIN = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
LOOKS_SUFFIXED = re.compile(rf".*-[0-9a-f]{{{SUFFIX_DIGITS}}}")
RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?")  # devices on Windows, whatever the extension


def safe_name(student: str) -> str:
    """The file name (without extension) for `student`: lower-case ASCII, the same for the same name always.

    A name that is already plain is kept. Every other one is simplified and gets a hash of the exact name, so that
    names which differ only by case, accents or Unicode form never share a file.

    >>> safe_name("student-01")
    'student-01'
    >>> safe_name("Élodie N.")
    'elodie-n-4ccaa1e0bb'
    """
    if _is_plain(student):
        return student
    decomposed = unicodedata.normalize("NFKD", student).encode("ascii", "ignore").decode().lower()
    readable = re.sub(r"[^a-z0-9]+", "-", decomposed)[:READABLE_CHARACTERS].strip("-") or "student"
    digest = hashlib.sha256(student.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{readable}-{digest[:SUFFIX_DIGITS]}"


def _is_plain(student: str) -> bool:
    """Whether `student` can be a file name as it is, and cannot be taken for a simplified one."""
    return bool(
        len(student) <= READABLE_CHARACTERS
        and PLAIN.fullmatch(student)
        and not LOOKS_SUFFIXED.fullmatch(student)
        and not RESERVED.fullmatch(student)
    )
