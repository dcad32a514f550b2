"""`python -m chainrule`, where the command `chainrule` is not on the path."""

from chainrule.cli import main

main()
