"""`kiloframe doctor`: what it finds, what it misses, what it says to type."""

import importlib.metadata
import shutil

import pytest

from kiloframe import execute
from kiloframe.cli import invoke
from kiloframe.commands import doctor
from kiloframe.errors import UserError


@pytest.fixture
def told(capsys):
    """Run the doctor; its exit code and its words with single spaces."""

    def run():
        code = invoke(["doctor"])
        out = capsys.readouterr().out
        return code, [" ".join(line.split()) for line in out.splitlines()]

    return run


@pytest.fixture
def without(monkeypatch):
    """Make packages look as if they were not installed, or of another version."""
    versions = {}
    real = importlib.metadata.version

    def version(name):
        if name not in versions:
            return real(name)
        if versions[name] is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    return versions.update


def test_a_whole_installation_is_in_order(told):
    code, lines = told()
    assert code == 0, lines
    assert f"torch {importlib.metadata.version('torch')}" in lines
    assert any(line.startswith("facts 51 methods, 30 data sets, 19 metrics") for line in lines)
    assert any(line.startswith("[notebooks] complete") for line in lines)
    assert lines[-3:] == ["kiloframe list", "kiloframe run fdm", "kiloframe site --serve"]


def test_a_missing_package_fails_its_extra_and_says_what_to_type(told, without):
    without({"torch": None})
    code, lines = told()
    assert code == 1
    assert any(line.startswith("torch not installed, needs torch>=") for line in lines)
    assert any(line.startswith("[reproductions] incomplete") for line in lines)
    assert lines[-1] == "pip install -c constraints.txt -e '.[reproductions]'"


def test_a_package_that_is_too_old_counts_as_missing(told, without):
    without({"click": "7.1.2"})
    code, lines = told()
    assert code == 1 and "click 7.1.2, needs click>=8.1" in lines


def test_the_test_extra_and_chromium_are_no_failure(told, without, monkeypatch):
    without({"hypothesis": None})
    monkeypatch.setattr(shutil, "which", lambda name: None)
    code, lines = told()
    assert code == 0
    assert any(line.startswith("[test] incomplete") for line in lines)
    assert any(line.startswith("chromium not found") for line in lines)


def test_without_a_checkout_the_wheel_is_named(told, without, monkeypatch):
    def none():
        raise UserError("needs a checkout")

    monkeypatch.setattr(execute, "checkout", none)
    without({"pyarrow": None})
    code, lines = told()
    assert code == 1
    assert any(line.startswith("checkout no: run, train, generate, status and site need one") for line in lines)
    assert "pip install 'kiloframe[parquet]'" in lines


def test_missing_weights_name_the_training(told, monkeypatch):
    import reproductions

    monkeypatch.setattr(reproductions, "names", lambda: ["fdm", "vdm"])
    code, lines = told()
    assert code == 1 and lines[-1] == "kiloframe train vdm"
    assert any(line.startswith("weights 1 of 2 reproductions") for line in lines)


def test_broken_facts_are_told(told, monkeypatch):
    import kiloframe

    def broken(path=None):
        raise UserError("catalogue/methods/fdm.yaml:3: colour: unknown key")

    monkeypatch.setattr(kiloframe, "load", broken)
    code, lines = told()
    assert code == 1 and lines[-1] == "kiloframe lint"
    assert "facts broken: catalogue/methods/fdm.yaml:3: colour: unknown key" in lines


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("2.13.0+cpu", ">=2.4", True),
        ("1.10", ">=1.9", True),
        ("1.4.4", "<2,>=1.4", True),
        ("2.0.0b4", "<2,>=1.4", False),
        ("8.0", ">=8.1", False),
        ("20251106", "", True),
    ],
)
def test_versions_are_compared_as_numbers(version, wanted, fits):
    assert doctor.satisfies(version, wanted) is fits
