"""The marking room: written answers are marked by question, with the keyboard.

`chainrule mark` opens it as a server of its own; in JupyterLab it is an extension of Jupyter's server.
"""

from typing import Any

import chainrule._startup  # noqa: F401


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """For Jupyter's server, which asks every extension for this."""
    from chainrule.marking.server import MarkingApp

    return [{"module": "chainrule.marking.server", "app": MarkingApp}]
