"""From a finished notebook to the files that the handout asks for. Imports nothing that is only for instructors."""

from typing import TYPE_CHECKING

from chainrule.on_demand import on_demand

if TYPE_CHECKING:
    from chainrule.handin.errors import HandInError
    from chainrule.handin.notebook_api import make_pdf
    from chainrule.handin.pack import hand_in
    from chainrule.handin.pdf import PDFError, write_pdf

__getattr__ = on_demand(
    __name__,
    {
        "HandInError": "errors",
        "PDFError": "pdf",
        "hand_in": "pack",
        "make_pdf": "notebook_api",
        "write_pdf": "pdf",
    },
)

__all__ = ["HandInError", "PDFError", "hand_in", "make_pdf", "write_pdf"]
