"""Make a kit, hold it to what students need, and put it in place: a folder and a zip of it, or nothing.

The same assignment gives the same bytes. What already lies there is never replaced by something else.
Not covered: the notebook (`notebook`), the README (`readme`), what is verified (`verify`).
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import pipeline
from harness.course import Assignment
from harness.errors import ConfigurationError, UsageError
from harness.records import Language
from harness.release.notebook import notebook
from harness.release.readme import readme
from harness.release.verify import verify

README = "README.md"
UNIX, MODE = 3, 0o644  # what made the archive, and whose permissions it holds


def release(assignment: Assignment, out: Path, language: Language) -> Path:
    """Write `out`/SLUG-LANGUAGE and `out`/SLUG-LANGUAGE.zip; returns the folder.

    Raises:
        ConfigurationError: the assignment is not fit to be handed out; nothing is written.
        UsageError: something else lies there, or it cannot be written.
    """
    files = contents(assignment, language)
    with TemporaryDirectory() as place:
        _write(Path(place), files)
        verify(assignment, Path(place))
    name = f"{assignment.slug}-{language}"
    folder, archive, zipped = out / name, out / f"{name}.zip", packed(files, name)
    try:
        if _held(folder) not in ({}, files) or (archive.exists() and archive.read_bytes() != zipped):
            raise UsageError(f"{folder} or its zip holds something else", remedy="Remove it, or name another --out.")
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out, prefix=f".{name}-") as place:
            _write(Path(place) / name, files)
            (Path(place) / archive.name).write_bytes(zipped)
            if not _held(folder):
                (Path(place) / name).rename(folder)
            (Path(place) / archive.name).replace(archive)
    except OSError as error:
        raise UsageError(f"{out} cannot be used: {error.strerror}", remedy="Name another folder with --out.") from error
    return folder


def contents(assignment: Assignment, language: Language) -> dict[str, bytes]:
    """The files of the kit, by name.

    Raises:
        ConfigurationError: see `release`.
    """
    files = {f"{assignment.slug}.ipynb": notebook(assignment, language)}
    for name in assignment.file.data.student:
        path = Path(name)
        if name in assignment.file.data.hidden or path.name in {*files, README}:
            raise ConfigurationError(
                f"{assignment.path}: key 'data.student': {name!r} is hidden, or another file has its name",
                remedy="Rename it, or remove it from one of the lists.",
            )
        files[path.name] = (assignment.folder / path).read_bytes()
    return files | {README: readme(assignment, pipeline.declared(assignment), list(files), language)}


def packed(files: Mapping[str, bytes], folder: str) -> bytes:
    """A zip of `files` in `folder`, stored: compressed bytes would differ from one zlib to the next."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(f"{folder}/{name}")  # of 1980, as long as nobody names a date
            info.create_system, info.external_attr = UNIX, MODE << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _held(folder: Path) -> dict[str, bytes]:
    """What lies in `folder`, folders within it included; nothing where there is none."""
    if not folder.exists():
        return {}
    return {item.name: b"" if item.is_dir() else item.read_bytes() for item in folder.iterdir()}
