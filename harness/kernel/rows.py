"""Matrices that stay in the kernel, promised row by row: hashes first, single numbers and whole rows when asked.

For answers too large to cross, such as the distributions of a model with a large vocabulary (docs/kernel.md).
Not covered: holding the kernel to its promises, which is the grader's part; tampering with this is noticed there.
"""

import hashlib
import sys
from typing import Any

FLOATS = ("<f2", "<f4", "<f8")  # dtypes of rows


class Rows:
    """A matrix of T rows and V columns that its author can no longer change."""

    def __init__(self, matrix: Any) -> None:
        """`matrix` is a private C-contiguous array of one of FLOATS."""
        self.matrix = matrix

    def promise(self) -> tuple[Any, ...]:
        """(these rows, dtype, shape, one SHA-256 a row, 32 bytes each); only the hashes cross."""
        dtype, shape = self.matrix.dtype.str, self.matrix.shape
        digests = (
            hashlib.sha256(f"{dtype} {shape[0]} {shape[1]} {index}\n".encode("ascii") + row.tobytes()).digest()
            for index, row in enumerate(self.matrix)
        )
        return self, dtype, shape, b"".join(digests)

    def gather(self, columns: Any) -> tuple[Any, Any]:
        """Of each row, in float64: its number in the column given for it, and ln of the sum of the exponentials."""
        import numpy

        sums = numpy.empty(len(self.matrix))
        with numpy.errstate(all="ignore"):  # infinities and NaN are for the grader to see
            for index, row in enumerate(self.matrix):
                exact = row.astype(numpy.float64)
                peak = exact.max()
                sums[index] = peak + numpy.log(numpy.exp(exact - peak).sum())
        return self.matrix[numpy.arange(len(self.matrix)), columns].astype(numpy.float64), sums

    def take(self, indices: Any) -> Any:
        """Whole rows, exactly as promised."""
        return self.matrix[indices]

    def release(self) -> None:
        """Free the memory; nothing more can be asked."""
        self.matrix = None


def promised(value: Any) -> Any:
    """A promise in place of a matrix of floats, array or tensor; anything else as it is."""
    matrix = _matrix(value)
    return value if matrix is None else Rows(matrix).promise()


def _matrix(value: Any) -> Any:
    """A private copy as rows of one of FLOATS; None when `value` is no matrix of floats.

    Number formats that NumPy lacks, such as bfloat16, become float32, which holds all their numbers.
    """
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and type(value) in {torch.Tensor, torch.nn.Parameter}:
        if value.ndim != 2 or not value.is_floating_point():
            return None
        common = value.dtype in {torch.float16, torch.float32, torch.float64}
        value = (value if common else value.float()).detach().cpu().resolve_neg().numpy()
        numpy = sys.modules["numpy"]
    if numpy is None or type(value) is not numpy.ndarray or value.ndim != 2:
        return None
    dtype = value.dtype.newbyteorder("<").str
    return numpy.array(value, dtype=dtype, order="C") if dtype in FLOATS else None
