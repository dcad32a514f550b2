"""Two commands that write into one gradebook."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from sums_course import FB1, hand_in, write

from chainrule.one_writer import one_writer


def test_two_gradings_of_one_course_wait_for_each_other(tmp_path: Path) -> None:
    course = write(tmp_path)
    for student in ("ann", "bo", "cy"):
        hand_in(course, student)
    command = ["chainrule", "grade", FB1, "--jobs", "1"]
    started = [
        subprocess.Popen(command, cwd=course, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert sum("another command is writing into this course's gradebook" in text for text in said) == 1
    assert "Traceback" not in "".join(said)


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from chainrule.one_writer import one_writer\n"
        "with one_writer(Path('.')): print('locked', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "locked\n"
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        os.kill(holder.pid, signal.SIGKILL)

    with one_writer(tmp_path, say):
        assert said == ["another command is writing into this course's gradebook: waiting until it has ended"]
    holder.wait()
    with one_writer(tmp_path, say):
        assert len(said) == 1
