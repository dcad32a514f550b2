"""From submitted notebooks to scores, in four steps with a module each: sanitise, run, judge, record."""

from chainrule.on_demand import on_demand

__getattr__ = on_demand(
    __name__,
    {
        "FinalOutputs": "outputs",
        "Graft": "sanitise",
        "Judge": "judge",
        "KeepMarks": "given_marks",
        "Run": "run",
        "TellRepairs": "record",
        "WaitForPeople": "record",
    },
)
