"""README.md lists inputs and what each must give. Every one of them is the subject of a test beside it."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = "\n".join(path.read_text() for path in HERE.glob("test_*.py") if path.name != Path(__file__).name)


def inputs() -> list[str]:
    """The inputs that the tables of README.md list in their first column."""
    tables = re.split(r"^## ", (HERE / "README.md").read_text(), flags=re.MULTILINE)[1:]
    cells = [
        cell for table in tables for cell in re.findall(r"^\| ([^|]+) \|", table, flags=re.MULTILINE)[1:]
    ]
    return [
        name.strip() for cell in cells for name in re.sub(r"\(.*?\)", "", cell).replace("`", "").split(",")
    ]


@pytest.mark.parametrize("name", inputs())
def test_every_input_of_the_table_has_a_test(name):
    bare = name.rstrip("/").removesuffix(".ipynb")
    assert list(HERE.glob(f"*/{bare}*")), f"README.md lists {name}, and no such file is here"
    assert bare in TESTS, f"no test in tests/cases names {bare}"
