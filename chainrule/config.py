"""For a course's nbgrader_config.py: nbgrader's pipelines with the steps that Chainrule adds.

    import chainrule.config

    c = get_config()
    c.merge(chainrule.config.pipelines())
    c.Course.due = {"hw1": "2026-10-01 12:00 Europe/Paris"}

What the file sets after `merge` has priority. Steps are given as text, such as "chainrule.grading.Judge", so that
reading the file doesn't import torch.
"""

from __future__ import annotations

from traitlets.config import Config

RELEASE = [
    "chainrule.release.CheckMetadata",
    "chainrule.release.FillFacts",
    "nbgrader.preprocessors.IncludeHeaderFooter",
    "chainrule.release.InstantiateTests",
    "chainrule.release.FoldChecks",
    "nbgrader.preprocessors.LockCells",
    "chainrule.release.ClearSolutions",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
    "chainrule.release.SaveDueDate",
    "chainrule.release.SaveRoster",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ClearMarkScheme",
    "chainrule.release.ClearAfterDue",
    "chainrule.release.KeepVersion",
    "chainrule.release.Tidy",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.CheckCellMetadata",
    "chainrule.release.AddHandIn",
    "chainrule.release.AddLesson",
]
SANITISE = ["chainrule.grading.Graft"]
GRADE = [
    "chainrule.grading.Run",
    "nbgrader.preprocessors.IgnorePattern",
    "chainrule.grading.Judge",
    "chainrule.grading.FinalOutputs",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "chainrule.grading.KeepMarks",
    "chainrule.grading.WaitForPeople",
    "chainrule.grading.TellRepairs",
    "chainrule.intake.LatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
FEEDBACK = ["chainrule.feedback.GetPoints", "chainrule.feedback.Redact"]


def pipelines() -> Config:
    """nbgrader's pipelines with Chainrule's steps, as a configuration to merge into the course's own."""
    c = Config()
    c.ClearSolutions.code_stub = {"python": "todo()"}
    c.ClearSolutions.text_stub = "*Write your answer here.*"
    # what editors, systems and version control leave beside notebooks is nobody's to read
    c.CourseDirectory.ignore = [".*", "*~", "*.pyc", "__pycache__", "feedback"]
    c.ClearMarkScheme.enforce_metadata = False  # a mark scheme is in the read-only cell before its answer
    # release/ may be committed, and after a fresh clone the gradebook is still empty
    c.GenerateAssignment.force = True
    c.GenerateAssignment.preprocessors = list(RELEASE)
    c.ZipCollectApp.extractor_plugin = "chainrule.intake.SafeExtractor"
    c.ZipCollectApp.collector_plugin = "chainrule.intake.DownloadCollector"
    c.Autograde.exporter_class = "chainrule.intake.HandInExporter"  # reads UTF-16 and old formats, too
    c.Autograde.sanitize_preprocessors = list(SANITISE)
    c.Autograde.autograde_preprocessors = list(GRADE)
    c.HTMLExporter.preprocessors = [
        "chainrule.feedback.Disarm",  # no script of a student runs in formgrader
        "chainrule.feedback.RefuseAboveMaximum",
    ]
    c.GenerateFeedback.exporter_class = "chainrule.feedback.FeedbackExporter"
    c.GenerateFeedback.preprocessors = list(FEEDBACK)
    c.ExportApp.plugin_class = "chainrule.marks.MarksCsv"
    return c
