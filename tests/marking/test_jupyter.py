"""What Jupyter's server and JupyterLab read about the extension names what is there."""

from __future__ import annotations

import json
import tomllib
from importlib import import_module

from jupyter_server.extension.utils import get_loader, get_metadata
from tiny_course import ROOT

HERE = ROOT / "chainrule" / "marking" / "jupyter"


def test_the_server_finds_the_extension() -> None:
    (name,) = json.loads((HERE / "chainrule.json").read_text())["ServerApp"]["jpserver_extensions"]
    _, (point,) = get_metadata(name)
    assert get_loader(point["app"])
    assert import_module(point["module"]).MarkingApp is point["app"]
    assert point["app"].name == "chainrule_marking"
    assert point["app"].get_extension_package() == name


def test_a_wheel_and_the_setup_install_the_same_files() -> None:
    """Where JupyterLab looks: the entry that package.json names must be beside it."""
    installed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    files = {f"{folder}/{path.rpartition('/')[2]}" for folder, paths in installed.items() for path in paths}
    assert all((ROOT / path).is_file() for paths in installed.values() for path in paths)
    about = json.loads((HERE / "package.json").read_text())
    lab = f"share/jupyter/labextensions/{about['name']}"
    assert {f"{lab}/package.json", f"{lab}/{about['jupyterlab']['_build']['load']}"} <= files
    script = (HERE / "remoteEntry.js").read_text()
    assert f'_JUPYTERLAB["{about["name"]}"]' in script
    assert f'"{about["jupyterlab"]["_build"]["extension"]}"' in script
    setup = (ROOT / "setup.sh").read_text()
    assert all(path.rpartition("/")[2] in setup for path in files)
