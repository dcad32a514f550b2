"""What is wrong with the values of a course's options: `chainrule doctor` says it in a sentence and exits with 1."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from command_line import Typed
from tiny_course import ROOT

from chainrule.course import CONFIG, CourseFolder
from chainrule.doctor import course_findings

WRONG = {
    'c.Course.late = "10%"': "c.Course.late in nbgrader_config.py is '10%': write {'hw1': 'zero'}",
    'c.Course.late = {"tiny": "10%"}': "c.Course.late['tiny'] in nbgrader_config.py: '10%' is no rule",
    'c.Course.late = {"hw9": "zero"}': "names 'hw9', which has no notebooks in source/",
    'c.Course.due = {"hw9": "2026-10-01 12:00 Europe/Paris"}': "names 'hw9', which has no notebooks in source/",
    'c.Course.due = {"tiny": "2026-10-01 12:00"}': "write 'YYYY-MM-DD HH:MM Area/City'",
    'c.Course.due = {"tiny": "2026-10-01 12:00 Europe/Nowhere"}': "write 'YYYY-MM-DD HH:MM Area/City'",
    'c.Course.due = {"tiny": "2026-13-01 12:00 Europe/Paris"}': "write 'YYYY-MM-DD HH:MM Area/City'",
    'c.Course.due = {"tiny": 5}': "c.Course.due in nbgrader_config.py is {'tiny': 5}: write",
    'c.Course.due = "2026-10-01"': "c.Course.due in nbgrader_config.py is '2026-10-01': write",
    'c.Course.generative_ai = {"hw9": "None."}': "names 'hw9', which has no notebooks in source/",
    'c.Course.generative_ai = {"tiny": True}': "c.Course.generative_ai in nbgrader_config.py is {'tiny': True}: write",
    "c.Course.dua = {}": "is no option: did you mean due?",
    'c.Course.handin = {"tiny": "a.pdf"}': "write {'hw1': ['{last}_{first}_hw1.ipynb']}",
    'c.Course.handin = {"tiny": ["{surname}.pdf"]}': "has '{surname}'; only {last} and {first}",
    'c.Course.handin = {"tiny": ["a.docx"]}': "a.docx cannot be made",
    'c.Course.data = {"tiny": ["mnist"]}': "unknown data set mnist",
    'c.Course.data = {"tiny": "cifar-10"}': "write {'hw1': ['fashion-mnist']}",
    'c.Course.datasets = {"mine": "nothere"}': "cannot be imported",
    'c.Course.variants = {"tiny": "draw"}': "write 'module:function'",
    'c.Course.variants = {"tiny": "nothere:draw"}': "nothere cannot be imported",
    'c.Course.variants = {"tiny": "json:draw"}': "json has no function draw",
    'c.Course.judging = "nothere"': "neither the course folder nor this Python has such a package",
    'c.Course.judging = "a.b"': "write the name of one package of your own",
    'c.Course.preload = ["nothere"]': "which this Python cannot import",
    'c.Course.roster = "nothere.csv"': "cannot be read",
    f'c.Course.data_folder = "{CONFIG}"': "which is a file",
    'c.Run.profile = "fast"': "'quick', 'full'",
    'c.Run.seconds = {"quick": 10}': "write whole seconds by profile",
    "c.Run.memory = 0": "write a positive number",
    "c.Run.threads = -1": "write 0, which leaves it to the libraries, or more",
    "c.Cours.due = {}": "c.Cours in nbgrader_config.py is read by nothing: did you mean c.Course?",
    "c.course.due = {}": "c.course in nbgrader_config.py is read by nothing: did you mean c.Course?",
    "c.Run.memry = 1": "did you mean memory?",
    "c.Course.nothing(": "has an error: SyntaxError",
}


@pytest.fixture
def course(course: Path) -> Path:
    """The tiny course without the options of this repository's assignments."""
    (course / CONFIG).write_text(
        "import chainrule.config\nc = get_config()\nc.merge(chainrule.config.pipelines())\n"
    )
    return course


def test_a_module_in_the_course_folder_is_found(course: Path) -> None:
    (course / "numbers_of_a_course.py").write_text("def draw(random): return {}\n")
    with (course / CONFIG).open("a") as config:
        config.write('c.Course.variants = {"tiny": "numbers_of_a_course:draw"}\n')
    assert not [finding for finding in course_findings(course) if finding.mistake]


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_value_is_a_sentence(course: Path, line: str) -> None:
    with (course / CONFIG).open("a", encoding="utf-8") as config:
        config.write(f"\n{line}\n")
    said = [finding for finding in course_findings(course) if finding.mistake]
    assert [finding for finding in said if WRONG[line] in finding.text], said
    assert all("\n" not in finding.text for finding in said)


def test_a_sound_course_has_no_mistakes(course: Path) -> None:
    assert not [finding for finding in course_findings(course) if finding.mistake]


def test_doctor_ends_with_1(chainrule: Callable[..., Typed], course: Path) -> None:
    with (course / CONFIG).open("a", encoding="utf-8") as config:
        config.write('\nc.Course.late = "10%"\n')
    code, out, err = chainrule("doctor", "--course", course)
    assert (code, err) == (1, "")
    assert "c.Course.late" in out
    code, _, err = chainrule("release", "tiny", "--course", course)
    assert code == 2
    assert err.startswith("chainrule: c.Course.late in nbgrader_config.py is '10%': write ")


def test_nobody_waits_for_what_optimizers_import_where_there_are_none(course: Path) -> None:
    folder = CourseFolder(course)
    assert "torch._dynamo" not in folder.course.imported_before(folder.notebooks("tiny"))["tiny"]
    ours = CourseFolder(ROOT)
    (modules,) = ours.course.imported_before(ours.notebooks("cs480-a2")).values()
    assert "torch._dynamo" in modules


def test_notebooks_wait_for_no_other_framework(course: Path) -> None:
    folder = CourseFolder(course)
    (tiny,) = folder.notebooks("tiny")
    nb = nbformat.read(tiny, as_version=4)
    nb.metadata["chainrule"] = {"framework": "tensorflow"}
    nbformat.write(nb, tiny.with_name("other.ipynb"))
    before = folder.course.imported_before(folder.notebooks("tiny"))
    assert "tensorflow" in before["other"]
    assert "tensorflow" not in before["tiny"]
    assert {"torch", "numpy"} <= {*before["tiny"]}
