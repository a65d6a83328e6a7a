"""What one attack counts, and the rules by which an outcome is judged."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import platform
import random
import re
import sqlite3
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from attacks.child import Outcome
from kiloframe.errors import UserError
from kiloframe.files import write_atomically

__all__ = ["EXAMPLES", "Fire", "Tally"]

EXAMPLES = 20
"""Faults that a record tells of in words; all of them are counted."""
_SENTENCE = re.compile(r"(?:\A|[\r\n\]])kiloframe: [^\n]+\n")  # maybe between two states of a progress bar


@dataclass
class Tally:
    """The counts of one attack.

    inputs: things tried; faults: kills that hit, writes that failed, places taken away, damage put into a file;
    answered: ended well; refused: one sentence; stopped: the death that was asked for; tracebacks: an error that is no
    sentence; broken: files lost, torn, unequal or left behind; hung: no end within the time.
    """

    kind: str
    title: str
    seed: int
    inputs: int = 0
    faults: int = 0
    answered: int = 0
    refused: int = 0
    stopped: int = 0
    tracebacks: int = 0
    broken: int = 0
    hung: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def wrong(self) -> int:
        """How often kiloframe did what it must not do."""
        return self.tracebacks + self.broken + self.hung

    def tried(self, part: str) -> None:
        """One more input, of this part of the attack."""
        self.inputs += 1
        self.parts[part] = self.parts.get(part, 0) + 1

    def fault(self, counter: str, what: str) -> None:
        """Count a fault of kiloframe, `tracebacks`, `broken` or `hung`, and keep the first ones in words."""
        setattr(self, counter, getattr(self, counter) + 1)
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{counter}: {what}"[:2000])

    def crashed(self, what: str) -> None:
        """Count the exception that is being handled as a traceback."""
        self.fault("tracebacks", f"{what}: {traceback.format_exc()[-1500:]}")

    def note(self, text: str) -> None:
        """What somebody who reads the record should know; told once."""
        if text not in self.notes:
            self.notes.append(text)

    def refuses(self, error: UserError, what: str, names: str = "") -> None:
        """Count a refusal, which must be one sentence, and name `names`."""
        if "\n" in str(error).strip() or not str(error).strip() or names not in str(error):
            self.fault("tracebacks", f"{what}: no sentence that names {names!r}: {error}")
        else:
            self.refused += 1

    def judge(self, outcome: Outcome, what: str, *, killed: bool = False, news: bool = False) -> bool:
        """Count the end of a command; whether it ended well.

        killed: a death by the signal that was sent is fine; news: bad news on stdout, with exit code 1 or 2, is an
        answer too.
        """
        told = f"{what}: exit code {outcome.code}, {outcome.err[-1200:]!r}"
        if outcome.hung:
            self.fault("hung", told)
        elif news and outcome.code in (1, 2) and outcome.out and "Traceback" not in outcome.err:
            self.answered += 1
        elif outcome.code == 0 and "Traceback" not in outcome.err:
            self.answered += 1
            return True
        elif killed and outcome.code in (-9, -15, 130) and "Traceback" not in outcome.err:
            self.stopped += 1
        elif outcome.code in (1, 2) and "Traceback" not in outcome.err and _SENTENCE.search(outcome.err):
            self.refused += 1
        else:
            self.fault("tracebacks", told)
        return False

    def save(self, folder: Path) -> None:
        """Write the record `folder`/<kind>.json, with the versions and the machine that it is about."""
        names = ("kiloframe", "torch", "numpy", "av", "Pillow", "safetensors", "PyYAML", "msgspec", "click")
        versions = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
        for name in names:
            versions[name] = importlib.metadata.version(name)
        record: dict[str, Any] = asdict(self) | {
            "seconds": round(self.seconds, 1), "versions": versions, "machine": f"{platform.machine()}, "
            f"{platform.system()} {platform.release()}", "created": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        }  # fmt: skip
        write_atomically(folder / f"{self.kind}.json", json.dumps(record, indent=1) + "\n")


@dataclass
class Fire:
    """What an attack works with: its counts, its random numbers, and an empty folder."""

    tally: Tally
    rng: random.Random
    folder: Path
