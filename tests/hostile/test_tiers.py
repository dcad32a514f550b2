"""What is promised without bubblewrap, and to those who are not root, is kept there, too."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import arena
import attacks
import pytest
from arena import Tier
from target import HONEST, ITEM
from tiny_course import TINY

from chainrule.course import CourseFolder
from chainrule.grading.classroom import scores
from chainrule.worker.confine import landlock_version

NOBODY_YET = 64_990  # a user id that has neither a name nor files
TIERS = {
    "Landlock, root's own account": Tier(bubblewrap=False),
    "Landlock, root with a user for each notebook": Tier(bubblewrap=False, python_for_all=True),
    "Landlock, another user": Tier(bubblewrap=False, user=NOBODY_YET, python_for_all=True),
    "bubblewrap, another user": Tier(user=NOBODY_YET, python_for_all=True),
}
ATTACKS = [attack for attack in attacks.every() if attack.on_every_tier]

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux" or os.getuid() != 0 or landlock_version() < 6 or not shutil.which("unshare"),
        reason="only root can be everybody",
    ),
]


def attacks_on(tier: Tier) -> list[attacks.Attack]:
    """Without control groups, a hundred busy processes would slow down these tests, too: ten do."""
    if tier.user is None:
        return ATTACKS
    return [
        replace(
            a, answers={name: text.replace("range(100)", "range(10)") for name, text in a.answers.items()}
        )
        for a in ATTACKS
    ]


@pytest.fixture(scope="module", params=TIERS, ids=lambda name: name.replace(" ", "-"))
def tier(request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    """The name of a tier, and the course that was graded there."""
    root = Path(tempfile.mkdtemp(prefix="tier-", dir="/tmp"))  # where other users get to
    root.chmod(0o711)
    arena.play(root, attacks_on(TIERS[request.param]), confined=False, tier=TIERS[request.param])
    yield request.param, root
    shutil.rmtree(root)


def test_attacks_gain_nothing_on_this_tier(tier: tuple[str, Path]) -> None:
    name, root = tier
    said = (root / "said.txt").read_text(errors="surrogateescape")
    assert ("NO SANDBOX" in said) == (not TIERS[name].bubblewrap), said
    assert ("root's own account" in said) == ("own account" in name and arena.closed_folder() is not None)
    assert "exit code 0" in said, said
    for attack in attacks_on(TIERS[name]):
        printed = arena.printed(root, attack.student)
        assert attack.says in printed, f"{attack.name} has not been tried:\n{printed[-3000:]}"
        assert "canary-" not in printed, f"{attack.name}:\n{printed[-3000:]}"
        assert scores(CourseFolder(root), TINY, attack.student)[ITEM[TINY]] <= attack.most, attack.name
    for student, (_, score) in HONEST.items():
        assert scores(CourseFolder(root), TINY, student)[ITEM[TINY]] == score, student
    seen = json.loads((root / "seen.json").read_text())
    assert seen == {"heard": [], "changed": [], "left": []}
