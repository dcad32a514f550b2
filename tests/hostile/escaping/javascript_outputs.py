# Outputs whose type is a program or a plot that brings one, under every name a page may know.
# base: right
# says: tried
# %% square-write
from IPython.display import Javascript, display

display(Javascript("alert(1)"))
for kind in (
    "application/javascript",
    "text/javascript",
    "application/vnd.jupyter.widget-view+json",
    "application/vnd.plotly.v1+json",
    "application/vnd.bokehjs_exec.v0+json",
    "application/vnd.vega.v5+json",
    "application/vnd.mermaid",
    "text/vnd.mermaid",
    "application/xhtml+xml",
    "text/x-unknown",
):
    display({kind: "</script><script>alert(1)</script>"}, raw=True)
    display({kind: {"model_id": "</script><script>alert(1)</script>", "version_major": 2}}, raw=True)
print("tried")
