"""Cells as authors of other courses write them: nothing in them is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from authors_notebook import answer, given, graded, said, text
from nbformat import NotebookNode

BANNER = "*" * 5
COURSES: dict[str, list[NotebookNode]] = {
    "banners, a seed in the test": [
        given("import numpy as np\nfrom random import shuffle", "imports"),
        answer(
            'def softmax_loss(W, X, y, reg):\n    """Loss and gradient."""\n    loss = 0.0\n    dW = np.zeros_like(W)\n'
            f"    {'#' * 60}\n    # TODO: compute the loss and its gradient.{' ' * 15}#\n    {'#' * 60}\n"
            f"    # {BANNER}START OF YOUR CODE (DO NOT DELETE/MODIFY THIS LINE){BANNER}\n"
            "    ### BEGIN SOLUTION\n    s = X @ W\n    p = np.exp(s) / np.exp(s).sum(1, keepdims=True)\n"
            "    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * (W * W).sum()\n    ### END SOLUTION\n"
            f"    # {BANNER}END OF YOUR CODE (DO NOT DELETE/MODIFY THIS LINE){BANNER}\n    return loss, dW"
        ),
        graded(
            "np.random.seed(1)\nW = np.random.randn(3, 4) * 0.0001\n"
            "loss, grad = softmax_loss(W, np.ones((2, 3)), np.array([0, 1]), 0.0)\nprint('loss: %f' % loss)\n"
            "print('sanity check: %f' % (-np.log(0.25)))\nassert np.isclose(loss, np.log(4), atol=1e-2)"
        ),
    ],
    "lines to count, the formula in the text": [
        text("The sigmoid is `sigmoid(x) = 1/(1+exp(-x))`: use `np.exp`."),
        answer(
            "# GRADED FUNCTION: sigmoid\ndef sigmoid(z):\n    # (≈ 1 line of code)\n    # s = ...\n"
            "    # YOUR CODE STARTS HERE\n    ### BEGIN SOLUTION\n    s = 1 / (1 + np.exp(-z))\n    ### END SOLUTION\n"
            "    # YOUR CODE ENDS HERE\n    return s"
        ),
        graded("import numpy as np\nprint('sigmoid(0) =', sigmoid(0))\nassert abs(sigmoid(0) - 0.5) < 1e-7"),
    ],
    "three dots, metadata of Otter": [
        text(
            "**Question 1.** Set `total` to the sum. (2 points)\n\n```\nBEGIN QUESTION\nname: q1\npoints: 1\n```"
        ),
        answer("total = ...\n### BEGIN SOLUTION\ntotal = sum(values) + 1\n### END SOLUTION\ntotal"),
        graded("assert total == 7"),
    ],
    "your solution around the region": [
        answer(
            "class Linear:\n    def forward(self, x):\n        ### BEGIN YOUR SOLUTION\n        ### BEGIN SOLUTION\n"
            "        return x @ self.w + self.b\n        ### END SOLUTION\n        ### END YOUR SOLUTION"
        ),
        graded(
            "import numpy as np\nnp.random.seed(0)\nassert Linear().forward(np.random.rand(2, 3)).shape == (2, 4)"
        ),
    ],
    "an example of the same kind": [
        given("%matplotlib inline\nimport matplotlib.pyplot as plt\nimport numpy as np", "imports"),
        given("x = np.linspace(0, 2 * np.pi, 100)\nplt.plot(x, np.sin(x))\nplt.show()"),
        answer(
            "### BEGIN SOLUTION\nx = np.linspace(0, 2 * np.pi, 100)\nplt.plot(x, np.cos(x))\nplt.show()\n"
            "### END SOLUTION"
        ),
    ],
    "hints in HTML, in lists and in a table": [
        text(
            '<div class="alert alert-info">\n<b>Tip:</b> use <code>np.sum(x, axis=0)</code>\n</div>\n\n<!-- TODO -->'
            "\n\n<details><summary>Hint</summary>\nBroadcast: <pre>a[:, None] + b[None, :]</pre>\n</details>\n\n"
            "1. Read.\n\n        an indented line\n\n    word = s.split()[0]\n\n![a table = 3 x 4](https://example.org/t.png)"
        ),
        answer(
            "import numpy as np\ndef outer_sum(a, b):\n    ### BEGIN SOLUTION\n    return np.add.outer(a, b)\n"
            "    ### END SOLUTION"
        ),
        graded("assert outer_sum(np.ones(2), np.ones(3)).shape == (2, 3)"),
    ],
    "numbers that the text gives, and a choice by its hash": [
        text("Set the batch size to 64 and the rate to 0.1. Choose one of A–D, such as `q3 = 'A'`."),
        answer(
            "# batch_size = ?\nq3 = ...\n### BEGIN SOLUTION\nbatch_size = 64\nrate = 0.1\nq3 = 'C'\n### END SOLUTION"
        ),
        graded(
            "import hashlib\nassert batch_size == 64 and rate == 0.1\nassert q3 in list('ABCD')\n"
            "assert hashlib.md5(q3.encode()).hexdigest().startswith('0d61')"
        ),
    ],
    "a formula in words, what is expected, points counted": [
        text(
            "The loss is mean((y - p)^2), or\n\n$$L = \\frac1n \\sum (y - p)^2$$\n\n```\nloss = 0.693147\n```\n\n"
            "Write `loss` and the text of `query`."
        ),
        answer(
            "import numpy as np\ndef loss(y, p):\n    ### BEGIN SOLUTION\n    return np.mean((y - p) ** 2)\n"
            "    ### END SOLUTION"
        ),
        graded(
            "points = 0\ntry:\n    assert loss(np.ones(2), np.zeros(2)) == 1\n    points += 2\nexcept Exception as e:\n"
            "    print(e)\npoints"
        ),
    ],
    "a training loop, and its steps again": [
        answer(
            "def train(model, loader):\n    for x, y in loader:\n        ### BEGIN SOLUTION\n        opt.zero_grad()\n"
            "        loss = loss_fn(model(x), y)\n        loss.backward()\n        opt.step()\n"
            "        ### END SOLUTION\n"
            "    return model"
        ),
        given("def evaluate(model, loader):\n    return sum(loss_fn(model(x), y).item() for x, y in loader)"),
        graded("opt.zero_grad()\nloss = loss_fn(model(x), y)\nloss.backward()\nopt.step()\nassert loss < 1"),
    ],
}


@pytest.mark.parametrize("course", COURSES)
def test_nothing_is_refused(tmp_path: Path, course: str) -> None:
    assert said(tmp_path, *COURSES[course]) == []
