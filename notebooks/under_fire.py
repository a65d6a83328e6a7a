# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   kiloframe:
#     records: build/under_fire/offline.json
#     made_by: python -m attacks
# ---

# %% [markdown]
# # Under fire
#
# Files arrive damaged, disks fill up, processes are killed, two people start the same thing at once. A program is
# trusted for what it does then. Here every command that writes is killed at random moments and started again; every
# reader is given damaged files; the command line is given words that nobody types; and facts full of markup, formulas
# and commands are written out in every format. A user may see two things: an answer, or one sentence. The file at the
# final path is the former one or the new one, whole.

# %% tags=["parameters"]
scale = "toy"  # reads the records of `python -m attacks`; "smoke" carries out a few seconds of it
seed = 0
out = ""  # where results go; empty: build/runs

# %%
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from attacks.campaign import ATTACKS, default_folder
from kiloframe.sources import checkout
from reproductions.report import COLOURS, Report, figure, show

keep = tempfile.TemporaryDirectory()  # of what is tried at scale smoke, until the notebook ends
folder = Path(keep.name) if scale == "smoke" else default_folder()
if scale == "smoke":
    few = ["command-line=60", "sql=200", "results=20", "spreadsheet=4", "killed-export=3"]
    command = [sys.executable, "-m", "attacks", "--seed", str(seed), "--folder", keep.name]
    subprocess.run([*command, *(word for kind in few for word in ("--only", kind))], cwd=checkout(), check=True)
files = [folder / f"{kind}.json" for kind in ATTACKS]
records = {file.stem: json.loads(file.read_text()) for file in files if file.is_file()}
report = Report("under_fire", title="Under fire", scale=scale, seed=seed, seeds=[seed], out=out)


def total(*counters):
    """The sum of these counters over all attacks."""
    return sum(record[counter] for record in records.values() for counter in counters)


WRONG = ("tracebacks", "broken", "hung")

# %% [markdown]
# ## The figures

# %%
show(
    f"**{total('inputs'):,} inputs, {total('faults'):,} faults put in, {total('tracebacks'):,} tracebacks, "
    f"{total('broken'):,} files lost or broken, {total('hung'):,} that never came to an end.** "
    f"{total('answered'):,} times there was an answer, {total('refused'):,} times one sentence, and "
    f"{total('stopped'):,} commands died of a kill and were started again."
)
for counter, name in {
    "inputs": "inputs tried", "faults": "faults put in", "answered": "answered", "refused": "refused in one sentence",
    "stopped": "killed", "tracebacks": "tracebacks", "broken": "files lost or broken", "hung": "without an end",
}.items():  # fmt: skip
    better = "lower" if counter in WRONG else None
    report.measure(counter, "all attacks", name, total(counter), better=better)
    for record in records.values():
        report.measure(f"{counter}-{record['kind']}", record["title"], name, record[counter], better=better)

# %%
heads = [
    "Attack",
    "Inputs",
    "Faults put in",
    "Answered",
    "One sentence",
    "Killed",
    "Tracebacks",
    "Lost or broken",
    "No end",
]
counters = ("inputs", "faults", "answered", "refused", "stopped", *WRONG)
report.table(
    heads,
    [[record["title"], *(f"{record[counter]:,}" for counter in counters)] for record in records.values()]
    + [["**All**", *(f"**{total(counter):,}**" for counter in counters)]],
    "Inputs: things tried. Faults: kills that hit, writes that failed, places taken away, damage put into a file. A "
    "killed command is run once more, in peace, and counts as answered then. Lost or broken: neither the former nor "
    "the new file, other bytes than an uninterrupted run leaves, or something left behind.",
)  # fmt: skip

# %%
drawn, (axes,) = figure(height=0.9 + 0.24 * len(records))
parts = {"answered": "answered", "refused": "one sentence", "stopped": "killed", "wrong": "traceback, broken or no end"}
for place, record in enumerate(records.values()):
    counts = {**record, "wrong": sum(record[counter] for counter in WRONG)}
    whole, left = sum(counts[part] for part in parts) or 1, 0.0
    for colour, (part, name) in zip(COLOURS, parts.items(), strict=False):
        axes.barh(place, counts[part] / whole, left=left, color=colour, label=name if place == 0 else None)
        left += counts[part] / whole
axes.set(yticks=range(len(records)), xlabel="share of the outcomes", xlim=(0, 1))
axes.set_yticklabels([record["title"] for record in records.values()])
axes.invert_yaxis()
drawn.legend(loc="outside upper center", ncols=4, frameon=False)
report.image(
    drawn, "outcomes", "What came of each attack, as shares of all its outcomes.",
    f"Bars of shares per attack; {total(*WRONG):,} of {total('answered', 'refused', 'stopped', *WRONG):,} were wrong.",
)  # fmt: skip

# %% [markdown]
# ## What was attacked how often
#
# A kill comes at a moment by the clock, or at an operation on files (the opening, the renaming) and a few steps of
# Python later. Two of three are SIGKILL, which nobody can answer, the third is SIGTERM; one command is killed up to
# three times. Afterwards the same command has to leave what it leaves in peace, video and weights byte for byte.

# %%
for record in records.values():
    if record["kind"].startswith("killed-") or record["kind"] in ("full-disk", "no-place", "no-home", "twice"):
        often = sorted(record["parts"].items(), key=lambda part: -part[1])
        report.table(
            ["What", "Times"], [[f"`{name}`", f"{count:,}"] for name, count in often],
            f"{record['title']}: {record['inputs']:,} times, {record['faults']:,} faults.",
        )  # fmt: skip

# %%
told = [example for record in records.values() for example in record["examples"]]
noted = [f"{record['title']}: {note}" for record in records.values() for note in record["notes"]]
show("\n".join(f"* {example[:300]}" for example in told) if told else "Nothing was wrong, so there is nothing to tell.")
show("\n".join(f"* {note}" for note in noted) if noted else "Every attack could be carried out in full here.")

# %% [markdown]
# ## Where

# %%
first = next(iter(records.values()))
report.table(
    ["", ""],
    [
        ["Seeds", ", ".join(str(s) for s in sorted({record["seed"] for record in records.values()}))],
        ["Machine", ", ".join(sorted({record["machine"] for record in records.values()}))],
        ["Time", f"{sum(record['seconds'] for record in records.values()):,.0f} s"],
        *([name, version] for name, version in first["versions"].items()),
    ],
    "The same seed makes the same inputs in the same order; how many fit into the time depends on the machine.",
)  # fmt: skip

# %% [markdown]
# ## What not to conclude
#
# * That nothing can go wrong. These are so many inputs of these kinds, each made by a few lines in `attacks/`.
# * That a disk keeps what it was told to keep. A kill is not a power cut: nothing here asks what a machine forgets that
#   loses power, and files are not synchronised to the disk before they are renamed.
# * That other readers are safe. FFmpeg, SQLite, PyYAML and torch are used as they are; what was tried is that their
#   refusal reaches the user as a sentence.

# %% [markdown]
# ## Exercise
#
# How sure can one be that the share of inputs that end in a traceback is small? If none of $n$ independent inputs did,
# the share is below $3 / n$ with 95 % confidence (the rule of three). Which attack says the least?
#
# <details><summary>A solution</summary>
#
# ```python
# for record in sorted(records.values(), key=lambda record: record["inputs"]):
#     print(record["title"], f"below {min(1, 3 / record['inputs']):.2%}")
# ```
#
# The kills, by far: each takes a second where a query takes a tenth of a millisecond. That is why they go to the
# operations on files, where something can break, and not only to moments by the clock.
#
# </details>

# %%
result_file = report.save()
keep.cleanup()
