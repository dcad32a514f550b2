"""The figures of this assignment's notebooks, a module for each subject."""
