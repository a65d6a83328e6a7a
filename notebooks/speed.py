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
#     records: build/bench/unet-forward.json
#     made_by: make bench
# ---

# %% [markdown]
# # Speed, side by side
#
# A method that can be read in an evening is of little use if it takes all night to run. Here our parts and methods do
# the same work as the libraries that one would otherwise install: a forward pass, a training step, a short sampling
# loop, a video made four times as long, at equal shapes and nearly equal numbers of parameters. Contenders take turns
# within every round, and what counts is the ratio of their times in a round; so a machine that is busy for a while
# slows both down and proves nothing.

# %% tags=["parameters"]
scale = "toy"  # reads the records of `make bench`; "smoke" measures one small layer, without the other libraries
seed = 0
out = ""  # where results go; empty: build/runs

# %%
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import __main__ as bench
from benchmarks.row import OURS, TOLERANCE
from benchmarks.verdicts import MEMORY, PARITY, judged
from reproductions.report import COLOURS, Report, figure, show

keep = tempfile.TemporaryDirectory()  # of what is measured at scale smoke, until the notebook ends
folder = Path(keep.name) if scale == "smoke" else bench.default_folder()
if scale == "smoke":
    status = bench.main(["--smoke", "--only", "layer-small", "--without-peers", "--folder", keep.name])
    assert status == 0, "the small layer could not be measured"
records = bench.read_records(folder)
found = {name: judged(record) for name, record in records.items()}
report = Report("speed", title="Speed, side by side", scale=scale, seed=seed, seeds=[seed], out=out)


def title(record):
    """The row in words."""
    return f"{record['title']}, {record['unit']}"


def time(seconds):
    """Seconds, in a unit that fits."""
    return f"{seconds:,.0f} s" if seconds >= 100 else f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


# %% [markdown]
# ## Who is faster
#
# The ratio is the peer's time over ours, the median of all rounds, with the 95 % interval of the bootstrap over the
# rounds: above 1 we are faster, and *level* means that the interval holds 1. Of several peers the fastest is shown.

# %%
drawn, (axes,) = figure(height=0.8 + 0.3 * len(found))
for place, result in enumerate(found.values()):
    for shift, pace in enumerate(result.paces):
        y = place + 0.25 * shift
        axes.plot([pace.low, pace.high], [y, y], color=COLOURS[shift], linewidth=2)
        label = f"{pace.threads} thread{'s' * (pace.threads > 1)}" if place == 0 else None
        axes.plot([pace.ratio], [y], "o", color=COLOURS[shift], markersize=4, label=label)
axes.axvline(1, color="#6b7280", linewidth=1)
axes.set(xscale="log", xlabel="time of the fastest peer / ours", yticks=range(len(found)))
axes.set_yticklabels([title(records[name]) for name in found])
ticks = [t for t in (0.25, 0.5, 1, 2, 4, 8, 16) if axes.get_xlim()[0] <= t <= axes.get_xlim()[1]]
axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
axes.minorticks_off()
axes.invert_yaxis()
drawn.legend(loc="outside upper right", ncols=2, frameon=False)
counts = {says: sum(p.says == says for r in found.values() for p in r.paces) for says in ("faster", "level", "slower")}
report.image(
    drawn, "ratios",
    caption=f"Of {sum(counts.values())} comparisons with the fastest peer, kiloframe is faster in {counts['faster']}, "
    f"level in {counts['level']} and slower in {counts['slower']}. Right of the line, kiloframe is faster.",
    alt=f"A dot and an interval for every row: faster {counts['faster']}, level {counts['level']}, slower {counts['slower']}.",  # noqa: E501
)  # fmt: skip

# %%
rows = []
for name, result in found.items():
    record = records[name]
    for threads, seconds in record["seconds"].items():
        for contender, taken in seconds.items():
            report.measure(
                f"{name}-{threads}", contender, f"{title(record)}, {threads} thread{'s' * (threads != '1')}",
                1000 * median(taken), unit="ms", better="lower", note=record["shape"],
            )  # fmt: skip
    for pace in result.paces:
        report.measure(
            f"{name}-{pace.threads}-ratio", OURS, f"{title(record)}, times as fast as {pace.peer}, threads: {pace.threads}",  # noqa: E501
            pace.ratio, better="higher", note=f"95 % interval {pace.low:.3f} to {pace.high:.3f}",
        )  # fmt: skip
        rows.append(
            [
                title(record), record["shape"], pace.threads, time(pace.ours), pace.peer, time(pace.theirs),
                f"{pace.ratio:.2f} [{pace.low:.2f}, {pace.high:.2f}]", pace.says, record["repeats"],
            ]
        )  # fmt: skip
report.table(
    ["Row", "Of what", "Threads", "Ours", "Fastest peer", "Its time", "Ratio", "Ours is", "Rounds"], rows,
    "Medians over the rounds. Units that take seconds have fewer rounds.",
)  # fmt: skip

# %% [markdown]
# ## Memory, operations, and how much of the machine is used
#
# Memory is what the peak of a fresh process grows by from where the work could begin, on one thread. Operations are
# multiplications and additions in products of matrices, convolutions and attention. The share is operations per second
# over those of this machine's own product of two large matrices, measured just before on as many threads.

# %%
rows = []
for name, record in records.items():
    for c in record["contenders"]:
        cells = [title(record), f"{c['name']}: {c['label']}"]
        cells.append("" if c["parameters"] is None else f"{c['parameters']:,}")
        cells.append(f"{c['operations'] / 1e9:.2f}" if c["operations"] else "")
        if "memory" in c:
            report.measure(f"{name}-memory", c["name"], f"{title(record)}, memory", c["memory"]["grown"] / 1024, unit="MB", better="lower")  # fmt: skip  # noqa: E501
        cells.append(f"{c['memory']['grown'] / 1024:,.0f} MB" if "memory" in c else "")
        shares = []
        for threads, seconds in record["seconds"].items():
            if c["operations"]:
                share = c["operations"] / median(seconds[c["name"]]) / record["matrix_peak"][threads]
                report.measure(f"{name}-{threads}-share", c["name"], f"{title(record)}, share of the matrix-product peak, threads: {threads}", share, better="higher")  # fmt: skip  # noqa: E501
                shares.append(f"{100 * share:.0f} %")
        rows.append([*cells, " / ".join(shares)])
report.table(
    ["Row", "Contender", "Parameters", "10^9 operations", "Memory", "Share of the peak"], rows,
    f"Parameters differ by at most {100 * TOLERANCE:.0f} % within a row, or it is refused. Shares: by threads. "
    "Where the work is done in a process of its own, memory is that process's whole peak.",
)  # fmt: skip

# %% [markdown]
# ## The same numbers
#
# Where weights can be mapped, both were given the same ones, and their results were compared.

# %%
rows = []
for name, record in records.items():
    for peer, difference in record["parity"].items():
        report.measure(f"{name}-parity-{peer}", OURS, f"{title(record)}, greatest difference from {peer}", difference, better="lower")  # fmt: skip  # noqa: E501
        rows.append([title(record), peer, f"{difference:.1e}", "yes" if difference < PARITY else "**no**"])
report.table(
    ["Row", "Peer", "Greatest difference", f"Below {PARITY:g}"], rows, "Results from the same weights and inputs."
)

# %% [markdown]
# ## The goal, row by row
#
# No peer is faster on any number of threads, results agree, a longer video takes at most half of a peer's memory, and
# the notebook suite keeps its bar.

# %%
met = {name: not result.lacks for name, result in found.items()}
rows = []
for name, result in found.items():
    record = records[name]
    memory = "" if result.memory is None else f"{100 * result.memory:.0f} %"
    rows.append([title(record), "yes" if met[name] else "**no**", "; ".join(result.lacks), memory])
report.table(
    ["Row", "Goal met", "What is left", "Memory, of the least of a peer's"], rows,
    f"The goal is met in {sum(met.values())} of {len(met)} rows; {100 * MEMORY:.0f} % of a peer's memory is the bar "
    "for videos that are extended.",
)  # fmt: skip
report.measure("met", OURS, "rows that meet the goal", sum(met.values()), better="higher", note=f"of {len(met)}")
left = [f"{title(records[name])} ({'; '.join(found[name].lacks)})" for name in met if not met[name]]
show(f"Not met: {', '.join(left)}." if left else "Every row meets the goal.")

# %% [markdown]
# ## Where and with what
#
# The compared libraries live in an environment of their own (`.venv-bench`); nothing of kiloframe needs them.

# %%
versions: dict[str, str] = {}
for record in records.values():
    versions |= record["versions"]
    versions |= {c["package"]: c["version"] for c in record["contenders"] if c["package"] is not None}
report.table(["What", "Version"], sorted(versions.items()), "Versions of everything that was measured.")
machines = sorted({record["machine"] for record in records.values()})
days = sorted({record["date"] for record in records.values()})
peaks = {
    threads: [r["matrix_peak"][threads] / 1e9 for r in records.values() if r["matrix_peak"].get(threads)]
    for threads in ("1", "2")
}  # fmt: skip
for threads, values in peaks.items():
    if values:
        report.measure(f"matrix-peak-{threads}", "machine", f"product of two matrices, threads: {threads}", float(np.median(values)), unit="10^9 operations per second", better="higher")  # fmt: skip  # noqa: E501
speeds = ", ".join(f"{np.median(v):,.0f} x 10^9 on {t} thread(s)" for t, v in peaks.items() if v)
show(
    f"Measured on {' and '.join(machines)}, {days[0] if len(days) == 1 else f'{days[0]} to {days[-1]}'}. Its products "
    f"of matrices reach {speeds} operations per second."
)  # fmt: skip

# %% [markdown]
# ## What not to conclude
#
# * That a library is slow. Each was written for a GPU and larger networks; here everything runs on CPU cores, small.
# * That equal size is equal quality. The networks have as many parameters, not the same architecture, but for the rows
#   with the same weights. Nothing here says whose videos are better.
# * That the text costs nothing. Phenaki's peer is handed its text as vectors, where ours encodes the caption.
# * That the worlds should be faster than a file. A film from a file is the same every time; a world never ends.

# %% [markdown]
# ## Exercise
#
# Which row would gain most if it used the machine as well as the best one does? Take the share of the peak on one
# thread.
#
# <details><summary>A solution</summary>
#
# ```python
# shares = {}
# for name, record in records.items():
#     ours = record["contenders"][0]
#     if ours["operations"]:
#         seconds = median(record["seconds"]["1"][OURS])
#         shares[name] = ours["operations"] / seconds / record["matrix_peak"]["1"]
# best = max(shares.values())
# for name, share in sorted(shares.items(), key=lambda item: item[1]):
#     print(f"{name}: {100 * share:.0f} % of the peak, {best / share:.1f} times as fast with the best share")
# ```
#
# </details>

# %%
result_file = report.save()
keep.cleanup()
