"""The course. nbgrader and chainrule both read this file."""

from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbgrader import preprocessors as nbgrader

from chainrule import feedback, grading, intake, marks, release

c = get_config()  # noqa: F821 (traitlets puts it here)

c.CourseDirectory.course_id = "deep-learning"

# ---- assignments: when they are due, and the data sets they want in ./data ----
c.Course.due = {
    "cs480-a2": "2026-07-13 12:00 America/Toronto",
    "csc6022-hw2": "2025-11-12 23:59:59 Asia/Shanghai",
}
c.Course.data = {"cs480-a2": ["fashion-mnist"], "csc6022-hw2": ["cifar-10"]}
c.Course.variants = {  # per-student numbers, if asked for
    "cs480-a2": "chainrule.reference.cs480_a2:draw",
    "csc6022-hw2": "chainrule.reference.csc6022_hw2:draw",
}

# ---- hand-in and intake ----
c.Course.roster = "roster.csv"  # id, username, last, first, email
c.Course.late = {"cs480-a2": "report", "csc6022-hw2": "zero"}
c.Course.handin = {  # what the handouts ask for
    "cs480-a2": ["{last}_{first}_assignment2.pdf", "{last}_{first}_assignment2.ipynb"],
    "csc6022-hw2": ["*.pdf", "*.zip/p6_2*.py", "*.zip/*.ipynb"],
}
c.ZipCollectApp.extractor_plugin = intake.SafeExtractor
c.ZipCollectApp.collector_plugin = intake.DownloadCollector

# ---- release ----
c.ClearSolutions.code_stub = {"python": "todo()"}
c.ClearSolutions.text_stub = "*Write your answer here.*"
c.ClearMarkScheme.enforce_metadata = False  # mark schemes stand in the read-only cell before an answer
c.GenerateAssignment.force = True
c.GenerateAssignment.preprocessors = [
    nbgrader.IncludeHeaderFooter,
    nbgrader.LockCells,
    nbgrader.ClearSolutions,
    nbgrader.ClearOutput,
    nbgrader.CheckCellMetadata,
    nbgrader.ComputeChecksums,
    nbgrader.SaveCells,
    release.SaveDueDate,
    nbgrader.ClearHiddenTests,
    nbgrader.ClearMarkScheme,
    release.Tidy,
    nbgrader.ComputeChecksums,
    nbgrader.CheckCellMetadata,
    release.AddHandIn,
    release.AddLesson,
]

# ---- grading ----
c.Run.profile = "quick"
c.Autograde.sanitize_preprocessors = [grading.Graft]
c.Autograde.autograde_preprocessors = [
    grading.Run,
    grading.Judge,
    CoalesceStreamsPreprocessor,  # progress bars become one line
    nbgrader.LimitOutput,
    nbgrader.SaveAutoGrades,
    grading.WaitForPeople,
    grading.TellRepairs,
    intake.LatePenalties,
    nbgrader.CheckCellMetadata,
]

# ---- feedback and marks ----
c.HTMLExporter.preprocessors = [feedback.Disarm]  # what formgrader shows, nobody's script runs in
c.GenerateFeedback.exporter_class = feedback.FeedbackExporter
c.GenerateFeedback.preprocessors = [feedback.GetPoints, feedback.Redact]
c.ExportApp.plugin_class = marks.MarksCsv
