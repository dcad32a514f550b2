"""What any course's judging modules build on: derivations, float64 references and probes of networks.

For instructors: no release contains it, no worker sees it; in a grading run the referee alone imports it.
"""
