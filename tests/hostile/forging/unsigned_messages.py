# Messages with wrong signatures, without parts, sent twice, or with contents of the wrong kind.
# base: wrong
# says: tried
# %% square-write
kernel = get_ipython().kernel
session = kernel.session
doubles = square


def square(x):
    parent = kernel.get_parent("shell")
    socket = kernel.iopub_socket
    for content in ("text", None, 5, [], {}, {"data": 5}, {"execution_state": 7}, {"name": 3, "text": None}):
        for kind in ("stream", "display_data", "execute_result", "error", "status", "comm_open", "comm_msg", "nonsense"):
            session.send(socket, kind, content, parent=parent)
    message = session.msg("stream", {"name": "stdout", "text": "twice"}, parent=parent)
    parts = session.serialize(message)
    for copy in (parts, parts, parts[:3], [b"<IDS|MSG>", b"", *parts[2:]], [b"noise"], [b""]):
        socket.send_multipart(copy)
    return doubles(x)


print("tried")
