# The state of widgets, which pages carry inside a script of their own, ends that script and begins another.
# base: right
# says: tried
# %% square-write
from comm import create_comm
from IPython.display import display

end = "</script><script>alert(1)</script>"
state = {"_model_module": end, "_model_name": end, "_view_name": end, "value": end, "description": end}
widget = create_comm(target_name="jupyter.widget", data={"state": state}, metadata={"version": end})
display({"application/vnd.jupyter.widget-view+json": {"model_id": widget.comm_id, "version_major": 2}}, raw=True)
print("tried")
