# Opens widgets by the million, each with a state of a megabyte, which a notebook keeps.
# base: right
# %% square-write
from comm import create_comm

state = {"_model_module": "@jupyter-widgets/output", "_model_name": "OutputModel", "msg_id": "", "more": "A" * 1_000_000}
comms = []
while True:
    comms.append(create_comm(target_name="jupyter.widget", data={"state": state}, buffers=[b"x" * 1_000_000]))
    comms[-1].send({"method": "update", "state": state})
