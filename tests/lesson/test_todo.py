"""Unfinished cells say so, and "Run All" goes on."""

import json
from collections.abc import Iterator

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

TABLE = {
    "places": {"q1-code": ["2.2 (a)", "(a) Forward"]},
    "checked": {},
    "defines": {"hw.ipynb": {"z": "q1-code", "forward": "q1-code"}},
}

LOCAL = "def g():\n    z += 1\ng()"  # of a name that question 2.2 defines, but another error


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingKernelClient]:
    folder = tmp_path_factory.mktemp("homework")
    (folder / "handin.json").write_text(json.dumps(TABLE))
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder), startup_timeout=300)
    run(client, "from chainrule.lesson import todo, within")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(client: BlockingKernelClient, source: str) -> tuple[str, list[str]]:
    """A cell's status, which decides whether "Run All" goes on, and what its error output says."""
    told: list[str] = []

    def hear(message: dict) -> None:
        if message["msg_type"] == "error":
            told.extend(message["content"]["traceback"])

    reply = client.execute_interactive(source, output_hook=hear, timeout=300)
    return reply["content"]["status"], told


def test_an_unfinished_cell_says_so_and_the_notebook_runs_on(client: BlockingKernelClient) -> None:
    status, told = run(client, "# TODO: z = …\ntodo()")
    assert (status, told) == (
        "ok",
        ["Not finished yet: write this cell where it says `todo()`, then run it again."],
    )
    run(client, "def forward(x):\n    todo()")
    status, (line,) = run(client, "forward(1)")
    assert status == "ok"
    assert line.startswith("Not finished yet: write `forward` (2.2 (a)) where it says `todo()`")


def test_what_depends_on_it_says_what_it_needs(client: BlockingKernelClient) -> None:
    status, told = run(client, "z + 1")
    assert status == "ok"
    assert told == ["Not finished yet: this needs `z`: write 2.2 (a), run it, and then this cell again."]


def test_what_a_given_cell_would_have_made_is_told_too(client: BlockingKernelClient) -> None:
    run(client, "def train():\n    todo()")
    assert run(client, "with within(5):\n    model, history = train()")[0] == "ok"
    for source in ("best = max(history)", "print(best)"):  # and what depends on that
        status, (line,) = run(client, source)
        assert status == "ok"
        assert line.startswith("Not finished yet: this needs `")


def test_other_errors_stay_as_they_are(client: BlockingKernelClient) -> None:
    for source, says in (
        ("zz + 1", "NameError"),
        ("1 / 0", "ZeroDivisionError"),
        ("def f(): return zz\nf()", "zz"),
    ):
        status, told = run(client, source)
        assert status == "error"
        assert says in "".join(told)


def test_an_endless_loop_in_a_given_cell_ends(client: BlockingKernelClient) -> None:
    loop = "def train():\n    while True: pass\nwith within(0.2, '`train`'):\n    train()"
    status, told = run(client, loop)
    assert (status, told) == ("error", ["`train` did not finish within 0.2 seconds: an endless loop?"])
    assert run(client, "2 + 2") == ("ok", [])
