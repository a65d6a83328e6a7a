"""Loading is fast: measured against a bare interpreter, interleaved, the fastest of many runs of each."""

import statistics
import subprocess
import sys
import time

import kiloframe

HEAVY = {"torch", "numpy", "pandas", "yaml", "jsonschema", "rich", "sqlite3", "ruamel", "click"}


def seconds(code):
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def test_load_takes_at_most_50_ms_more_than_a_bare_interpreter():
    kiloframe.load()  # leaves a fresh snapshot
    bare, loaded = [], []
    for _ in range(15):
        bare.append(seconds("pass"))
        loaded.append(seconds("import kiloframe; kiloframe.load()"))
    fastest, middle = min(loaded) - min(bare), statistics.median(loaded) - statistics.median(bare)
    assert min(fastest, middle) <= 0.050, (
        f"load() costs {fastest * 1000:.0f} ms (fastest), {middle * 1000:.0f} ms (median)"
    )


def imported(code):
    """Top-level modules that the code imports in a fresh interpreter."""
    script = f"import sys; before = set(sys.modules)\n{code}\nprint(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_and_loading_import_nothing_heavy():
    kiloframe.load()
    assert not imported("import kiloframe") & (HEAVY | {"msgspec", "typing", "re"})
    assert not imported("import kiloframe; kiloframe.load()") & (HEAVY | {"msgspec", "typing", "re"})


def test_looking_up_and_filtering_import_nothing_heavy():
    kiloframe.load()
    code = "import kiloframe; cat = kiloframe.load(); cat.methods.where(paradigm='both', text='frame')['fdm']"
    assert not imported(code) & HEAVY
