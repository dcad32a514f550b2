# Outputs as formulas and as Markdown, which become tags only in the reader's browser.
# base: right
# says: tried
# %% square-write
from IPython.display import Latex, Markdown, display

for text in (
    r"$\href{javascript:alert(1)}{x}$ $\require{html}\style{background:url(//example.org)}{x}$",
    r"$$\unicode{<img src=x onerror=alert(1)>} </script><script>alert(1)</script>$$",
    r"\begin{equation}<script>alert(1)</script>\end{equation}",
    "<script>alert(1)</script> <img src=x onerror=alert(1)>",
):
    display(Latex(text))
    display(Markdown(text))
display(Markdown("[x](javascript:alert(1)) ![x](x 'y\" onerror=\"alert(1)') <javascript:alert(1)>\n\n[y]: javascript:alert(1)"))
display(Markdown("```mermaid\n</pre><script>alert(1)</script>\n```\n\n    <script>alert(1)</script>"))
print("tried")
