"""Instructor-only: float64 references and probes that hidden checks compare students' work with.

Never part of a release; in a grading run it is imported by the referee alone.
"""
