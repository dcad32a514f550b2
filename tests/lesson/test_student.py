"""What a check sees of a student: data, errors with the student's own line, models that stay as they were."""

import contextlib
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from chainrule.lesson.student import CheckFailed, Function, Student, StudentError, TimeLimit
from chainrule.lesson.todo import todo
from chainrule.lesson.verbs import Worker, attend
from chainrule.lesson.wire import pack, receive_reply, send_request


def student(seconds: float = 30.0, **names: Any) -> Student:
    """A student whose notebook has these names and whose code may run this long."""
    worker = Worker(names)
    return Student(lambda request, _: worker.serve(request, seconds))


# ---- names, calls, errors ----------------------------------------------------------------------------------


def test_names_come_as_copies() -> None:
    weights = torch.ones(3)
    someone = student(weights=weights, table={"a": [1, 2]}, array=np.arange(3))
    someone.weights.zero_()
    someone.table["a"].clear()
    assert weights.sum() == 3
    assert someone.table == {"a": [1, 2]}
    assert someone.array.tolist() == [0, 1, 2]


def test_a_missing_name_says_what_to_do() -> None:
    with pytest.raises(
        CheckFailed, match=r"there is no `accuracy` yet: finish the cell that defines it and run it"
    ):
        _ = student().accuracy
    assert not hasattr(student(), "_repr_html_")  # what IPython asks objects for


def test_functions_take_and_give_data() -> None:
    someone = student(f=lambda x, scale=1: {"y": x * scale, "shape": tuple(x.shape)})
    answer = someone.f(torch.ones(2, 3), scale=2)
    assert answer["shape"] == (2, 3)
    assert answer["y"].sum() == 12


def test_a_stub_is_not_written_yet() -> None:
    def bare() -> None:
        raise NotImplementedError

    for stub in (todo, bare):
        with pytest.raises(StudentError, match=r"^not written yet$"):
            student(f=stub).f()


def test_an_exception_is_told_with_the_students_own_line() -> None:
    def inner(x: torch.Tensor) -> torch.Tensor:
        return x @ torch.ones(7, 7)  # the slip

    with pytest.raises(StudentError) as caught:
        student(f=lambda x: inner(x)).f(torch.ones(2, 3))
    message = str(caught.value)
    assert message.startswith("your code raised RuntimeError: mat1 and mat2 shapes cannot be multiplied")
    assert "of `inner`: return x @ torch.ones(7, 7)  # the slip)" in message


def test_exceptions_of_any_kind_are_survived() -> None:
    class Nasty(Exception):
        def __str__(self) -> str:
            raise ValueError

    def raiser(error: BaseException) -> Callable[[], None]:
        def f() -> None:
            raise error

        return f

    kinds = [SystemExit(0), GeneratorExit(), Nasty(), RecursionError("deep"), Exception("x" * 10_000)]
    for error in kinds:
        with pytest.raises(StudentError, match=f"your code raised {type(error).__name__}") as caught:
            student(f=raiser(error)).f()
        assert len(str(caught.value)) < 1000
    with pytest.raises(StudentError, match="your code raised SystemExit"):
        student(f=sys.exit).f()


def test_what_an_error_says_is_cut_and_printable() -> None:
    told = {"type": "\x1b[31m" * 9999, "message": "half \ud800\x07" + "x" * 9999, "where": ["a list"]}
    with pytest.raises(StudentError) as raised:
        Student(lambda request, seconds: pack({"error": told})).square(2)
    text = str(raised.value)
    assert len(text) < 2000
    assert all(c.isprintable() for c in text)
    assert "half \ufffd\ufffdxxx" in text
    assert "a list" in text


def test_the_readers_interrupt_is_no_answer() -> None:
    def f() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        student(f=f).f()


def test_answers_that_are_no_data() -> None:
    assert student(f=lambda: (i for i in "ab")).f().label == "generator"
    with pytest.raises(StudentError, match=r"^`f` gives no plain data: a torch\.sparse_coo tensor"):
        student(f=lambda: torch.eye(3).to_sparse()).f()
    for number in (1j * torch.ones(2), 1j * np.ones(2)):
        with pytest.raises(StudentError, match=r"^`f` gives no plain data: complex numbers, where real ones"):
            student(f=lambda number=number: number).f()
    with pytest.raises(TypeError, match="a check sends data"):
        student(f=lambda x: x).f(object())


def test_opaque_objects_can_be_handed_back() -> None:
    class Config:
        def __init__(self, depth: int) -> None:
            self.depth = depth

    someone = student(Config=Config, depth=lambda config: config.depth)
    assert someone.depth(someone.Config(5)) == 5
    assert not hasattr(someone.Config(5), "depth")


# ---- time --------------------------------------------------------------------------------------------------


def swallow() -> None:
    while True:
        with contextlib.suppress(Exception):
            time.sleep(60)


def swallow_anything_once() -> None:
    try:
        time.sleep(60)
    except BaseException:
        time.sleep(60)


def spin() -> None:
    while True:
        pass


class EndlessAnswer:
    """An answer small to hold and endless to send."""

    def __new__(cls) -> Any:
        layer: list[Any] = []
        for _ in range(30):
            layer = [layer] * 10
        return layer


@pytest.mark.parametrize("f", [spin, swallow, swallow_anything_once, EndlessAnswer])
def test_an_endless_loop_ends(f: Callable[[], Any]) -> None:
    someone = student(seconds=0.3, f=f, g=lambda: 1)
    with pytest.raises(StudentError, match="`f` did not finish within 30 seconds: an endless loop"):
        someone.f()
    with pytest.raises(StudentError, match="`f` ran into its time limit before"):
        someone.f()
    assert someone.g() == 1


# ---- models ------------------------------------------------------------------------------------------------


class Net(nn.Module):
    """BatchNorm and dropout, layers written in three ways."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 5)
        self.norm = nn.BatchNorm1d(5)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.norm(self.first(x.flatten(1))))
        return nn.functional.linear(self.drop(h), self.last.weight, self.last.bias)


X = torch.randn(8, 2, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def net() -> Net:
    return Net()


def test_a_model_keeps_modes_gradients_and_attributes(net: Net) -> None:
    net.train()
    net.norm.eval()
    net.last.weight.grad = torch.ones(3, 5)
    before = {name: t.clone() for name, t in net.state_dict().items()}
    model = student(net=net).net
    model.forward(X)
    model.layers(X)
    model.predict(X)
    assert [module.training for module in net.modules()] == [True, True, False, True, True]
    assert torch.equal(net.last.weight.grad, torch.ones(3, 5))
    assert all(torch.equal(net.state_dict()[name], t) for name, t in before.items())
    assert not model.forward(X).requires_grad
    assert not hasattr(model, "first")


def test_modes_are_restored_after_an_error(net: Net) -> None:
    net.train()
    with pytest.raises(StudentError, match="RuntimeError"):
        student(net=net).net.forward(torch.ones(2, 99))
    assert net.training


def test_the_mode_asked_for_is_the_mode_of_the_pass(net: Net) -> None:
    model = student(net=net.eval()).net
    x = X[:1].expand(500, 2, 3) + torch.randn(500, 1, 1)
    assert torch.equal(model.forward(x), model.forward(x))
    assert not torch.equal(model.forward(x, training=True), model.forward(x, training=True))
    silent = [model.forward(x, training=True, dropout=False) for _ in range(2)]
    assert torch.equal(*silent)


def test_logits_are_asked_for_their_shape(net: Net) -> None:
    assert student(net=net).net.logits(X, classes=3).dtype == torch.float64
    assert student(net=net).net.predict(X, batch=3).shape == (8,)
    with pytest.raises(CheckFailed, match=r"for 8 images the network returns shape \(8, 3\), not \(8, 10\)"):
        student(net=net).net.logits(X, classes=10)
    nothing = nn.Module()
    nothing.forward = lambda x: None  # type: ignore[method-assign]
    with pytest.raises(CheckFailed, match=r"the network returns .*, not a tensor"):
        student(net=nothing).net.logits(X)


def test_layers_in_the_order_they_ran(net: Net) -> None:
    layers = student(net=net).net.layers(X)
    assert [layer.kind for layer in layers] == ["linear", "batch_norm", "relu", "dropout", "linear"]
    assert [layer.output for layer in layers] == [(8, 5), (8, 5), (8, 5), (8, 5), (8, 3)]
    assert layers[0].parameters == {"weight": "first.weight", "bias": "first.bias"}
    assert layers[1].parameters["running_var"] == "norm.running_var"
    assert layers[3].settings["p"] == 0.5


def test_reinitialized_layers_know_their_values(net: Net) -> None:
    model = student(net=net).net
    layers = model.reinitialize(X, generator=torch.Generator().manual_seed(3))
    state = model.state()
    for layer in layers:
        for role, name in layer.parameters.items():
            assert torch.allclose(state[name], layer.values[role], atol=1e-6)
    norm = layers[1].values
    assert norm["running_var"].min() > 0.4
    assert norm["weight"].abs().min() > 0.4
    again = model.reinitialize(X, generator=torch.Generator().manual_seed(3))
    assert torch.equal(again[0].values["weight"], layers[0].values["weight"])
    h = X.flatten(1).double() @ layers[0].values["weight"].T + layers[0].values["bias"]
    h = (h - norm["running_mean"]) / (norm["running_var"] + 1e-5).sqrt() * norm["weight"] + norm["bias"]
    right = h.relu() @ layers[-1].values["weight"].T + layers[-1].values["bias"]
    assert torch.allclose(model.logits(X), right, atol=1e-4)


def test_loading_some_parameters_leaves_the_others(net: Net) -> None:
    model = student(net=net).net
    before = model.state()
    model.load({"last.bias": torch.tensor([1.0, 2.0, 3.0])})
    after = model.state()
    assert after["last.bias"].tolist() == [1, 2, 3]
    assert torch.equal(after["first.weight"], before["first.weight"])
    with pytest.raises(StudentError, match="raised"):
        model.load({"last.bias": torch.ones(7)})


def test_fit_lowers_the_loss_and_restores_the_mode(net: Net) -> None:
    model = student(net=net.eval()).net
    x = torch.randn(30, 2, 3, generator=torch.Generator().manual_seed(2))
    y = x[:, 0].argmax(1)

    def loss() -> float:
        return float(nn.functional.cross_entropy(model.logits(x), y))

    before = loss()
    model.fit(x, y, steps=40, batch=7, lr=0.1, momentum=0.9)
    assert loss() < 0.8 * before
    assert not net.training
    assert all(p.grad is None for p in net.parameters())


def test_networks_and_loaders_for_the_students_functions() -> None:
    def train(model: nn.Module, loader: Any) -> list[int]:
        with torch.no_grad():
            for p in model.parameters():
                p.add_(1)
        return [len(x) for x, _ in loader]

    someone = student(train=train)
    network = someone.make_network(("Linear", 2, 3), ("ReLU",), state={"0.weight": torch.zeros(3, 2)})
    loader = someone.make_loader(torch.ones(10, 2), torch.arange(10), batch=4)
    assert someone.train(network, loader) == [4, 4, 2]
    assert network.state()["0.weight"].tolist() == [[1.0, 1.0]] * 3


# ---- gradients, attributes, what runs ------------------------------------------------------------------------


def test_gradients_of_a_function() -> None:
    def f(x: torch.Tensor, n: int, y: torch.Tensor, shift: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
        return x @ y.detach() * n + shift, x.sum()

    x, y = torch.randn(2, 3).double(), torch.randn(3, 4).double()
    upstream = torch.randn(2, 4).double()
    found = student(f=f).f.gradients(x, 5, y, upstream=upstream, shift=1.0)
    assert torch.allclose(found.inputs[0], 5 * upstream @ y.T)
    assert found.inputs[1:] == [None, None]
    assert found.parameters == {}
    assert not x.requires_grad


def test_gradients_through_a_change_in_place() -> None:
    def f(x: torch.Tensor) -> torch.Tensor:
        x *= 3
        return x

    x = torch.ones(2)
    assert student(f=f).f.gradients(x, upstream=torch.ones(2)).inputs[0].tolist() == [3.0, 3.0]
    assert x.tolist() == [1.0, 1.0]


def test_gradients_of_what_is_in_a_list() -> None:
    def f(x: torch.Tensor, params: list[torch.Tensor]) -> torch.Tensor:
        return x * params[0] + params[1].detach()

    x = torch.tensor([2.0])
    found = student(f=f).f.gradients(x, [torch.tensor([5.0]), torch.tensor([7.0])], upstream=torch.ones(1))
    assert [g if g is None else g.tolist() for g in found.inputs] == [[5.0], [2.0], None]


@pytest.mark.parametrize(
    "f", [lambda x: x.detach(), lambda x: None, lambda x: x.numpy(force=True), lambda x: [1]]
)
def test_what_is_not_connected_has_no_gradient(f: Callable[..., Any]) -> None:
    assert student(f=f).f.gradients(torch.ones(3), upstream=torch.ones(3)).inputs == [None]


def test_gradients_of_a_model_leave_no_trace(net: Net) -> None:
    net.train()
    net.first.bias.requires_grad_(False)
    model = student(net=net).net
    upstream = torch.randn(8, 3)
    found = model.gradients(X, upstream=upstream)
    assert net.training
    assert all(p.grad is None for p in net.parameters())
    assert found.parameters["first.bias"] is None
    assert torch.allclose(found.parameters["last.bias"], upstream.sum(0).double(), atol=1e-5)
    assert found.inputs[0].shape == X.shape
    assert found.inputs[0].dtype == torch.float64


def test_gradients_of_another_shape_are_an_error_of_the_answer() -> None:
    with pytest.raises(StudentError, match="your code raised RuntimeError: "):
        student(f=lambda x: 2 * x).f.gradients(torch.ones(3), upstream=torch.ones(4))
    liar = Student(lambda request, seconds: pack({"value": {"inputs": "all"}}))
    with pytest.raises(StudentError, match="there are no gradients"):
        Function(liar, "f").gradients(upstream=torch.ones(1))


def test_functions_that_ran_are_named(net: Net) -> None:
    someone = student(net=net, f=lambda x: x.softmax(-1) @ x)
    assert {"softmax", "matmul"} & someone.f.used(torch.ones(2, 2)) == {"softmax", "matmul"}
    assert "batch_norm" in someone.net.used(X)
    attention = nn.MultiheadAttention(6, 2, batch_first=True)
    x = torch.ones(1, 2, 6)
    assert "multi_head_attention_forward" in student(net=attention).net.used(x, x, x)


def test_attributes_that_are_data(net: Net) -> None:
    net.seen = torch.ones(3)  # type: ignore[assignment]
    model = student(net=net).net
    assert model.attribute("seen").tolist() == [1, 1, 1]
    assert model.attribute("unseen") is None


def test_a_stub_takes_the_place_of_attention() -> None:
    someone = student(f=lambda stub, q, k, v, m: stub(q, k, v, mask=m))
    q, k, v = torch.randn(2, 3, 4), torch.randn(2, 5, 4), torch.randn(2, 5, 4)
    mask = torch.arange(5) < torch.tensor([[2], [5]])
    mixed = someone.f(someone.make_stub_attention(2.0, 0.5, -1.0), q, k, v, mask[:, None])
    assert torch.allclose(mixed[0], 2 * q[0] + (0.5 * k[0, :2] - v[0, :2]).mean(0), atol=1e-5)
    assert torch.allclose(mixed[1], 2 * q[1] + (0.5 * k[1] - v[1]).mean(0), atol=1e-5)


# ---- where an earlier part is wrong ------------------------------------------------------------------------

CHAIN = """
def double(x):
    raise ValueError("not written")

def quadruple(x):
    return double(double(x=x))
"""


def test_arguments_of_replaced_functions_come_in_the_order_of_their_parameters() -> None:
    names: dict[str, Any] = {}
    exec("def f(a, b): pass\ndef g(): return f(b=2, a=1)\ndef h(): return f(1)", names)
    someone = Student(lambda request, _: Worker(names).serve(request, 30.0))
    assert someone.g.call_with({"f": [7]}) == (7, {"f": [[1, 2]]})
    with pytest.raises(StudentError, match="missing a required argument: 'b'"):
        someone.h.call_with({"f": [7]})


def test_a_function_is_judged_with_right_ones_in_place_of_those_it_calls() -> None:
    names: dict[str, Any] = {}
    exec(CHAIN, names)
    before = dict(names)
    someone = Student(lambda request, _: Worker(names).serve(request, 30.0))
    assert someone.quadruple.call_with({"double": [6, 12]}, 3) == (12, {"double": [[3], [6]]})
    assert {name: names[name] for name in before} == before
    with pytest.raises(StudentError, match="not written"):
        someone.quadruple(3)
    with pytest.raises(StudentError, match=r"unexpected|takes"):
        someone.quadruple.call_with({"double": [1]}, 1, 2)
    assert names["double"] is before["double"]


def test_stubs_stand_in_for_names_until_the_end_of_the_block() -> None:
    names: dict[str, Any] = {}
    exec(
        "def attention(*inputs): raise ValueError('wrong')\ndef look(x): return attention(x, x, x)[0]", names
    )
    before = dict(names)
    someone = Student(Worker(names).serve)
    x = torch.ones(2, 3)
    with pytest.raises(StudentError, match="wrong"):
        someone.look(x)
    with someone.with_stubs(attention="attention", missing="pair"):
        assert torch.allclose(someone.look(x), x)
        assert [part.tolist() for part in someone.missing(torch.tensor([[1, 2, 3]]))] == [[[2, 3]], [[2, 1]]]
    assert names == before
    with pytest.raises(CheckFailed), someone.with_stubs(attention="attention"):
        raise CheckFailed("a check ends in the block")
    assert names == before


def test_values_in_place_of_a_function_are_copies() -> None:
    names: dict[str, Any] = {}
    exec("def f(): return {}\ndef g():\n    f()['a'] = 1\n    return f()", names)
    someone = Student(lambda request, _: Worker(names).serve(request, 30.0))
    assert someone.g.call_with({"f": [{"b": 2}]}) == ({"b": 2}, {"f": [[], []]})


@pytest.mark.parametrize(
    "reply", [None, {"value": 1}, {"value": 1, "calls": {"f": 3}}, {"value": 1, "calls": []}]
)
def test_another_form_of_the_calls_is_the_students_error(reply: Any) -> None:
    someone = Student(lambda request, _: pack({"value": reply}))
    with pytest.raises(StudentError, match="`g` cannot be called"):
        Function(someone, "g").call_with({"f": [1]})


def test_layers_in_plain_containers_are_adopted_once() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.known = nn.Linear(2, 3)
            self.listed_0 = "a name that is in use"
            self.listed = [nn.Linear(3, 3), (nn.ReLU(), {"norm": nn.BatchNorm1d(3)}), self.known]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.listed[0](self.known(x))  # type: ignore[no-any-return, operator]

    model = student(net=Net()).net
    assert sorted(model.state()) == ["known.bias", "known.weight"]
    assert model.adopt() is model
    named = sorted(model.state())
    assert len([name for name in named if name.startswith("listed_")]) == 2 + 5  # Linear and BatchNorm
    assert len([name for name in named if name.startswith("known")]) == 2
    assert sorted(model.adopt().state()) == named
    assert "weight" in model.layers(torch.ones(1, 2))[1].parameters


def test_layers_that_forward_makes_are_adopted_and_kept() -> None:
    class Net(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.Linear(3, 1)(super().forward(x))  # type: ignore[no-any-return]

    model, x = student(net=Net(nn.Linear(2, 3))).net, torch.ones(1, 2)
    assert not torch.equal(model.forward(x), model.forward(x))
    model.adopt(x)
    assert torch.equal(model.forward(x), model.forward(x))
    assert len(model.state()) == 4
    assert all("weight" in layer.parameters for layer in model.layers(x))
    gradients = model.gradients(x, upstream=torch.ones(1, 1)).parameters
    assert all(gradient is not None for gradient in gradients.values())
    model.load({name: 0 * value for name, value in model.state().items()})
    assert model.forward(x).item() == 0


def test_of_several_outputs_an_adopted_model_gives_the_first() -> None:
    class Net(nn.Linear):
        def forward(self, x: torch.Tensor) -> Any:
            return super().forward(x), x

    model = student(net=Net(2, 3)).net
    with pytest.raises(CheckFailed, match="a tuple"):
        model.logits(torch.ones(4, 2))
    assert model.adopt().logits(torch.ones(4, 2)).shape == (4, 3)
    model.fit(torch.ones(4, 2), torch.arange(4) % 3, steps=1, batch=4, lr=0.1, momentum=0.0)


def test_a_class_called_like_our_verb_that_never_ends_leaves_no_stubs() -> None:
    names: dict[str, Any] = {}
    source = "class stub(Module):\n    def forward(self, x):\n        while True: pass"
    exec(
        f"from torch.nn import Module\n{source}\nclass LayerNorm(Module): pass\ndef make(): return stub()",
        names,
    )
    before = dict(names)
    worker = Worker(names)
    someone = Student(lambda request, _: worker.serve(request, 0.2))
    with pytest.raises(TimeLimit), someone.with_stubs(LayerNorm="layer norm"):
        someone.make().forward(torch.ones(1, 2))
    assert names == before


def test_stubs_end_with_the_connection() -> None:
    names: dict[str, Any] = {"LayerNorm": None}
    line, listening = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    with tempfile.TemporaryDirectory() as folder, line, listening:
        listening.bind(f"{folder}/worker")
        listening.listen()
        thread = threading.Thread(target=attend, args=(names, listening.fileno(), "token"))
        thread.start()
        line.connect(f"{folder}/worker")
        line.sendall(b"token")
        assert line.recv(5) == b"token"
        send_request(
            line, pack({"verb": "stub", "args": {"stubs": {"LayerNorm": "layer norm"}}}), seconds=5.0
        )
        receive_reply(line, seconds=5.0)
        assert names == {"LayerNorm": nn.LayerNorm}
        line.close()  # the referee was stopped within the block
        thread.join()
    assert names == {"LayerNorm": None}
