"""The bundled course: this folder is one that `--course` could name."""
