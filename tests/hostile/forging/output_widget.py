# The grader is made to redirect the outputs of later requests into an output widget of the student's.
# base: wrong
# says: tried
# worked against: in-kernel Item
# %% square-write
from comm import create_comm

state = {"_model_module": "@jupyter-widgets/output", "_model_name": "OutputModel", "msg_id": "", "outputs": ()}
widget = create_comm(target_name="jupyter.widget", data={"state": state})


def capture(info):
    parent = get_ipython().kernel.get_parent("shell")["header"]["msg_id"]
    widget.send({"method": "update", "state": {"msg_id": parent, "outputs": [{"output_type": "execute_result"}]}})


get_ipython().events.register("pre_run_cell", capture)
print("tried")
