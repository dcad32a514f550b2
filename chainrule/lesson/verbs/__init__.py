"""What a check can ask of student code: a dozen verbs over the names of a notebook.

`Worker.serve` takes a packed request and returns a packed reply. In a student's notebook it is called directly; in a
grading run it is in another process than the checks. It judges nothing and knows no expected value.

The verbs here are the same for every framework. Those that run, look into or change a network are the framework's own:
`pytorch.Verbs`, and others beside it, in modules that only notebooks of that framework import.
"""

from __future__ import annotations

import copy
import inspect
import os
import socket
import traceback
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import nullcontext
from importlib import import_module
from typing import Any

import torch
from IPython.utils.capture import capture_output

from chainrule.lesson import by_hand
from chainrule.lesson.frameworks import framework_in
from chainrule.lesson.time_limits import time_limit
from chainrule.lesson.todo import Unfinished
from chainrule.lesson.verbs import pytorch
from chainrule.lesson.wire import Handle, WireError, pack, receive_request, send_reply, unpack

# frames of files in these folders are not the student's own lines
_NOT_STUDENT = tuple(
    os.path.dirname(path)
    for path in (os.path.dirname(torch.__file__), os.__file__, os.path.dirname(__file__))
)


class Worker:
    """Serves the verbs below: a request for the verb "get" is answered by `do_get`.

    Args:
        namespace: the student's names, for instance a notebook's `user_ns`.

    >>> request = pack({"verb": "call", "args": {"name": "double", "args": [3], "kwargs": {}}})
    >>> unpack(Worker({"double": lambda x: 2 * x}).serve(request, seconds=1.0))
    {'value': 6}
    """

    def __init__(self, namespace: MutableMapping[str, Any]) -> None:
        self.namespace = namespace
        framework = framework_in(namespace)
        verbs = import_module(f"{__name__}.{framework.name}").Verbs
        self.framework: pytorch.Verbs = verbs(namespace, framework.layouts)
        self.objects: list[Any] = []
        self._stubbed: list[str] = []  # names that stand for stubs
        self._before: dict[str, Any] = {}  # what those of them were that the notebook defines

    def serve(self, request: bytes, seconds: float) -> bytes:
        """Answer one request: `{"value": …}` or, if student code raised, `{"error": {type, message, where}}`.

        What the student's code prints or displays is dropped. After `seconds` it is interrupted, and the error's type
        is "TimeLimit".
        """
        try:
            message = unpack(request, self._object)
            name = f"do_{message['verb']}"
            verb: Callable[..., Any] = getattr(self if hasattr(self, name) else self.framework, name)
            with capture_output(), time_limit(seconds):
                return pack({"value": verb(**message["args"])}, self._handle)
        except WireError as error:
            return pack({"error": {"type": "WireError", "message": str(error), "where": ""}})
        except KeyboardInterrupt:
            raise  # the person at the keyboard, or the grader's cell limit
        except BaseException as error:  # SystemExit included: student code may raise anything
            return pack({"error": describe(error)})

    def _object(self, handle: Handle) -> Any:
        return self.objects[handle.id]

    def _handle(self, value: Any) -> Handle:
        id = next((i for i, known in enumerate(self.objects) if known is value), len(self.objects))
        if id == len(self.objects):
            self.objects.append(value)
        return Handle(id, "model" if self.framework.is_model(value) else "object", type(value).__name__)

    # -- the verbs of every framework ------------------------------------------------------------------------

    def do_get(self, name: str) -> Any:
        """The value of a name, `{"value": …}`; `{"missing": True}`; or `{"function": True}` for what can be called."""
        if name not in self.namespace:
            return {"missing": True}
        value = self.namespace[name]
        if callable(value) and not self.framework.is_model(value):
            return {"function": True}
        return {"value": self.framework.neutral(value)}

    def do_call(self, name: str, args: Sequence[Any], kwargs: dict[str, Any], dropout: bool = True) -> Any:
        """Call a function or class of the student's; `dropout=False` switches dropout off."""
        with nullcontext() if dropout else self.framework.no_dropout():
            return self.framework.function(name)(*args, **kwargs)

    def do_call_with(
        self, instead: Mapping[str, Sequence[Any]], name: str, args: Sequence[Any]
    ) -> dict[str, Any]:
        """Call a function of the student's while others of the notebook return given values.

        Args:
            instead: the values by the others' names, one for each call in turn, then from the first again.
        Returns:
            "value", and "calls": for each of the others, the arguments of each of its calls, in the order of its own
            parameters.
        """
        names = self.namespace  # where the function looks for the others
        calls: dict[str, list[list[Any]]] = {other: [] for other in instead}

        def giving(other: str) -> Callable[..., Any]:
            def give(*args: Any, **kwargs: Any) -> Any:
                calls[other].append(self.framework.neutral(in_order(before.get(other), args, kwargs)))
                value = copy.deepcopy(instead[other][(len(calls[other]) - 1) % len(instead[other])])
                return self.framework.own(value)

            return give

        before = {other: names[other] for other in instead if other in names}
        names.update({other: giving(other) for other in instead})
        try:
            return {"value": self.framework.function(name)(*args), "calls": calls}
        finally:
            for other in instead:
                names.pop(other, None)
            names.update(before)

    def do_stub(self, stubs: Mapping[str, str]) -> None:
        """From now on these names of the notebook, and no others, stand for stubs: kinds by name, of `STUBS`."""
        # only hidden checks ask for these: students have no such module
        kinds = import_module(self.framework.STUBS).STUBS
        self.unstub()
        self._before = {name: self.namespace[name] for name in stubs if name in self.namespace}
        self._stubbed = [*stubs]
        self.namespace.update({name: kinds[kind] for name, kind in stubs.items()})

    def unstub(self) -> None:
        """The names that stand for stubs are the notebook's own again."""
        for name in self._stubbed:
            self.namespace.pop(name, None)
        self.namespace.update(self._before)
        self._stubbed, self._before = [], {}

    def do_autograd(self, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> list[str]:
        """Signs that a function of the student's leaves the differentiation to a library: see `by_hand.watch`."""
        with by_hand.watch(self.namespace[name], self.namespace) as signs:
            self.framework.function(name)(*args, **kwargs)
        return sorted(signs)


def attend(namespace: MutableMapping[str, Any], descriptor: int, token: str) -> None:
    """Answer the requests that the referee sends over a Unix socket, until it closes the connection.

    Args:
        namespace: as for `Worker`.
        descriptor: of a listening socket, to which the referee connects.
        token: what the referee says first, in ASCII. Other connections are closed: those of an earlier graded cell.

    >>> import tempfile
    >>> import threading
    >>> from chainrule.lesson.wire import receive_reply, send_request
    >>> line, listening = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     listening.bind(f"{folder}/worker")
    ...     listening.listen()
    ...     threading.Thread(target=attend, args=({"lr": 0.1}, listening.fileno(), "token")).start()
    ...     line.connect(f"{folder}/worker")
    >>> line.sendall(b"token")
    >>> line.recv(5)
    b'token'
    >>> send_request(line, pack({"verb": "get", "args": {"name": "lr"}}), seconds=5.0)
    >>> unpack(receive_reply(line, seconds=5.0))
    {'value': {'value': 0.1}}
    >>> line.close()
    """
    worker, said = Worker(namespace), token.encode()
    with socket.socket(fileno=os.dup(descriptor)) as listener:
        line, _ = listener.accept()
        while line.recv(len(said), socket.MSG_WAITALL) != said:
            line.close()
            line, _ = listener.accept()
    try:
        with line:
            line.sendall(said)
            while (received := receive_request(line)) is not None:
                try:
                    reply = worker.serve(*received)
                except KeyboardInterrupt:  # by the referee, which kills this process if that does not help
                    reply = pack({"error": {"type": "TimeLimit", "message": "interrupted", "where": ""}})
                send_reply(line, reply)
    finally:
        worker.unstub()  # the referee may have stopped within a block with stubs


def in_order(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """The arguments of a call in the order of the function's parameters.

    Raises:
        TypeError: the function does not take these arguments.

    >>> in_order(lambda a, b: None, [], {"b": 2, "a": 1})
    [1, 2]
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # nothing that can be called, or a function without a signature
        return [*args, *kwargs.values()]
    bound = signature.bind(*args, **kwargs)
    return [*bound.args, *bound.kwargs.values()]


def describe(error: BaseException) -> dict[str, str]:
    """An exception of student code as three short strings: its type, its message, the student's own line.

    >>> describe(ValueError("a negative size"))
    {'type': 'ValueError', 'message': 'a negative size', 'where': ''}
    """
    where = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if not frame.filename.startswith(_NOT_STUDENT) and frame.line:
            where = f"line {frame.lineno} of `{frame.name}`: {frame.line}"
    try:
        message = str(error)
    except Exception:
        message = ""
    # A NotImplementedError without a message is a stub, too; PyTorch raises it with one for dtypes it can't handle.
    stub = isinstance(error, Unfinished) or (isinstance(error, NotImplementedError) and not message)
    kind = "Unfinished" if stub else type(error).__name__
    return {"type": kind[:80], "message": message[:400], "where": where[:200]}
