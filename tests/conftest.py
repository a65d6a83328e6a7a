"""Fixtures that all tests share.

root            the repository's root folder (Path)
cat             the catalogue of this checkout, loaded once (never change it)
catalogue_copy  a copy of catalogue/ in a temporary folder, to break
problems_of     what one lint rule says of one record after changes to its text
kf              the command in this process: exit code, stdout, stderr
"""

import os
import runpy
import shutil
import signal
from pathlib import Path

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

import kiloframe
from kiloframe.cli import invoke

# The same examples in every run, and no deadline: the tests share a slow machine.
hypothesis.settings.register_profile("kiloframe", deadline=None, derandomize=True)
hypothesis.settings.load_profile("kiloframe")

# A shell that starts the tests in the background lets them ignore Ctrl-C; some tests send it to themselves.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent

# make test works at two tests at a time (pytest-xdist); then each has one thread, the kernels it starts too.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

# Offline: here, and in every Python that a test starts.
OFFLINE = ROOT / "tests/offline"
runpy.run_path(str(OFFLINE / "sitecustomize.py"))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(OFFLINE), os.environ.get("PYTHONPATH")]))


class _Together(LoadScopeScheduling):
    """One process gets what shares a fixture: all that asks the built site, one notebook, else one file."""

    def _split_scope(self, nodeid):
        file, _, test = nodeid.partition("::")
        if file.startswith("tests/browser/"):
            return "tests/browser"
        return f"{file} {test.partition('[')[2]}" if "test_notebook_" in file else file


def pytest_xdist_make_scheduler(config, log):
    return _Together(config, log)


def pytest_collection_modifyitems(items):
    """Notebooks and the site come first: they take longest, and what is short fills the end."""
    items.sort(key=lambda item: not (item.path.stem.startswith("test_notebook_") or "browser" in item.path.parts))


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def cat():
    return kiloframe.load()


@pytest.fixture
def catalogue_copy(tmp_path, root):
    return Path(shutil.copytree(root / "catalogue", tmp_path / "a copy" / "catalogue"))


@pytest.fixture(scope="session")
def fact_files(root):
    from kiloframe.factfiles import read_facts

    return read_facts(root / "catalogue")


@pytest.fixture
def problems_of(fact_files, tmp_path):
    """`problems_of(rule, "methods/fdm", ("old text", "new text"), ...)`: the problems as printed."""
    from kiloframe.factfiles import read_yaml

    def run(rule, name, *changes):
        file = fact_files.root / f"{name}.yaml"
        text = file.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text, f"{name} does not hold {old!r}"
            text = text.replace(old, new, 1)
        changed = tmp_path / file.name
        changed.write_text(text, encoding="utf-8")
        data, lines = read_yaml(changed)
        if name == "survey":
            facts = fact_files._replace(records=[], survey=fact_files.survey._replace(data=data, lines=lines))
        else:
            record = next(record for record in fact_files.records if record.file == file)
            facts = fact_files._replace(records=[record._replace(data=data, lines=lines)])
        return [str(problem) for problem in rule(facts)]

    return run


@pytest.fixture
def kf(capsys):
    """The command in this process: `kf("list", "--year", "2023")` gives its exit code, stdout and stderr."""

    def run(*arguments):
        code = invoke(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run
