"""Signs that a function which should be derived by hand leaves the differentiation to a library.

They cost no points: a person decides. They may be honest, such as a comparison with autograd that was left in the code;
and a student who wants to hide the use of a library can.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import CodeType
from typing import Any

import torch
from torch.autograd import forward_ad

# Names that are used for automatic differentiation only.
SIGNS = {
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
# The function through which every reverse pass of PyTorch goes, by `backward`, `grad` or `torch.func`; then the one for
# forward passes.
ENGINES = [(torch.autograd, "_engine_run_backward"), (forward_ad, "enter_dual_level")]


@contextmanager
def watch(function: Any, namespace: Mapping[str, Any]) -> Iterator[set[str]]:
    """Collect signs of automatic differentiation: of the function's code at once, of what runs in the block as it runs.

    Args:
        function: its code is read, and the code of the functions of the namespace that it names.
        namespace: the student's names; what the student defines is not a sign.

    >>> def slope(x):
    ...     x.requires_grad_()
    ...     return torch.autograd.grad((x**2).sum(), x)[0]
    >>> with watch(slope, {"slope": slope, "torch": torch}) as signs:
    ...     _ = slope(torch.ones(2))
    >>> sorted(signs)
    ["PyTorch's autograd ran", '`autograd` in its code', '`requires_grad_` in its code']
    """
    signs = {f"`{name}` in its code" for name in names(function, namespace) & SIGNS - set(namespace)}
    before = [(module, name, getattr(module, name)) for module, name in ENGINES]
    for module, name, engine in before:
        setattr(module, name, noted(engine, signs))
    try:
        yield signs
    finally:
        for module, name, engine in before:
            setattr(module, name, engine)


def noted(engine: Any, signs: set[str]) -> Any:
    """The engine, which adds a sign whenever it is used.

    >>> signs = set()
    >>> noted(abs, signs)(-2), signs
    (2, {"PyTorch's autograd ran"})
    """

    @functools.wraps(engine)
    def run(*args: Any, **kwargs: Any) -> Any:
        signs.add("PyTorch's autograd ran")
        return engine(*args, **kwargs)

    return run


def names(function: Any, namespace: Mapping[str, Any]) -> set[str]:
    """Every global and attribute that a function names, and what the functions of the namespace among them name.

    >>> sorted(names(lambda x: torch.relu(x), {}))
    ['relu', 'torch']
    """
    result: set[str] = set()
    waiting, seen = [getattr(function, "__code__", None)], set()
    while waiting:
        code = waiting.pop()
        if not isinstance(code, CodeType) or code in seen:
            continue
        seen.add(code)
        result.update(code.co_names)
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        waiting += [getattr(namespace.get(name), "__code__", None) for name in code.co_names]
    return result
