"""What a GPU changes: verdicts, accuracies, seconds per student, rounding. Prints progress; meant to end in 8 minutes.

python bench/gpu.py
python bench/gpu.py --rehearse             # on the CPU, small, in place of a GPU; nothing is recorded
python bench/gpu.py --parts rounding seeds

The reference solutions of both assignments are graded in the full profile with `--gpu` and without, and must get the
same points; their networks are trained with five seeds; several workers share the card; what the card's float32 and
TF32 round, and what differs from run to run, is compared with the tolerance of the checks. It exits with 1 if points
differ, an accuracy is below its bar, a worker in the sandbox sees no GPU, or PyTorch's float32 on the card is outside
the tolerance.

A rehearsal does all of it on the CPU: TF32 is pretended by rounding what is multiplied, and every network runs on the
device "meta", where a tensor that was left on the CPU is an error.
"""

from __future__ import annotations

import argparse
import inspect
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import nbformat
import torch
from nbformat.v4 import new_code_cell
from one_student import hand_in
from results import ROOT, Row, record
from right_notebooks import course_in
from torch import nn
from torch.overrides import TorchFunctionMode

from chainrule.course import CourseFolder
from chainrule.datasets.fashion_mnist import Profile
from chainrule.grading.classroom import scores
from chainrule.grading.sandbox import confinement
from chainrule.lesson.checks import Expectation

A2, HW2 = "cs480-a2", "csc6022-hw2"
PARTS = ("rounding", "seeds", "verdicts", "sharing")
TELLS = (  # what a student's cell sees of the GPU, in the sandbox
    "import json, torch\n"
    "seen = torch.cuda.is_available()\n"
    "there = torch.ones(64, 64, device='cuda' if seen else 'cpu')\n"
    "name = torch.cuda.get_device_name() if seen else ''\n"
    "print('DEVICE', json.dumps({'gpu': name, 'sum': float((there @ there).sum())}))"
)
STEPS, RATE = 20, 0.05
BY_DEFAULT = "as PyTorch has it"  # convolutions in TF32, products without


@dataclass(frozen=True)
class Size:
    """How much is done.

    Attributes:
        device: PyTorch's name of what is measured.
        workers: of each class in the part "sharing".
    """

    device: str
    profile: Profile
    seeds: int
    students: int
    workers: Sequence[int]


FULL = Size("cuda", "full", 5, 8, (1, 2, 4, 8))
REHEARSAL = Size("cpu", "quick", 1, 2, (1, 2))


def say(text: str) -> None:
    print(f"{time.monotonic() - BEGAN:5.0f} s  {text}", flush=True)


BEGAN = time.monotonic()


# ---- what rounds -------------------------------------------------------------------------------------------


def deviations(
    make: Callable[[], nn.Module], x: torch.Tensor, y: torch.Tensor, device: str
) -> dict[str, float]:
    """By how much a network's outputs, gradients and trained weights differ, as shares of the largest value.

    Args:
        make: makes the network.
        x, y: float32 inputs and int64 labels.
    """
    torch.manual_seed(0)
    start = make()

    def results(place: str, dtype: torch.dtype) -> list[list[torch.Tensor]]:
        model = make().to(place, dtype)
        model.load_state_dict(start.state_dict())
        model.eval()  # a mask of dropout is drawn differently on each device
        inputs, labels = x.to(place, dtype), y.to(place)
        outputs = model(inputs)
        nn.functional.cross_entropy(outputs, labels).backward()
        gradients = [p.grad.detach().clone() for p in model.parameters() if p.grad is not None]
        for _ in range(STEPS):
            model.zero_grad()
            nn.functional.cross_entropy(model(inputs), labels).backward()
            with torch.no_grad():
                for p in model.parameters():
                    if p.grad is not None:
                        p.sub_(p.grad, alpha=RATE)
        found = ([outputs.detach()], gradients, [p.detach() for p in model.parameters()])
        return [[one.double().cpu() for one in part] for part in found]

    exact, plain = results("cpu", torch.float64), results(device, torch.float32)
    again = results(device, torch.float32)
    with tf32(device, False):
        without = results(device, torch.float32)
    with tf32(device, True):
        rounded = results(device, torch.float32)
    found = {}
    compared = {
        BY_DEFAULT: (plain, exact),
        "without TF32": (without, exact),
        "with TF32": (rounded, exact),
        "a second run": (again, plain),
    }
    for name, (got, of) in compared.items():
        for part, what in enumerate(("outputs", "gradients", f"weights after {STEPS} steps")):
            pairs = zip(got[part], of[part], strict=True)
            found[f"{name}: {what}"] = max(
                float((a - b).abs().max() / b.abs().max().clamp_min(1e-300)) for a, b in pairs
            )
    return found


def deviation(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max().clamp_min(1e-300))


class PretendedTF32(TorchFunctionMode):
    """Rounds what is multiplied forwards, as TF32 does."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in MULTIPLY:
            args = *map(coarse, args[:2]), *args[2:]
        return func(*args, **(kwargs or {}))


MULTIPLY = (
    nn.functional.linear,
    nn.functional.conv2d,
    torch.matmul,
    torch.Tensor.matmul,
    torch.Tensor.__matmul__,
)


def coarse(x: torch.Tensor) -> torch.Tensor:
    return x + (ten_bits(x.detach()) - x.detach())  # gradients pass


def ten_bits(x: torch.Tensor) -> torch.Tensor:
    """float32 with ten bits of its mantissa, rounded to the nearest.

    >>> ten_bits(torch.tensor([1 + 2**-10, 1 + 2**-12])).tolist()
    [1.0009765625, 1.0]
    """
    return ((x.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)


@contextmanager
def tf32(device: str, wanted: bool) -> Iterator[None]:
    """Whether the card multiplies in TF32; on the CPU it is pretended."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = wanted
    try:
        with PretendedTF32() if wanted and device == "cpu" else nullcontext():
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def runs_on_meta(make: Callable[[], nn.Module], x: torch.Tensor, y: torch.Tensor) -> None:
    """Run a network forwards and backwards where no values are; raises if it makes a tensor elsewhere."""
    outputs = make().to("meta")(x.to("meta"))
    nn.functional.cross_entropy(outputs, y.to("meta")).backward()


# ---- one assignment in a process of its own: both have modules of the same names ----------------------------------


def a2_names(profile: Profile) -> dict[str, Any]:
    from chainrule.datasets.fashion_mnist import prepare
    from judging.cs480_a2.reference_run import question3

    root = ROOT / "data" / profile
    say(f"{A2}: Fashion-MNIST is {prepare(root, profile)}")
    return question3(root)


def a2_networks() -> dict[str, tuple[Callable[[], nn.Module], torch.Tensor]]:
    names = a2_names("quick")
    return {name: (names[name], torch.randn(64, 1, 28, 28)) for name in ("MLP", "CNN")}


def a2_seed(profile: Profile, seed: int) -> dict[str, tuple[float, float]]:
    """The accuracy and the bar of each trained network."""
    from checks.question3 import threshold  # type: ignore[import-not-found]
    from judging.cs480_a2.calibrate import skip_training_set, train

    names = a2_names(profile)
    skip_training_set(names)
    test = names["test_loader"].dataset
    return {
        network: (train(names, network, seed)[-1], threshold(network, test)) for network in ("MLP", "CNN")
    }


def hw2_names(profile: Profile) -> tuple[dict[str, str], dict[str, Any], Path, Path]:
    from chainrule.datasets import cifar_10
    from judging.csc6022_hw2.calibrate_p6_2 import notebook

    root, held_out = ROOT / "data" / profile, ROOT / "data" / "held-out"
    say(f"{HW2}: CIFAR-10 is {cifar_10.prepare(root, profile, held_out=held_out)}")
    return *notebook(root, "pytorch"), root, held_out


def hw2_networks() -> dict[str, tuple[Callable[[], nn.Module], torch.Tensor]]:
    _, names, *_ = hw2_names("quick")
    x, sizes = torch.randn(16, 3, 32, 32), (3, 32, 16, 10)
    return {
        "the module of 6.2": (lambda: names["ThreeLayerConvNet"](*sizes), x),
        "the sequence of 6.2": (lambda: names["sequential_net"](*sizes), x),
    }


def hw2_seed(profile: Profile, seed: int) -> dict[str, tuple[float, float]]:
    from chainrule.datasets import cifar_10
    from chainrule.datasets.origins import STAND_IN
    from chainrule.lesson.student import Student
    from chainrule.lesson.verbs import Worker
    from judging.csc6022_hw2 import calibrate_p6_2 as p6_2
    from judging.csc6022_hw2 import calibrate_p7 as p7

    cells, names, root, held_out = hw2_names(profile)
    data = cifar_10.complete(root, profile, held_out)
    assert data is not None  # just prepared
    test = [torch.from_numpy(part) for part in data.batches[cifar_10.TEST]]
    kind = "stand-in" if data.origin == STAND_IN else profile
    bars, found = p6_2.thresholds_in_use(cells, kind), {}
    student = Student(Worker(names).serve)
    for network, run in p6_2.RUNS.items():
        torch.manual_seed(seed)
        with redirect_stdout(StringIO()):
            exec(cells[run], names)
        found[network] = p6_2.accuracy(student, p6_2.NETWORKS[network], *test), bars[network]
    names = p7.names_of_notebooks()
    return found | {
        title: (measure(names, seed), p7.THRESHOLDS[title]) for title, measure in p7.MEASURED.items()
    }


OF = {A2: (a2_networks, a2_seed), HW2: (hw2_networks, hw2_seed)}


def alone(assignment: str, *words: str) -> Any:
    """What this script prints as its last line when it works for one assignment in a process of its own."""
    paths = [ROOT, ROOT / "bench", ROOT / "source" / assignment]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--alone", assignment, *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def work_alone(assignment: str, part: str, device: str, profile: Profile, seed: int) -> None:
    networks, one_seed = OF[assignment]
    if part == "seeds":
        print(json.dumps(one_seed(profile, seed)))
        return
    found = {}
    for name, (make, x) in networks().items():
        y = torch.randint(0, 10, (len(x),), generator=torch.Generator().manual_seed(1))
        runs_on_meta(make, x, y)
        found[name] = deviations(make, x, y, device)
    print(json.dumps(found))


# ---- the parts ---------------------------------------------------------------------------------------------


def rounding(size: Size) -> tuple[list[Row], str, list[str]]:
    rtol = float(inspect.signature(Expectation.close_to).parameters["rtol"].default)
    rows: list[Row] = []
    missed = []
    for assignment in OF:
        for network, found in alone(assignment, "rounding", size.device).items():
            say(f"{network}: {', '.join(f'{name} {share:.0e}' for name, share in found.items())}")
            for name, share in found.items():
                of_rtol = f"{share / rtol:.3f}"
                rows.append(
                    {
                        "network": network,
                        "what": name,
                        "deviation": f"{share:.1e}",
                        "of the tolerance": of_rtol,
                    }
                )
                if share > rtol and name in (f"{BY_DEFAULT}: outputs", f"{BY_DEFAULT}: gradients"):
                    missed.append(f"{network}, {name}")
    note = (
        f"The largest deviation as a share of the largest value; the tolerance of the checks is {rtol:g}. float32 on "
        f"{size.device} against float64 on the CPU; a second run against the first."
    )
    return rows, note, missed


def seeds(size: Size) -> tuple[list[Row], str, list[str]]:
    wishes = [(assignment, seed) for seed in range(size.seeds) for assignment in OF]
    found: dict[str, list[tuple[float, float]]] = {}

    def one(wish: tuple[str, int]) -> None:
        assignment, seed = wish
        outcome = alone(assignment, "seeds", size.device, size.profile, str(seed))
        say(
            f"{assignment}, seed {seed}: {', '.join(f'{name} {value:.4f}' for name, (value, _) in outcome.items())}"
        )
        for name, pair in outcome.items():
            found.setdefault(name, []).append(pair)

    with ThreadPoolExecutor(max(1, min(len(wishes), (os.cpu_count() or 1) // 2))) as pool:
        list(pool.map(one, wishes))
    rows: list[Row] = []
    missed = []
    for name, pairs in found.items():
        values, bar = [value for value, _ in pairs], pairs[0][1]
        sd = statistics.stdev(values) if len(values) > 1 else math.nan
        rows.append(
            {
                "network": name,
                "seeds": len(values),
                "mean": f"{statistics.mean(values):.4f}",
                "sd": f"{sd:.4f}",
                "lowest": f"{min(values):.4f}",
                "bar": f"{bar:.4f}",
            }
        )
        missed += [f"{name} is below its bar" for _ in [0] if min(values) < bar]
    return (
        rows,
        f"Accuracies after the reference's own training on {size.device}, {size.profile} profile.",
        missed,
    )


def verdicts(size: Size) -> tuple[list[Row], str, list[str]]:
    rows: list[Row] = []
    missed = []
    note = ""
    with tempfile.TemporaryDirectory(prefix="gpu-") as folder:
        for assignment in OF:
            course = course_in(Path(folder, assignment), assignment)
            hand_in(course, assignment, blank=False)
            for path in course.folder("submitted", "student", assignment).glob("*.ipynb"):
                nb = nbformat.read(path, as_version=4)
                nb.cells.append(new_code_cell(TELLS))
                nbformat.write(nb, path)
            points, took = {}, {}
            for where, words in (("CPU", []), ("GPU", ["--gpu"])):
                took[where], said = graded(course, assignment, size, min(9, os.cpu_count() or 1), *words)
                points[where] = scores(course, assignment, "student")
                say(f"{assignment} on the {where}: {took[where]:.0f} s")
                note = note or "; ".join(re.findall(r"^data: (.+)$", said, re.MULTILINE))
            told = devices_told(course, assignment)
            different = [item for item in points["CPU"] if points["CPU"][item] != points["GPU"].get(item)]
            missed += [f"{assignment}: other points on the GPU for {', '.join(different)}"] * bool(different)
            if size.device == "cuda" and not all(told):
                missed.append(f"{assignment}: a notebook in the sandbox saw no GPU")
            rows.append(
                {
                    "assignment": assignment,
                    "notebooks": len(told),
                    "see a GPU": sum(map(bool, told)),
                    "items": len(points["CPU"]),
                    "other points on the GPU": len(different),
                    "CPU, seconds": f"{took['CPU']:.0f}",
                    "GPU, seconds": f"{took['GPU']:.0f}",
                }
            )
    data = f" Data: {note}." if note else ""
    return rows, f"The reference solutions, {size.profile} profile, sandbox: {confinement()}.{data}", missed


def devices_told(course: CourseFolder, assignment: str) -> list[str]:
    """The GPU that each notebook of the reference saw in the sandbox; "" for none."""
    found = []
    for path in sorted(course.folder("autograded", "student", assignment).glob("*.ipynb")):
        printed = "".join(
            str(output.get("text", ""))
            for cell in nbformat.read(path, as_version=4).cells
            for output in cell.get("outputs", [])
        )
        told = re.search(r"^DEVICE (\{.*\})$", printed, re.MULTILINE)
        if told is None:
            raise SystemExit(f"{path.name} did not run to its end")
        about = json.loads(told[1])
        assert about["sum"] == 64.0**3
        found.append(about["gpu"])
    return found


def graded(course: CourseFolder, assignment: str, size: Size, jobs: int, *words: str) -> tuple[float, str]:
    """Seconds that `chainrule grade` takes, with nothing graded before, and what it said."""
    shutil.rmtree(course.root / "runs", ignore_errors=True)
    command = ["chainrule", "grade", assignment, "--profile", size.profile, "--jobs", str(jobs), *words]
    began = time.monotonic()
    done = subprocess.run(command, cwd=course.root, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return time.monotonic() - began, done.stdout


def sharing(size: Size) -> tuple[list[Row], str, list[str]]:
    quick = Size(size.device, "quick", 0, size.students, size.workers)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="gpu-") as folder:
        course = course_in(Path(folder), A2)
        students = [f"student{number}" for number in range(size.students)]
        for student in students:
            hand_in(course, A2, blank=False, student=student)
            path = course.folder("submitted", student, A2) / "assignment2.ipynb"
            nb = nbformat.read(path, as_version=4)
            nb.cells.append(new_code_cell(f"{student!r}"))
            nbformat.write(nb, path)
        found: list[Mapping[str, object]] = []
        for workers in size.workers:
            took, _ = graded(course, A2, quick, workers, "--gpu")
            found.append({student: scores(course, A2, student) for student in students})
            rows.append(
                {
                    "workers": workers,
                    "seconds": f"{took:.1f}",
                    "seconds per student": f"{took / len(students):.1f}",
                }
            )
            say(f"{workers} workers: {took:.1f} s")
    missed = ["points depend on how many share the card"] * any(one != found[0] for one in found)
    note = (
        f"{size.students} hand-ins of Assignment 2, quick profile, `--gpu`, start-up and recording included."
    )
    return rows, note, missed


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rehearse", action="store_true", help="on the CPU, small; nothing is recorded")
    options.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    options.add_argument(
        "--minutes", type=float, default=8.0, help="a part that would begin later is left out"
    )
    options.add_argument("--alone", nargs="+", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.alone:
        assignment, part, device, *more = chosen.alone
        work_alone(
            assignment, part, device, "full" if "full" in more else "quick", int(more[1]) if more[1:] else 0
        )
        return 0
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ["OMP_NUM_THREADS"] = "1"
    size = REHEARSAL if chosen.rehearse else FULL
    if size.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no GPU is seen here: --rehearse does the same on the CPU, small")
    load, missed, left_out = os.getloadavg()[0], [], []
    for part in chosen.parts:
        if time.monotonic() - BEGAN > 60 * chosen.minutes and not chosen.rehearse:
            left_out.append(part)
            continue
        say(f"— {part}")
        rows, note, wrong = {"rounding": rounding, "seeds": seeds, "verdicts": verdicts, "sharing": sharing}[
            part
        ](size)
        missed += wrong
        for row in rows:
            print("       ", *row.values(), sep="  ")
        if not chosen.rehearse:
            record(f"GPU, {part}", rows, f"{note} Load of the machine before: {load:.1f}.")
    say(f"left out, as {chosen.minutes:g} minutes had passed: {', '.join(left_out)}" if left_out else "done")
    for one in missed:
        print(f"missed: {one}")
    return bool(missed or left_out)


if __name__ == "__main__":
    raise SystemExit(main())
