"""nbgrader's options that can't do here what they do in nbgrader are refused with a sentence, before anything runs."""

from __future__ import annotations

from typing import Any

from nbgrader.converters import Autograde
from traitlets.config import Config
from traitlets.utils.importstring import import_item

from chainrule.course import CourseError

# steps of nbgrader that no pipeline of ours has, and why
DROPPED = {
    "DeduplicateIds": "answers are put into the instructor's notebook, where each id is there once",
    "OverwriteKernelspec": "the notebook that is graded is the instructor's, with its kernel",
    "OverwriteCells": "the notebook that is graded is the instructor's: cells that are missing are always put back",
    "ClearMetadataPreprocessor": "each cell's verdict is in its metadata, and feedback reads it there",
}
# options of nbclient, and why `Run` can't follow them
FIXED = {
    "kernel_name": "notebooks run in workers with the Python that runs Chainrule",
    "kernel_manager_class": "notebooks run in workers of Chainrule",
    "extra_arguments": "workers are forked and get no command line",
    "ipython_hist_file": "workers keep no history",
    "skip_cells_with_tag": "the tag is skip-execution",
    "timeout_func": "a run can be kept only if its limits are numbers; set c.Execute.timeout",
    "error_on_timeout": "a cell that was stopped is recognised by its error",
    "force_raise_errors": "a notebook is graded to its end",
}


def refuse_options_without_effect(config: Config) -> None:
    """Make sure that every option for running notebooks does what it says.

    Raises:
        CourseError: the first option that would silently do nothing.
    """
    steps = [step for step in configured_steps(config) if isinstance(step, type)]
    present = {base.__name__ for step in steps for base in step.__mro__}
    for name, reason in DROPPED.items():
        if name not in present and (options := dict(config.get(name, {}))):
            raise CourseError(
                f"c.{name}.{min(options)} has no effect: {reason}. Remove it, or add {name} to the steps of "
                "c.Autograde"
            )
    if "Run" not in present:
        return
    for section in ("NotebookClient", "ExecutePreprocessor", "Execute", "Run"):
        options = dict(config.get(section, {}))
        for name, reason in FIXED.items():
            if name in options:
                raise CourseError(f"c.{section}.{name} has no effect: {reason}. Remove it")


def configured_steps(config: Config) -> list[Any]:
    """The steps of `c.Autograde`, before and after the run; those given as text are imported."""
    converter = Autograde(config=config)
    steps = [*converter.sanitize_preprocessors, *converter.autograde_preprocessors]
    return [import_item(step) if isinstance(step, str) else step for step in steps]
