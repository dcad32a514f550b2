"""A class graded by an existing Dask cluster, and what is said when there is none that can."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster
from tiny_course import DOUBLES, PLAIN, RIGHT, SQUARE, filled, submit, type_command

from chainrule.course import CourseError, CourseFolder
from chainrule.grading import cluster as cluster_module
from chainrule.grading.classroom import grade, scores
from chainrule.grading.cluster import Cluster

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
ANSWERS = {f"s{n}": f"{RIGHT if n % 2 else DOUBLES}\n# {n}" for n in range(6)}
SCORES = {student: 2.0 if answer.startswith(RIGHT) else 0.0 for student, answer in ANSWERS.items()}


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two worker processes, one of which offers a GPU."""
    with LocalCluster(
        n_workers=2, threads_per_worker=2, processes=True, dashboard_address=":0", resources={"GPU": 1}
    ) as running:
        yield running


def class_of(course: Path) -> CourseFolder:
    for student, answer in ANSWERS.items():
        submit(course, student, filled(course, {SQUARE: answer}, PLAIN), PLAIN)
    return CourseFolder(course)


def totals(folder: CourseFolder) -> dict[str, float | None]:
    return {student: scores(folder, PLAIN, student)["square-asserts"] for student in ANSWERS}


def test_a_cluster_grades_a_class_and_a_lost_worker_costs_nobody_anything(
    course: Path, cluster: LocalCluster
) -> None:
    folder, said = class_of(course), list[str]()

    def accident() -> None:
        while not any(line.startswith("1/6 ") for line in said):
            time.sleep(0.05)
        with Client(cluster.scheduler_address, set_as_default=False) as client:
            pids = client.run(os.getpid)
        os.kill(next(iter(pids.values())), signal.SIGKILL)

    vandal = threading.Thread(target=accident)
    vandal.start()
    report = grade(folder, PLAIN, cluster=cluster.scheduler_address, gpu=True, say=said.append)
    vandal.join()
    assert totals(folder) == SCORES
    assert not any(student.internal_error for student in report.students)
    assert sum(line.startswith("cluster: worker tcp://") for line in said) == 1
    assert said[-1].startswith("6/6 ")
    said.clear()
    grade(folder, PLAIN, cluster=cluster.scheduler_address, gpu=True, say=said.append)
    assert said == ["6 of 6 notebooks were finished before and are not run again"]


@pytest.mark.parametrize(
    ("address", "says"),
    {
        "nobody there": ("tcp://127.0.0.1:9", "no Dask scheduler answers at tcp://127.0.0.1:9 ("),
        "no address": ("here", "no Dask scheduler answers at here ("),
        "no protocol": ("ftp://here:1", "no Dask scheduler answers at ftp://here:1 ("),
    }.values(),
)
def test_a_scheduler_that_is_not_there_is_told_in_one_line(course: Path, address: str, says: str) -> None:
    class_of(course)
    said = type_command(course, "chainrule", "grade", PLAIN, "--cluster", address, code=2)
    assert said.startswith(f"chainrule: {says}")
    assert said.count("\n") == 1


def refusal(folder: CourseFolder, address: str, **options: Any) -> str:
    with pytest.raises(CourseError) as caught, Cluster(address, folder.root, **options):
        pass
    return str(caught.value)


def test_workers_that_cannot_do_the_same_are_refused(
    course: Path, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = CourseFolder(course), cluster.scheduler_address
    ours = cluster_module.versions()
    monkeypatch.setattr(cluster_module, "versions", lambda: {**ours, "torch": "9.9"})
    said = refusal(folder, address)
    assert said.startswith("worker tcp://")
    assert f"has torch {ours['torch']}, this machine 9.9: install the same versions on both" in said
    monkeypatch.undo()
    monkeypatch.setattr(cluster_module, "our_code", lambda: "other")
    assert "has chainrule " in refusal(folder, address)
    monkeypatch.undo()
    monkeypatch.setattr(Path, "write_text", lambda *_: 0)  # what is written here is not seen there
    monkeypatch.setattr(Path, "unlink", lambda *_: None)
    said = refusal(folder, address)
    assert f"does not see the course folder {folder.root}: a cluster needs it on a shared file system" in said


def test_a_cluster_without_gpus_or_workers_is_refused(course: Path) -> None:
    folder = CourseFolder(course)
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as plain:
        assert "offers a GPU: start them with `dask worker" in refusal(
            folder, plain.scheduler_address, gpu=True
        )


def test_no_workers(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 2)
    with LocalCluster(n_workers=0, dashboard_address=":0") as empty:
        assert "has no workers: start some" in refusal(CourseFolder(course), empty.scheduler_address)


def test_a_scheduler_that_goes_away_is_told_and_what_is_finished_is_kept(course: Path) -> None:
    folder, said = class_of(course), list[str]()
    running = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0")
    stopping = threading.Thread(target=running.close)

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("1/6"):
            stopping.start()

    with pytest.raises(CourseError, match="is gone; finished notebooks are kept: run the same command again"):
        grade(folder, PLAIN, cluster=running.scheduler_address, say=say)
    stopping.join()
    assert list((course / "runs" / PLAIN).glob("*.ipynb"))
