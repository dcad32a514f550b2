"""How a kernel packs its messages."""

from __future__ import annotations

import json
from typing import Any

from jupyter_client.jsonutil import json_clean, json_default
from jupyter_client.session import json_packer

# an option of the kernel's command line
PACKER = "--Session.packer=chainrule.worker.messages.pack"


def pack(message: Any) -> bytes:
    """A message as JSON in UTF-8. Half a character, which student code can print, becomes a question mark.

    Jupyter's own function raises an error there. Then the kernel prints a traceback with this machine's paths, and
    what was printed with it is lost.
    """
    try:
        return bytes(json_packer(message))
    except UnicodeEncodeError:
        text = json.dumps(json_clean(message), default=json_default, ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", "replace")
