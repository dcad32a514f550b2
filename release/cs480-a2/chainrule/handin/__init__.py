"""From a finished notebook to what the handout asks to be handed in. Imports nothing of the instructor's side."""

from chainrule.handin.here import make_pdf
from chainrule.handin.names import HandInError
from chainrule.handin.pack import hand_in
from chainrule.handin.pdf import PDFError, write_pdf

__all__ = ["HandInError", "PDFError", "hand_in", "make_pdf", "write_pdf"]
