# Outputs that change the page around them: style sheets, redirections, another base, an image of a full score over it.
# base: wrong
# says: tried
# %% square-write
from IPython.display import HTML, display

display(HTML("<style>body {display: none} .score::after {content: '4.0'}</style><link rel=stylesheet href=//example.org/x>"))
display(HTML("<meta http-equiv=refresh content='0;url=https://example.org'><base href='https://example.org/'>"))
display(HTML("<div style='position:fixed;top:0;left:0;width:100%;height:100%;background:url(//example.org/x)'>4/4</div>"))
display(HTML("</div></div></div></body><body onload=alert(1)><h1>4 of 4</h1>"))
print("tried")
