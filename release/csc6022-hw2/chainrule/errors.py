"""The root of the package's errors."""


class ChainruleError(Exception):
    """Something a person can act on: the message says what is wrong and, where possible, what to do."""
