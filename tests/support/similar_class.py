"""A class whose students wrote their answers independently, and copies of six kinds.

There are few ways to write a short function: six or more are here for each of six, written apart from one another.
A student takes one of them with names, comments, spelling and layout of their own, and words their explanations
from sentences that can be put in several ways, so that honest students share as much as honest students do.
"""

from __future__ import annotations

import ast
import builtins
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random

import nbformat
from course_modules import A2
from nbformat.v4 import new_code_cell, new_markdown_cell
from tiny_course import ROOT, marked, notebook

from chainrule.course import CONFIG, CourseFolder
from chainrule.modules import load
from chainrule.release.generate import generate

ALIKE = "alike"

# ---- the assignment ------------------------------------------------------------------------------------------

STUBS = {
    "losses": {
        "softmax": '(a):\n    """Softmax of each row of a, (n, C)."""',
        "cross_entropy": '(p, y):\n    """The mean of -log p[i, y[i]]; p is (n, C), y holds n classes."""',
    },
    "layers": {
        "convolve": '(image, kernel):\n    """Valid cross-correlation of two matrices."""',
        "standardise": '(x):\n    """Columns of mean 0 and variance 1."""',
    },
    "training": {
        "descend": '(f, x, steps, lr):\n    """Gradient descent; f(x) is the gradient. All points on the way."""',
        "accuracy": '(scores, y):\n    """The share of rows whose largest score is at the true class."""',
    },
}
TEXTS = {
    "why-scale": "Why are inputs standardised before training?",
    "why-overfit": "Training loss falls, test loss rises. What is going on, and what can be done?",
}


def stub(cell: str) -> str:
    functions = [f"def {name}{rest}\n    todo()" for name, rest in STUBS[cell].items()]
    return "# TODO\n" + "\n\n\n".join(functions)


def write_course(root: Path) -> Path:
    """A course folder with the assignment released."""
    cells = [marked(new_code_cell("import numpy as np\n\nfrom chainrule.lesson import todo"), "imports")]
    cells += [new_markdown_cell("**Collaborators:** *none*", id="collaborators")]
    for name in STUBS:
        solution = stub(name).replace("    todo()", "    ### BEGIN SOLUTION\n    pass\n    ### END SOLUTION")
        cells.append(marked(new_code_cell(solution), name, solution=True))
    for name, text in TEXTS.items():
        cells.append(marked(new_markdown_cell(f"## Question\n\n{text}"), f"{name}-intro"))
        cells.append(marked(new_markdown_cell("MODEL ANSWER"), name, 2, solution=True))
    folder = root / "source" / ALIKE
    folder.mkdir(parents=True)
    nbformat.write(notebook(cells), folder / f"{ALIKE}.ipynb")
    (root / CONFIG).write_text((ROOT / CONFIG).read_text(encoding="utf-8"), encoding="utf-8")
    course = CourseFolder(root)
    generate(course, ALIKE)
    return root


# ---- ways to write each function: bodies, the parameters being those of the stub ----------------------------------

BODIES = {
    "softmax": """
a = a - a.max(axis=1, keepdims=True)
e = np.exp(a)
return e / e.sum(axis=1, keepdims=True)
---
shifted = a - np.max(a, axis=-1)[:, None]
exps = np.exp(shifted)
norm = exps.sum(-1)[:, None]
return exps / norm
---
out = np.zeros_like(a, dtype=float)
for i in range(a.shape[0]):
    row = np.exp(a[i] - a[i].max())
    out[i] = row / row.sum()
return out
---
return np.stack([np.exp(r - max(r)) / sum(np.exp(r - max(r))) for r in a])
---
top = a.max(1, keepdims=True)
log_z = top + np.log(np.exp(a - top).sum(1, keepdims=True))
return np.exp(a - log_z)
---
def one(v):
    v = np.exp(v - v.max())
    return v / np.sum(v)

return np.apply_along_axis(one, 1, a)
---
z = a.T - a.max(axis=1)
z = np.exp(z)
z /= z.sum(axis=0)
return z.T
""",
    "cross_entropy": """
n = len(y)
return -np.log(p[np.arange(n), y]).mean()
---
total = 0.0
for i in range(len(y)):
    total -= np.log(p[i, y[i]])
return total / len(y)
---
onehot = np.eye(p.shape[1])[y]
return -(onehot * np.log(p)).sum() / p.shape[0]
---
picked = np.take_along_axis(p, np.asarray(y)[:, None], axis=1)
return float(np.mean(-np.log(picked)))
---
return -sum(np.log(row[c]) for row, c in zip(p, y)) / len(p)
---
targets = np.zeros(p.shape)
for i, c in enumerate(y):
    targets[i, c] = 1
losses = -np.sum(targets * np.log(p + 1e-12), axis=1)
return np.mean(losses)
---
logs = np.log(np.clip(p, 1e-15, None))
chosen = [logs[i][k] for i, k in enumerate(y)]
return -np.average(chosen)
""",
    "convolve": """
H, W = image.shape
h, w = kernel.shape
out = np.zeros((H - h + 1, W - w + 1))
for i in range(H - h + 1):
    for j in range(W - w + 1):
        out[i, j] = (image[i:i + h, j:j + w] * kernel).sum()
return out
---
h, w = kernel.shape
rows = image.shape[0] - h + 1
cols = image.shape[1] - w + 1
return np.array([[np.sum(image[r:r + h, c:c + w] * kernel) for c in range(cols)] for r in range(rows)])
---
windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
return np.einsum("ijkl,kl->ij", windows, kernel)
---
kh, kw = kernel.shape
oh, ow = image.shape[0] - kh + 1, image.shape[1] - kw + 1
result = np.zeros((oh, ow))
for u in range(kh):
    for v in range(kw):
        result += kernel[u, v] * image[u:u + oh, v:v + ow]
return result
---
k = kernel.ravel()
h, w = kernel.shape
patches = []
for top in range(image.shape[0] - h + 1):
    line = []
    for left in range(image.shape[1] - w + 1):
        line.append(image[top:top + h, left:left + w].ravel() @ k)
    patches.append(line)
return np.array(patches)
---
m, n = image.shape
a, b = kernel.shape
columns = np.stack([image[i:m - a + 1 + i, j:n - b + 1 + j].flatten() for i in range(a) for j in range(b)])
return (kernel.flatten() @ columns).reshape(m - a + 1, n - b + 1)
---
from numpy.fft import fft2, ifft2

flipped = kernel[::-1, ::-1]
size = image.shape
full = np.real(ifft2(fft2(image) * fft2(flipped, size)))
return full[kernel.shape[0] - 1:, kernel.shape[1] - 1:]
""",
    "standardise": """
return (x - x.mean(axis=0)) / x.std(axis=0)
---
mu = np.mean(x, axis=0)
sigma = np.std(x, axis=0)
sigma[sigma == 0] = 1
return (x - mu) / sigma
---
n = x.shape[0]
mean = x.sum(0) / n
centred = x - mean
var = (centred ** 2).sum(0) / n
return centred / np.sqrt(var)
---
out = np.array(x, dtype=float)
for j in range(out.shape[1]):
    col = out[:, j]
    out[:, j] = (col - col.mean()) / col.std()
return out
---
columns = [(c - np.mean(c)) / np.sqrt(np.var(c)) for c in x.T]
return np.column_stack(columns)
---
eps = 1e-8
m = x.mean(0, keepdims=True)
s2 = ((x - m) * (x - m)).mean(0, keepdims=True)
return (x - m) * (s2 + eps) ** -0.5
---
z = x - np.average(x, axis=0)
scale = np.linalg.norm(z, axis=0) / len(z) ** 0.5
return np.divide(z, scale)
""",
    "descend": """
path = [x]
for _ in range(steps):
    x = x - lr * f(x)
    path.append(x)
return path
---
points = np.empty((steps + 1, *np.shape(x)))
points[0] = x
for t in range(steps):
    points[t + 1] = points[t] - lr * f(points[t])
return points
---
history = [np.array(x, dtype=float)]
while len(history) <= steps:
    current = history[-1]
    gradient = f(current)
    history.append(current - lr * gradient)
return history
---
from itertools import accumulate

return list(accumulate(range(steps), lambda point, _: point - lr * f(point), initial=x))
---
def go(point, left):
    if left == 0:
        return [point]
    return [point] + go(point - lr * f(point), left - 1)

return go(x, steps)
---
trace = []
current = np.copy(x)
for k in range(steps + 1):
    trace.append(current.copy())
    g = np.asarray(f(current))
    current = current + (-lr) * g
return np.stack(trace)
---
def walk():
    here = x
    yield here
    for _ in range(steps):
        here = here - f(here) * lr
        yield here

return [*walk()]
""",
    "accuracy": """
return (scores.argmax(axis=1) == y).mean()
---
guesses = np.argmax(scores, axis=1)
right = np.sum(guesses == np.array(y))
return right / len(y)
---
hits = 0
for row, label in zip(scores, y):
    if np.argmax(row) == label:
        hits += 1
return hits / len(y)
---
correct = [int(s.argmax()) == int(t) for s, t in zip(scores, y)]
return sum(correct) / len(correct)
---
best = scores.max(1)
own = scores[np.arange(len(y)), y]
return float(np.mean(own >= best))
---
order = np.argsort(scores, axis=-1)
predicted = order[:, -1]
wrong = np.count_nonzero(predicted - y)
return 1 - wrong / scores.shape[0]
---
n = scores.shape[0]
count = 0
for i in range(n):
    prediction = list(scores[i]).index(max(scores[i]))
    count += prediction == y[i]
return count / n
""",
}

NAMES = [
    "a",
    "b",
    "c",
    "d",
    "g",
    "h",
    "k",
    "m",
    "q",
    "r",
    "s",
    "t",
    "u",
    "v",
    "w",
    "z",
    "val",
    "value",
    "vals",
    "values",
    "res",
    "result",
    "out",
    "output",
    "ans",
    "tmp",
    "temp",
    "arr",
    "vec",
    "mat",
    "acc",
    "total",
    "cur",
    "curr",
    "current",
    "prev",
    "new",
    "old",
    "item",
    "row",
    "col",
    "line",
    "entry",
    "num",
    "cnt",
    "count",
    "idx",
    "index",
    "pos",
    "size",
    "length",
    "shape",
    "dim",
    "height",
    "width",
    "top",
    "left",
    "mean_",
    "avg",
    "spread",
    "dev",
    "logits",
    "probs",
    "prob",
    "preds",
    "pred",
    "labels",
    "label",
    "loss",
    "losses",
    "grad",
    "step",
    "point",
    "points",
    "trace",
    "path",
    "hist",
    "history",
    "start",
    "first",
    "last",
    "data",
    "feats",
    "kern",
    "ker",
    "patch",
    "window",
    "block",
    "buf",
    "store",
    "held",
]
COMMENTS = " ".join(
    [
        "stable",
        "version",
        "|",
        "as",
        "in",
        "the",
        "lecture",
        "|",
        "see",
        "slide",
        "12",
        "|",
        "avoid",
        "overflow",
        "|",
        "one",
        "row",
        "at",
        "a",
        "time",
        "|",
        "numpy",
        "does",
        "the",
        "loop",
        "|",
        "shape",
        "(n,",
        "C)",
        "|",
        "TODO",
        "check",
        "|",
        "works",
        "|",
        "result",
        "|",
        "careful",
        "with",
        "the",
        "axis",
        "|",
        "copy",
        "first",
        "|",
        "all",
        "rows",
        "at",
        "once",
        "|",
        "go",
        "through",
        "the",
        "data",
        "|",
        "this",
        "is",
        "the",
        "sum",
        "|",
        "divide",
        "by",
        "n",
        "|",
        "final",
        "answer",
        "|",
        "same",
        "as",
        "before",
        "|",
        "output",
        "size",
        "|",
        "keep",
        "the",
        "dimensions",
        "|",
        "step",
        "|",
        "initialise",
        "|",
        "compute",
        "it",
        "|",
        "now",
        "the",
        "mean",
    ]
).split(" | ")


def renamed(source: str, random: Random, keep: Sequence[str] = ()) -> str:
    """The functions with other names for what they bind inside, parameters too."""
    tree = ast.parse(source)
    bound = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    inner = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)} - set(BODIES)
    old = sorted((bound | inner) - set(keep))
    free = [name for name in NAMES if not re.search(rf"\b{name}\b", source) and not hasattr(builtins, name)]
    for name, new in zip(old, random.sample(free, len(old)), strict=True):
        source = re.sub(rf"(?<![.\w]){name}\b(?!=[^=]|')", new, source)
    ast.parse(source)
    return source


def commented(source: str, random: Random, share: float) -> str:
    """The source with some comments before statements."""
    lines = []
    for line in source.split("\n"):
        if line.strip() and not line.startswith(("def", "#")) and random.random() < share:
            lines.append(re.match(r" *", line)[0] + "# " + random.choice(COMMENTS))
        lines.append(line)
    return "\n".join(lines)


def laid_out(source: str, random: Random) -> str:
    """The source in another layout: spaces, blank lines, docstrings."""
    if random.random() < 0.4:
        source = re.sub(r" ([-+*/]) ", r"\1", source)
    if random.random() < 0.4:
        source = re.sub(r", ", ",", source)
    if random.random() < 0.4:
        source = re.sub(r'\n    """.*?"""', "", source, flags=re.DOTALL)
    if random.random() < 0.4:
        source = source.replace("\n    return", "\n\n    return")
    return source


def function(name: str, body: str) -> str:
    """The stub's function with this body."""
    rest = next(functions[name] for functions in STUBS.values() if name in functions)
    return f"def {name}{rest}\n" + re.sub(r"^(?=.)", "    ", body, flags=re.MULTILINE)


class Hand(ast.NodeTransformer):
    """Writes code as one author would: of several spellings of an expression or a statement one, place by place."""

    METHODS = frozenset(("sum", "mean", "max", "argmax", "std", "argsort"))

    def __init__(self, random: Random) -> None:
        self.random, self.count = random, 0

    def tosses(self, share: float) -> bool:
        return self.random.random() < share

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """`x.sum(…)` and `np.sum(x, …)`, `axis=0` and `0`, also with `-1`."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr in self.METHODS:
            of_numpy = isinstance(node.func.value, ast.Name) and node.func.value.id == "np"
            if of_numpy and isinstance(node.args[0], ast.Name) and self.tosses(0.5):
                node.func.value, node.args = node.args[0], node.args[1:]
                of_numpy = False
            elif not of_numpy and self.tosses(0.5):
                node.args.insert(0, node.func.value)
                node.func.value, of_numpy = ast.Name("np", ast.Load()), True
            for keyword in node.keywords:
                if keyword.arg == "axis" and len(node.args) == of_numpy and self.tosses(0.3):
                    node.args.append(keyword.value)
                    node.keywords.remove(keyword)
                    break
        elif ast.unparse(node.func) in ("np.sqrt", "np.zeros_like", "np.copy") and self.tosses(0.4):
            (of, *_), kind = node.args, node.func.attr
            return {
                "sqrt": ast.BinOp(of, ast.Pow(), ast.Constant(0.5)),
                "zeros_like": ast.parse(f"np.zeros({ast.unparse(of)}.shape)", mode="eval").body,
                "copy": ast.parse(f"np.array({ast.unparse(of)})", mode="eval").body,
            }[kind]
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Factors and summands in either order."""
        self.generic_visit(node)
        plain = not any(isinstance(side, ast.List) for side in (node.left, node.right))
        if isinstance(node.op, ast.Mult) and plain and self.tosses(0.4):
            node.left, node.right = node.right, node.left
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Equals in either order."""
        self.generic_visit(node)
        if isinstance(node.ops[0], ast.Eq) and self.tosses(0.4):
            node.left, node.comparators = node.comparators[0], [node.left]
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """`a += b` and `a = a + b`."""
        self.generic_visit(node)
        if isinstance(node.target, ast.Name) and self.tosses(0.4):
            return ast.Assign(
                [node.target], ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value)
            )
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """`len(x)` for `x.shape[0]`."""
        self.generic_visit(node)
        if ast.unparse(node).endswith(".shape[0]") and self.tosses(0.4):
            return ast.Call(ast.Name("len", ast.Load()), [node.value.value], [])
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST | list[ast.AST]:
        """A result with or without a name."""
        self.generic_visit(node)
        if node.value is None or isinstance(node.value, ast.Name) or not self.tosses(0.5):
            return node
        return [*self.named(node, node.value), node]

    def visit_Assign(self, node: ast.Assign) -> ast.AST | list[ast.AST]:
        """Long expressions in one step or two."""
        self.generic_visit(node)
        value = node.value
        if (
            isinstance(value, ast.BinOp)
            and not isinstance(value.left, ast.Name | ast.Constant)
            and self.tosses(0.4)
        ):
            return [*self.named(value, value.left), node]
        if (
            isinstance(value, ast.Call)
            and value.args
            and isinstance(value.args[0], ast.BinOp)
            and self.tosses(0.5)
        ):
            self.count += 1
            step = ast.Assign([ast.Name(f"step_{self.count}", ast.Store())], value.args[0])
            value.args[0] = ast.Name(f"step_{self.count}", ast.Load())
            return [step, node]
        return node

    def named(self, parent: ast.AST, value: ast.expr) -> list[ast.AST]:
        """Give a part of a node a name of its own, in place."""
        self.count += 1
        name = f"step_{self.count}"
        for field, child in ast.iter_fields(parent):
            if child is value:
                setattr(parent, field, ast.Name(name, ast.Load()))
        return [ast.Assign([ast.Name(name, ast.Store())], value)]


EXTRAS = [
    "assert {p} is not None",
    "{p} = np.asarray({p})",
    "{p} = np.array({p}, dtype=float)",
    "if len({p}) == 0:\n        raise ValueError('empty')",
    "# print({p}.shape)",
]


def coded(cell: str, random: Random) -> str:
    """An answer to a code question as a student of one's own writes it."""
    functions = []
    own_names, comments = random.random() < 0.7, random.random() * 0.5
    for name in STUBS[cell]:
        body = random.choice(BODIES[name].strip().split("\n---\n"))
        parameters = re.findall(r"\w+", STUBS[cell][name].split("):")[0])
        tree = Hand(random).visit(ast.parse(function(name, body)))
        if random.random() < 0.3:
            tree.body[0].body[1:1] = ast.parse(
                random.choice(EXTRAS).format(p=parameters[0]).replace("    ", " ")
            ).body
        source = ast.unparse(ast.fix_missing_locations(tree))
        functions.append(renamed(source, random, parameters) if own_names else source)
    return laid_out(commented("\n\n\n".join(functions), random, comments), random)


# ---- explanations: ideas, each in several wordings, with alternatives in braces ---------------------------------

IDEAS = {
    "why-scale": """
{Features|Inputs|The columns} with {large|big|huge} values {dominate|swamp|outweigh} the {others|rest} in
  the {gradient|weight updates}.
{If|When} one {feature|column} is {measured in|of the order of} thousands and another in
  {fractions|decimals}, {only the first|mostly the former} {moves|changes} the weights.
{Without it|Otherwise} the {scale|unit} of a {feature|variable} {decides|determines} {how much|how
  strongly} it {counts|matters}, which {means nothing|is arbitrary}.
{The size|The magnitude} of an input {enters|multiplies} its weight's {gradient|derivative}, so
  {units|scales} {matter|leak in}.
---
The loss {surface|landscape} {becomes|gets} {rounder|less elongated}, so {a single|one} learning rate
  {fits|suits} all {directions|weights}.
{The Hessian|The curvature matrix} is {better conditioned|closer to the identity}, {hence|thus} gradient
  descent {needs fewer|takes less} steps.
{Long narrow valleys|Ravines} {make|let} the steps {zigzag|bounce}; {scaling|standardising}
  {removes|widens} them.
{We|You} {can|may} {use|take} {larger|bigger} {steps|learning rates} {since|because} {no direction|no
  axis} is {much|far} steeper than {others|another}.
---
{Activations|Units} {like|such as} {sigmoid|tanh} {saturate|go flat} {for|at} {large|extreme} inputs and
  {then|there} {learn nothing|have no gradient}.
{Around|Near} zero the {nonlinearities|activation functions} are {steep|sensitive}, so
  {signals|gradients} {pass|flow} {well|easily}.
{Initial weights|Standard initialisations} {assume|expect} inputs of {unit variance|variance one}.
{With|For} {inputs|values} far from zero {many|most} ReLUs {start|are} {dead|off} or {all on|linear}.
---
{Weight decay|An L2 penalty} {treats|punishes} all weights {alike|equally}, which is {only fair|sensible
  only} {on|with} {one|a common} scale.
{Mean and variance|The statistics} must {come from|be those of} the training {set|data}, {also|even}
  {for|on} test {pictures|samples}.
{It|Standardising} {costs|takes} {one pass|a single pass} over the data and {loses no information|can be
  undone}.
{Distances|Inner products} {between|of} samples {mean|say} {more|something} {once|after} each
  {axis|column} has {the same|equal} spread.
""",
    "why-overfit": """
The {network|model} {is overfitting|overfits}: it {memorises|learns by heart} the training
  {examples|samples} {instead of|rather than} {general rules|the pattern}.
{This|That} is {a sign of|typical of} too {much|great} {capacity|flexibility} {for|given} {so little|the
  amount of} data.
{It|The model} {begins|starts} to {fit|explain} the {noise|accidents} {in|of} the {sample|training set}.
{What|Whatever} {is|gets} learnt {late|at the end} {holds|is true} {only|just} for {those|the very}
  {pictures|points} it was {shown|trained on}.
---
{One can|We can} stop {early|training}, {at the epoch|when} the {validation|held-out} loss is
  {lowest|smallest}.
Early stopping {keeps|returns} the {weights|parameters} {from before|of the epoch before} the
  {curves|losses} {part|diverge}.
{Watch|Monitor} a validation {set|split} and {end|finish} {there|the run} {once|as soon as} it {gets
  worse|rises} {for|over} {a few|several} epochs.
{The bottom|The minimum} of the test curve {must not|should not} be {chosen|picked} {on|with} the test
  {set|data} {itself|though}.
---
{Dropout|Dropping units} {prevents|keeps} {neurons|units} from {relying on|adapting to} {each other|one
  another}.
Weight decay {pulls|shrinks} the {weights|parameters} {towards|to} zero, {so|and} the function
  {stays|remains} {smooth|simple}.
{Regularisation|A penalty on the weights} {trades|exchanges} {a little|some} {bias|training error} for
  {less|lower} variance.
{A smaller|A narrower} network {cannot|can't} {store|remember} {that many|so many} {special
  cases|exceptions}.
---
More data {helps|is best}, {or|also} {augmentation|augmented copies}: {shifts|crops}, {flips|mirrored
  pictures}, {noise|small rotations}.
{Flipping|Mirroring} and {cropping|shifting} {pictures|images} {gives|makes} {new|further}
  {samples|examples} {for free|at no cost}.
{Averaging|Combining} {several|a few} {networks|models} {cancels|reduces} {their|the}
  {variance|individual mistakes}.
{Label smoothing|Softer targets} {keeps|stops} it from {becoming|getting} {too sure|overconfident},
  {which|something that} the loss {punishes|shows} {first|most}.
""",
}


OWN = """
In {our|my} run {the loss|it} {was|went down to} {0.|1.}{12|31|44|57|68|73|85|96} after {3|4|6|7|9|11|14|20} epochs.
{I|We} {tried|saw} this {in|with} the {lab|tutorial|second assignment|MLP|CNN}: {about|roughly} {2|3|5|8|12} %
  difference.
{Think of|Take} {age and income|metres and kilometres|pixels from 0 to 255|house prices|weights in grams}{,
  for instance|}.
{See|Compare} {slide|page|figure} {3|7|12|19|24|31} of the {lecture|notes|book}{, where this is derived|}.
{In short|To sum up|All in all}, {it is about|what counts is} {stability|speed|variance|generalisation|fairness}.
{This|The effect} is {strongest|most visible} {for|with} {small|tiny|deep|wide} {batches|networks|data sets}.
{My|Our} {first|second|last} {guess|attempt} {was|had been} {wrong|different}: {the seed|a bug|the rate} {misled|fooled}
  me.
"""
LINKS = "|First, |Also, |Moreover, |I think |In other words: |Besides, |As we saw, |Then |Secondly, |So |Hence |And "
SYNONYMS = """
learning=training=fitting network=model=net weights=parameters so=therefore=hence because=since=as
large=big=high small=little=tiny samples=examples=points pictures=images gradient=slope steps=updates loss=error=cost
data=dataset features=inputs=variables gets=becomes stays=remains keeps=holds further=additional less=smaller
more=additional makes=renders helps=works use=choose must=should needs=wants also=too means=implies can=could
"""


def worded(text: str, random: Random) -> str:
    """The text with one alternative of each pair of braces, and words of the author's own."""
    text = re.sub(r"\{([^{}]*)\}", lambda m: random.choice(m[1].split("|")), " ".join(text.split()))
    groups = [group.split("=") for group in SYNONYMS.split()]
    own = {word: random.choice(group) for group in groups for word in group if random.random() < 0.8}
    return " ".join(own.get(word, word) for word in text.split(" "))


def written(question: str, random: Random) -> str:
    """An answer to a written question: ideas in some order, in a wording or two each, and thoughts of one's own."""
    ideas = []
    for idea in IDEAS[question].strip().split("\n---\n"):
        wordings = re.split(r"\n(?! )", idea)
        ideas += [random.sample(wordings, random.choice((1, 1, 2)))]
    random.shuffle(ideas)
    said = [sentence for idea in ideas[: random.choice((3, 4))] for sentence in idea]
    for own in random.sample(re.split(r"\n(?! )", OWN.strip()), random.choice((1, 2, 3))):
        said.insert(random.randrange(len(said) + 1), own)
    links = LINKS.split("|")
    return " ".join(random.choice(links) * (random.random() < 0.4) + worded(one, random) for one in said)


def honest(random: Random) -> dict[str, str]:
    """One student's answers."""
    return {cell: coded(cell, random) for cell in STUBS} | {text: written(text, random) for text in TEXTS}


# ---- copies: an honest student's answers, some of them another's with changes --------------------------------------


def reordered(source: str, random: Random) -> str:
    """The functions in another order, and neighbouring statements swapped where neither uses the other's names."""
    tree = ast.parse(source)
    tree.body.reverse()
    for node in ast.walk(tree):
        for statements in (getattr(node, "body", None),):
            for i in range(len(statements) - 1 if isinstance(statements, list) else 0):
                if independent(*statements[i : i + 2]):
                    statements[i], statements[i + 1] = statements[i + 1], statements[i]
    return ast.unparse(tree)


def independent(a: ast.stmt, b: ast.stmt) -> bool:
    """Whether two assignments may change places."""
    if not (isinstance(a, ast.Assign) and isinstance(b, ast.Assign)):
        return False
    stores, uses = [], []
    for each in (a, b):
        names = [node for node in ast.walk(each) if isinstance(node, ast.Name)]
        stores.append({node.id for node in names if isinstance(node.ctx, ast.Store)})
        uses.append({node.id for node in names})
    return stores[0].isdisjoint(uses[1]) and stores[1].isdisjoint(uses[0])


def retold(text: str, random: Random) -> str:
    """The same text, lightly: sentences in another order, about one word in eight another one."""
    sentences = re.findall(r"[^.]+\.", text)
    sentences[1:3] = sentences[1:3][::-1]
    words = " ".join(sentence.strip() for sentence in sentences).split(" ")
    for i in range(random.randrange(8), len(words), 8):
        words[i] = random.choice(("basically", "usually", "actually", "really", "clearly", "often", "always"))
    return " ".join(words)


Copy = Callable[[dict[str, str], dict[str, str], Random], dict[str, str]]


def from_other(cells: Sequence[str], touch: Callable[[str, Random], str]) -> Copy:
    """A copy of these answers, touched up; the others are the copier's own."""
    return lambda own, other, random: own | {cell: touch(other[cell], random) for cell in cells}


def disguised(source: str, random: Random) -> str:
    return laid_out(commented(renamed(reordered(source, random), random), random, 0.5), random)


def recommented(source: str, random: Random) -> str:
    return laid_out(commented(ast.unparse(ast.parse(source)), random, 0.7), random)


COPIES: dict[str, Copy] = {
    "renamed": from_other(list(STUBS), renamed),
    "reordered": from_other(list(STUBS), reordered),
    "commented": from_other(list(STUBS), recommented),
    "disguised": from_other(["layers", "training"], disguised),
    "retold": from_other(["why-overfit"], retold),
    "mixed": lambda own, other, random: (
        own | {"losses": renamed(other["losses"], random), "why-scale": retold(other["why-scale"], random)}
    ),
}


def write_class(
    root: Path, seed: int, students: int = 40, copies: Sequence[str] = tuple(COPIES)
) -> dict[str, str]:
    """Hand in for so many honest students, and for one more per kind of copy; who copied from whom."""
    random = Random(seed)
    answers = {f"s{number:02}": honest(random) for number in range(students)}
    models = random.sample(sorted(answers), len(copies))
    copied = {}
    for kind, model in zip(copies, models, strict=True):
        answers[f"copy-{kind}"] = COPIES[kind](honest(random), answers[model], random)
        copied[f"copy-{kind}"] = model
    for student, own in answers.items():
        hand_in(root, student, own)
    return copied


def hand_in(root: Path, student: str, answers: Mapping[str, str], assignment: str = ALIKE) -> None:
    """Put the release with these answers where intake puts it."""
    (path,) = (root / "release" / assignment).glob("*.ipynb")
    nb = nbformat.read(path, as_version=4)
    for cell in nb.cells:
        cell.source = answers.get(cell.metadata.get("nbgrader", {}).get("grade_id", cell.id), cell.source)
    target = root / "submitted" / student / assignment / path.name
    target.parent.mkdir(parents=True)
    nbformat.write(nb, target)


# ---- the project's own Assignment 2, answered from the many right answers its tests have -----------------------

ASSIGNMENT2 = "cs480-a2"
question1, question2, question3 = (load(A2, f"judging.cs480_a2.answers.question{i}") for i in (1, 2, 3))
RIGHT = {
    "q1_3-functions": question1.RIGHT_FUNCTIONS,
    "q2_2-backward": question2.RIGHT_CODE,
    "q3_1-mlp": question3.RIGHT_MLP,
    "q3_1-train": question3.RIGHT_TRAIN,
    "q3_2-cnn": question3.RIGHT_CNN,
}
TOUCHES = {"renamed": renamed, "reordered": reordered, "commented": recommented}


def write_assignment2(root: Path, seed: int, students: int = 22) -> dict[str, str]:
    """A course folder with a class for Assignment 2, and three copies of all code in it; who copied from whom.

    No answer is given to two honest students. Where there are fewer answers than students, some have none.
    """
    for folder in ("source", "release"):
        shutil.copytree(ROOT / folder / ASSIGNMENT2, root / folder / ASSIGNMENT2)
    shutil.copy(ROOT / CONFIG, root)
    random = Random(seed)
    answers = {f"s{number:02}": {"q3_3-why": written("why-overfit", random)} for number in range(students)}
    for cell, right in RIGHT.items():
        sources = [source for source in right.values() if source][:students]
        for student, source in zip(random.sample(sorted(answers), len(sources)), sources, strict=True):
            answers[student][cell] = commented(source, random, random.random() / 2)
    copied = dict(zip(TOUCHES, random.sample(sorted(answers), len(TOUCHES)), strict=True))
    for kind, model in copied.items():
        code = {cell: TOUCHES[kind](answers[model][cell], random) for cell in RIGHT if cell in answers[model]}
        answers[f"copy-{kind}"] = code | {"q3_3-why": written("why-overfit", random)}
    for student, own in answers.items():
        hand_in(root, student, own, ASSIGNMENT2)
    return {f"copy-{kind}": model for kind, model in copied.items()}
