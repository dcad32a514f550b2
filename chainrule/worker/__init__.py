"""The processes student code runs in. This package and `chainrule.lesson` are all of Chainrule they contain."""
