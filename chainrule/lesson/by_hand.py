"""Whether a function that should hold a derivation leaves the differentiation to a library.

A person decides what that means for the marks: what is found here can be honest (a comparison left in the code),
and who wants to hide it can.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import CodeType
from typing import Any

import torch
from torch.autograd import forward_ad

# Names that code has no use for unless something is differentiated for it.
TELLING = {
    "autograd",
    "requires_grad",
    "requires_grad_",
    "value_and_grad",
    "jacrev",
    "jacfwd",
    "vjp",
    "jvp",
    "hessian",
    "GradientTape",
    "jax",
    "tensorflow",
    "approx_fprime",
}
# What every reverse pass of PyTorch goes through, `backward`, `grad` and `torch.func` alike; then every forward one.
ENGINES = [(torch.autograd, "_engine_run_backward"), (forward_ad, "enter_dual_level")]


@contextmanager
def watch(function: Any, namespace: Mapping[str, Any]) -> Iterator[set[str]]:
    """Collect signs of automatic differentiation, in the function's code at once and in what runs in the block.

    Args:
        function: whose code is read, with that of the functions of the namespace it names.
        namespace: the student's names. A name of the student's own is no sign.
    """
    signs = {f"`{name}` in its code" for name in names(function, namespace) & TELLING - set(namespace)}
    before = [(module, name, getattr(module, name)) for module, name in ENGINES]
    for module, name, engine in before:
        setattr(module, name, noted(engine, signs))
    try:
        yield signs
    finally:
        for module, name, engine in before:
            setattr(module, name, engine)


def noted(engine: Any, signs: set[str]) -> Any:
    """The engine, with a sign left whenever it is used."""

    @functools.wraps(engine)
    def run(*args: Any, **kwargs: Any) -> Any:
        signs.add("PyTorch's autograd ran")
        return engine(*args, **kwargs)

    return run


def names(function: Any, namespace: Mapping[str, Any]) -> set[str]:
    """Every global or attribute that a function names, and the functions of the namespace among them in turn."""
    found: set[str] = set()
    waiting, seen = [getattr(function, "__code__", None)], set()
    while waiting:
        code = waiting.pop()
        if not isinstance(code, CodeType) or code in seen:
            continue
        seen.add(code)
        found.update(code.co_names)
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        waiting += [getattr(namespace.get(name), "__code__", None) for name in code.co_names]
    return found
