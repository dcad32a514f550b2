"""Problem 7: attention and a small Transformer. `reference` has the right model; each other module judges one part.

Each `expect_…` judges one part of an answer and raises `CheckFailed` if it is wrong. A part that builds on earlier ones
is judged with the student's own earlier ones (error carried forward, see `chainrule.judging.derivation`). Numbers that
are the same everywhere earn no points.
"""
