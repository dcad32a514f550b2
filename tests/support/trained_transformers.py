"""The transformers of Problem 7, which take a minute to train: as the notebook's cells leave them, for many tests."""

from __future__ import annotations

from pathlib import Path

import torch
from course_modules import hw2

from chainrule.grading.referee import working_folder

# The cells that train, with what loads what they leave.
LOADED = {
    "p7_11-copy-run": """
copy_model = make_model(11, 11, layers=1, d_model=32, d_ff=64, heads=4, dropout=0.0)
copy_model.load_state_dict(torch.load("transformers.pt")["copy_model"])
copy_history = torch.load("transformers.pt")["copy_history"]
""",
    "p7_12-run": """
dates_model = make_model(
    dates.SOURCE_SIZE, dates.TARGET_SIZE, layers=1, d_model=48, d_ff=96, heads=4, dropout=0.0
)
dates_model.load_state_dict(torch.load("transformers.pt")["dates_model"])
dates_history, dates_kept = (torch.load("transformers.pt")[name] for name in ("dates_history", "dates_kept"))
""",
}


def train(folder: Path) -> None:
    """Run the notebook's cells up to the last that trains, and write what they leave to transformers.pt."""
    rehearsal = hw2("p7_training")
    problem = rehearsal.problem
    wanted = {*problem.given, *(exercise.cell for exercise in problem.exercises), *LOADED, "p7_12-data"}
    folder.mkdir()
    with working_folder(folder):
        names = rehearsal.run(cell for cell in rehearsal.sources if cell in wanted)
    left = {name: names[name] for name in ("copy_history", "dates_history", "dates_kept")}
    left |= {name: names[name].state_dict() for name in ("copy_model", "dates_model")}
    torch.save(left, folder / "transformers.pt")
