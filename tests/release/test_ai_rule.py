"""A course's rule on generative AI is told where students hand in, and nothing is said without one."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat.v4 import new_notebook
from traitlets.config import Config, Configurable

from chainrule.release import AddHandIn

RULE = "Allowed for questions about Python. Say what you used."


@pytest.mark.parametrize("rules", [{"hw1": RULE}, {"hw1": " "}, {"hw2": RULE}, {}], ids=str)
@pytest.mark.parametrize("files", [["*.pdf"], []], ids=["with a hand-in", "without"])
def test_the_rule_stands_above_the_hand_in(rules: dict[str, str], files: list[str], tmp_path: Path) -> None:
    config = Config()
    config.CourseDirectory.root = str(tmp_path)
    config.Course.handin = {"hw1": files} if files else {}
    config.Course.generative_ai = rules
    step = AddHandIn(parent=Configurable(config=config))
    notebook, resources = step.preprocess(new_notebook(), {"nbgrader": {"assignment": "hw1"}})
    sources = [cell.source for cell in notebook.cells]
    assert [source for source in sources if "AI" in source] == (
        [f"**Generative AI.** {RULE}"] if rules.get("hw1", "").strip() else []
    )
    assert (any("hand_in()" in source for source in sources)) == bool(files)
    if files:
        assert "hand_in()" in sources[-1]
    assert ("outputs" in resources) == bool(files)
