"""From a finished notebook to the files that the handout asks for. Imports nothing that is only for instructors."""

from chainrule.handin.errors import HandInError
from chainrule.handin.notebook_api import make_pdf
from chainrule.handin.pack import hand_in
from chainrule.handin.pdf import PDFError, write_pdf

__all__ = ["HandInError", "PDFError", "hand_in", "make_pdf", "write_pdf"]
