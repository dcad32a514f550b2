"""The inputs of files/ that are about outputs and the PDF."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from read_pdf import letters_of, text_of
from tiny_course import type_command

from chainrule.course import CourseFolder
from chainrule.feedback.pdf import write_feedback_pdf
from chainrule.handin.pdf import write_pdf

FILES = Path(__file__).parent / "files"
CONFIG = "import chainrule.config\nc = get_config()\nc.merge(chainrule.config.pipelines())\n"
BAR = "epoch 299/300"


@pytest.fixture(scope="module", params=["chainrule grade", "nbgrader autograde"])
def progress(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course in which b01-progress.ipynb was graded by one of the two commands."""
    root = tmp_path_factory.mktemp("b01")
    (root / "nbgrader_config.py").write_text(CONFIG)
    (root / "source" / "fb1").mkdir(parents=True)
    shutil.copyfile(FILES / "fb1-source.ipynb", root / "source" / "fb1" / "sums.ipynb")
    type_command(root, "chainrule", "release", "fb1")
    (root / "submitted" / "ann" / "fb1").mkdir(parents=True)
    shutil.copyfile(FILES / "b01-progress.ipynb", root / "submitted" / "ann" / "fb1" / "sums.ipynb")
    type_command(root, *request.param.split(), "fb1")
    return root


def test_progress_bars_are_one_line(progress: Path) -> None:
    """b01-progress.ipynb: 326 outputs become three, one line each, everywhere."""
    path = progress / "autograded" / "ann" / "fb1" / "sums.ipynb"
    nb = nbformat.read(path, as_version=4)
    (cell,) = [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "q4-plot"]
    texts = [output.text for output in cell.outputs]
    assert [output.output_type for output in cell.outputs] == ["stream"] * 3
    assert [len(text.strip().splitlines()) for text in texts] == [1, 1, 1]
    assert texts[0].startswith(BAR)
    assert texts[1].startswith("100%|")
    assert "50/50" in texts[2]
    formgrader = HTMLExporter(config=CourseFolder(progress).config).from_filename(str(path))[0]
    type_command(progress, "nbgrader", "generate_feedback", "fb1")
    page = (progress / "feedback" / "ann" / "fb1" / "sums.html").read_text(encoding="utf-8")
    write_feedback_pdf(CourseFolder(progress), "fb1", "ann")
    for shown in (formgrader, page, text_of(progress / "feedback" / "ann" / "fb1" / "feedback-fb1.pdf")):
        assert shown.count("loss 0.0033") == 1
        assert "epoch 12/300" not in shown
        assert "50/50" in shown


def test_trial_shows_or_boxes_everything(tmp_path: Path) -> None:
    """trial.ipynb with local.png and "with space.png": shown, or boxed and told; nothing vanishes."""
    for name in ("trial.ipynb", "local.png", "with space.png"):
        shutil.copyfile(FILES / name, tmp_path / name)
    warnings = write_pdf([tmp_path / "trial.ipynb"], tmp_path / "trial.pdf")
    text, told = letters_of(tmp_path / "trial.pdf"), "\n".join(warnings)
    for boxed in (
        "a Plotly figure",
        "an embedded page (iframe: https://example.org)",
        "a video (video)",
        "nope.png",
    ):
        assert boxed.replace(" ", "") in text
        assert boxed in told
    for shown in (
        "Mytable",
        "costin$",
        "$5and$6",
        "svgtext",
        '"a":[',
        "100%|██████████|100/100",
        "Headingwithmath",
    ):
        assert shown in text, shown
    assert "Figure({" not in text
    assert "alpha" not in text
