"""A short campaign of python -m attacks, in a process of its own: it forks, which pytest should not."""

import json
import subprocess
import sys

__all__ = ["attacked", "clean"]


def attacked(root, folder, rounds, *, seed=1, wrong=False):
    """The records of these attacks, kind -> inputs of it; `wrong`: whether faults are to be found, None for either."""
    only = [word for kind, count in rounds.items() for word in ("--only", f"{kind}={count}")]
    command = [sys.executable, "-m", "attacks", "--folder", str(folder), "--seed", str(seed), *only]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode in ((0, 1) if wrong is None else (int(wrong),)), done.stdout + done.stderr
    return {kind: json.loads((folder / f"{kind}.json").read_text()) for kind in rounds}


def clean(record):
    """Whether kiloframe did nothing that it must not do."""
    return record["tracebacks"] == record["broken"] == record["hung"] == 0 and record["examples"] == []
