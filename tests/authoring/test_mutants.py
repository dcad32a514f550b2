"""Mutants of a source: the slips that are made, and none outside of what students write."""

from __future__ import annotations

import ast

import pytest

from chainrule.authoring.mutants import mutants


def changes(source: str) -> dict[str, str]:
    """The kind of each change."""
    return {mutant.change: mutant.kind for mutant in mutants(source)}


@pytest.mark.parametrize(
    ("source", "change", "kind"),
    [
        ("a = b @ c", "a = b @ c → a = (b * c)", "operator"),
        ("a = b @ c", "a = b @ c → a = (c @ b)", "operands swapped"),
        ("a = b - c", "a = b - c → a = b", "operand dropped"),
        ("a = b > 0", "a = b > 0 → a = (b >= 0)", "comparison"),
        ("a = -b", "a = -b → a = (b)", "sign dropped"),
        ("def f(a):\n    return a", "return a → return -(a)", "sign added"),
        ("a = 0.5", "a = 0.5 → a = 1.0", "constant"),
        ("a = True", "a = True → a = False", "constant"),
        ("a = b.sum(dim=1)", "a = b.sum(dim=1) → a = b.sum(dim=0)", "axis"),
        ("a = b.sum(1)", "a = b.sum(1) → a = b.mean(1)", "name"),
        ("a = f(b, c)", "a = f(b, c) → a = f(c, b)", "arguments swapped"),
        ("a = f(b, c)", "a = f(b, c) → a = f(b)", "argument dropped"),
        ("a = f(b, k=c)", "a = f(b, k=c) → a = f(b)", "argument dropped"),
        ("a = f(b)", "a = f(b) → a = (b)", "call dropped"),
        ("a = b.detach() + 1", "a = b.detach() + 1 → a = b + 1", "call dropped"),
        ("a = b.T", "a = b.T → a = (b)", "call dropped"),
        ("model.train()", "model.train() → model.eval()", "name"),
        ("f(train_loader)", "f(train_loader) → f(test_loader)", "name"),
        ("a = h['train']", "a = h['train'] → a = h['eval']", "text"),
        ("a = b[:-1]", "a = b[:-1] → a = b[:]", "slice"),
        ("a += b", "a += b → a = b", "in-place"),
        ("a += b", "a += b → a -= b", "operator"),
        ("if a:\n    b()", "if a: → if True:", "condition"),
        ("a = b if c else d", "a = b if c else d → a = (d)", "branch"),
        ("for x in xs:\n    f(x)", "for x in xs: → for x in list(xs)[:-1]:", "loop"),
    ],
)
def test_a_slip_is_made(source: str, change: str, kind: str) -> None:
    assert changes(source)[change] == kind


def test_statements_are_deleted_and_reordered() -> None:
    training = "for x in xs:\n    optimizer.zero_grad()\n    loss(x).backward()\n    optimizer.step()"
    sources = {mutant.kind: [] for mutant in mutants(training)}
    for mutant in mutants(training):
        sources[mutant.kind].append(mutant.source)
    assert training.replace("optimizer.zero_grad()", "pass") in sources["statement deleted"]
    assert (
        training.replace(
            "loss(x).backward()\n    optimizer.step()", "optimizer.step()\n    loss(x).backward()"
        )
        in sources["statements reordered"]
    )
    after = "for x in xs:\n    optimizer.zero_grad()\n    loss(x).backward()\noptimizer.step()"
    assert after in sources["after the loop"]


def test_gradients_are_not_switched_off() -> None:
    source = "with torch.no_grad():\n    f()\n\n@torch.no_grad()\ndef g():\n    pass"
    kinds = {mutant.kind for mutant in mutants(source)}
    assert {"with dropped", "decorator dropped"} <= kinds


def test_variables_of_the_same_function_are_exchanged() -> None:
    found = changes("def f(x, W):\n    z = W @ x\n    return z")
    assert found["return z → return x"] == found["return z → return W"] == "name"
    assert "return z → return torch" not in found


def test_only_the_solution_changes() -> None:
    head, solution = "def f(x=1):\n    '''Twice 2.'''", "    y = 2 * x"
    source = f"{head}\n    ### BEGIN SOLUTION\n{solution}\n    ### END SOLUTION\n    return y"
    found = list(mutants(source))
    assert found
    assert {mutant.line for mutant in found} == {4}
    assert all(mutant.source.startswith(head) for mutant in found)


def test_each_is_python_and_no_two_are_the_same() -> None:
    source = "def f(x: int, *, größe=(1, 2)):\n    return {'ä': x[0, :2] * größe[1]}  # Größe"
    codes = [ast.dump(ast.parse(mutant.source)) for mutant in mutants(source)]
    assert len(codes) == len(set(codes)) > 10
    assert ast.dump(ast.parse(source)) not in codes
    assert all("x: int" in mutant.source for mutant in mutants(source))
