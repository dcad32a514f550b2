"""Texts of students in a terminal."""


def printable(text: str) -> str:
    """Text from a submission without control characters, which a terminal might obey."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
