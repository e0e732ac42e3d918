"""Stops torch's own operators where every road to them ends: in torch's dispatcher, inside the kernel.

A Python name can be reached in too many ways (C modules, base classes, scripts, `vmap`); the kernel behind it cannot be
gone round. Other operators keep their speed, and forward derivatives work.
Not covered: operators that compute the same under another name, such as a log-softmax followed by exp.
"""

import warnings
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

DEVICES = ("CPU", "CUDA", "SparseCPU", "SparseCUDA")
OPERATORS = {  # last part of a forbidden name -> what it comes down to
    "softmax": ("_softmax", "_softmax.out", "_masked_softmax", "_sparse_softmax"),
    "log_softmax": ("_log_softmax", "_log_softmax.out", "_sparse_log_softmax"),
    "scaled_dot_product_attention": (
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_flash_attention",
        "_scaled_dot_product_efficient_attention",
        "_scaled_dot_product_cudnn_attention",
    ),
    "MultiheadAttention": ("_native_multi_head_attention",),
}

_libraries: list[Any] = []  # what torch has registered lasts as long as these


def compile_ahead(torch: ModuleType, names: Iterable[str]) -> None:
    """Take a forward derivative, where `names` forbid something of `torch.ops`, while that can still be reached.

    At the first one torch compiles code that reads `torch.ops`, and its compiler understands nothing that stands for a
    forbidden namespace. Nowhere else: this takes 0.2 s of a cold start, where importing torch takes 0.9 s.
    """
    if any(f"{name}.".startswith("torch.ops.") for name in names):
        one = torch.ones(1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, about the way in which it compiles
            torch.func.jvp(torch.sin, (one,), (one,))


def forbid(torch: ModuleType, names: Iterable[str], refuse: Callable[[str], Callable[..., Any]]) -> None:
    """Let `refuse(name)` be called instead of the operators behind each of `names`."""
    library = torch.library.Library("aten", "IMPL")
    _libraries.append(library)
    refused: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a kernel is replaced is the purpose
        for name in names:
            for operator in set(OPERATORS.get(name.rpartition(".")[2], ())) - refused:
                refused.add(operator)
                for device in DEVICES:
                    library.impl(operator, refuse(name), device)
