"""The course. nbgrader and chainrule both read this file."""

import chainrule.config

c = get_config()  # noqa: F821 (traitlets puts it here)
c.merge(chainrule.config.pipelines())  # what is set below wins

c.CourseDirectory.course_id = "deep-learning"

# ---- assignments: what students call their course, when they are due, and the data sets they want in ./data ----
c.Course.names = {"cs480-a2": "CS480/680", "csc6022-hw2": "CSC6022"}
c.Course.due = {
    "cs480-a2": "2026-07-13 12:00 America/Toronto",
    "csc6022-hw2": "2025-11-12 23:59:59 Asia/Shanghai",
}
c.Course.data = {"cs480-a2": ["fashion-mnist"], "csc6022-hw2": ["cifar-10"]}
c.Course.variants = {  # per-student numbers, if asked for
    "cs480-a2": "judging.cs480_a2.numbers:draw",
    "csc6022-hw2": "judging.csc6022_hw2.numbers:draw",
}

c.Course.alternatives = {"csc6022-hw2": [["p6_2_cnn_pytorch", "p6_2_cnn_tensorflow"]]}  # one of them counts

# ---- hand-in and intake ----
c.Course.roster = "roster.csv"  # id, username, last, first, email
c.Course.lms = {"cs480-a2": "LEARN", "csc6022-hw2": "Blackboard"}
c.Course.late = {"cs480-a2": "report", "csc6022-hw2": "zero"}
c.Course.handin = {  # what the handouts ask for
    "cs480-a2": ["{last}_{first}_assignment2.pdf", "{last}_{first}_assignment2.ipynb"],
    "csc6022-hw2": ["*.pdf", "*.zip/p6_2*.py", "*.zip/*.ipynb"],
}

# ---- grading ----
c.Run.profile = "quick"
