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
#     records: build/more_training/fdm-toy.json
#     made_by: python -m reproductions.more_training --kept
# ---

# %% [markdown]
# # What more training buys
#
# The toy weights learn in half an hour on a laptop, and their videos show it: kinds change, walls dissolve, steps are
# unlawful. Is that the method, or the half hour? Here every method is measured in one way after several lengths of
# training: some minutes of one CPU, the seconds of [the level field](../level_field/index.md), the toy budget, and its
# larger network at twice the resolution (preset `gpu`) on one GPU.

# %% tags=["parameters"]
scale = "toy"  # reads the records of `python -m reproductions.more_training`; "smoke" trains one method for a moment
seed = 0
out = ""  # where results go; empty: build/runs

# %%
import json
import tempfile
from pathlib import Path

import numpy as np

import kiloframe
from reproductions import more_training
from reproductions.contest import ClipDistance
from reproductions.level_field.plan import MAIN
from reproductions.measures.exact import quantities
from reproductions.measures.statistics import interval
from reproductions.report import Report, prefixed, show
from reproductions.video_sheet import contact_sheet

keep = tempfile.TemporaryDirectory()  # of what is trained at scale smoke, until the notebook ends
if scale == "smoke":
    small = ["--only", "fdm", "--preset", "smoke", "--seconds", "0.1", "--frames", "32", "--workers", "0"]
    more_training.main([*small, "--folder", keep.name])
folder = Path(keep.name) if scale == "smoke" else more_training.default_folder()
records = sorted((json.loads(p.read_text()) for p in folder.glob("*.json")), key=lambda r: (r["slug"], r["operations"]))
report = Report(
    "more_training", title="What more training buys", scale=scale, seed=seed, seeds=list(more_training.SEEDS), out=out
)
facts = kiloframe.load()


def how(record):
    """Its length of training, in words."""
    kind, *timed = record["name"].removeprefix(record["slug"] + "-").split("-")
    return f"{kind}, {record['seconds']:.0f} s" if timed else {"field": "level field"}.get(kind, kind)


def name_of(record):
    """The method, and the size of its frames."""
    return f"{facts.methods[record['slug']].name}, {record['side']} x {record['side']}"


# %% [markdown]
# ## What was trained, and for how long
#
# Operations are counted by torch on one step of each stage, times the steps. *Of the preset* is the share of the steps
# that the preset asks for.

# %%
rows = []
for r in records:
    subject = f"{name_of(r)}: {how(r)}"
    report.measure("training-operations", subject, "floating point operations of training", r["operations"])
    report.measure("training-seconds", subject, "training", r["seconds"], unit="s")
    rows.append(
        [
            name_of(r), how(r) + (" *" if "stopped" in r else ""), f"{r['parameters']:,}", f"{r['steps']:,}",
            f"{100 * r['steps'] / r['preset_steps']:.3g} %", f"{r['seconds']:,.0f}",
            f"{1000 * r['seconds'] / r['steps']:.3g} ms", prefixed(r["operations"]), r["machine"],
        ]
    )  # fmt: skip
cut = any("stopped" in r for r in records)
report.table(
    ["Method", "Training", "Parameters", "Steps", "Of the preset", "Seconds", "A step", "Operations", "Machine"], rows,
    "All trainings." + (" *: cut short before the learning rate had come down, as the lent machine went back; the "
    "averaged weights of that moment." if cut else ""),
)  # fmt: skip

# %% tags=["hide-input"]
on_gpu = [r for r in records if "gpu" in r["name"]]
if on_gpu:
    longest = {r["slug"]: r for r in on_gpu}  # the last of each, by operations
    needed = {s: r["seconds"] / r["steps"] * r["preset_steps"] / 3600 for s, r in longest.items()}
    most, least = max(needed, key=needed.get), min(needed, key=needed.get)
    show(
        f"The {len(longest)} methods shared one {on_gpu[0]['machine']}, each in a process of its own. At that pace the "
        f"whole preset takes from {needed[least]:.1f} hours ({facts.methods[least].name}) to {needed[most]:.1f} hours "
        f"({facts.methods[most].name}) beside the others; a GPU of its own is faster, by how much was not measured. "
        f"What was done is between {100 * min(r['steps'] / r['preset_steps'] for r in longest.values()):.1f} % and "
        f"{100 * max(r['steps'] / r['preset_steps'] for r in longest.values()):.1f} % of it."
    )

# %% [markdown]
# ## What the presets need
#
# Counted on models that torch builds without memory (its meta device), the published size included where the dossier
# has it: parameters, and the operations of a training step of every stage, times the steps. Where a loss asks for a
# value, an answer is assumed; what is counted so differs from what is counted in earnest by a few per cent. *Memory* is
# what weights, gradients and the two averages of AdamW take at 4 bytes each; activations come on top. Hours are the
# preset's operations at the rate of operations that was measured on the machine named, whole for `toy` and over the
# longest training for `gpu`. For the published size it is the rate of `gpu`, and so an upper bound: large networks keep
# a GPU busier, and their authors had many.

# %%
pace = {}
for r in records:
    size = r["name"].removeprefix(r["slug"] + "-").split("-")[0]
    pace[r["slug"], size] = r["operations"] / r["seconds"], r["machine"]  # the longest training comes last
rows = []
for slug in dict.fromkeys(r["slug"] for r in records):
    counted = folder / more_training.PRESETS / f"{slug}.json"
    for size, need in json.loads(counted.read_text()).items() if counted.is_file() else ():
        rate, machine = pace.get((slug, "gpu" if size == "paper" else size), (None, ""))
        hours = need["operations"] / rate / 3600 if rate and need["operations"] else None
        name = facts.methods[slug].name
        report.measure(f"parameters-{size}", name, f"parameters, preset {size}", need["parameters"])
        if need["operations"]:
            report.measure(f"preset-operations-{size}", name, f"operations of training, {size}", need["operations"])
        rows.append(
            [
                name, size, f"{need['parameters']:,}", f"{16 * need['parameters'] / 2**20:,.0f} MB",
                f"{need['steps']:,}" if need["steps"] else "not told",
                prefixed(need["operations"]) if need["operations"] else "–",
                f"{hours:,.{2 if hours < 10 else 0}f} h on {machine}" if hours else "–",
            ]
        )  # fmt: skip
if rows:
    report.table(
        ["Method", "Preset", "Parameters", "Memory", "Steps", "Operations", "Time at the measured rate"], rows,
        "What each preset needs. Times on a GPU are those of a machine that several methods shared.",
    )  # fmt: skip

# %% [markdown]
# ## What they make
#
# Evenly spaced frames of one video each. The first row of every size is real video.

# %%
for slug in dict.fromkeys(r["slug"] for r in records):
    mine = [r for r in records if r["slug"] == slug]
    for side in dict.fromkeys(r["side"] for r in mine):
        these = [r for r in mine if r["side"] == side]
        strips = [np.load(folder / f"{r['name']}.npz") for r in these]
        frames = np.concatenate([strips[0]["real_strip"], *(s["strip"] for s in strips)]).astype(np.float32) / 255
        report.image(
            contact_sheet(frames, columns=len(strips[0]["strip"]), scale_up=64 // side, numbers=False),
            f"strips-{slug}-{side}",
            caption=f"{name_of(these[0])}, {these[0]['frames']} frames. From the top: real, "
            + ", ".join(f"{how(r)} ({r['steps']:,} steps)" for r in these) + ".",
            alt=f"Rows of small frames, the first of real video, the others by {name_of(these[0])} after ever more training.",  # noqa: E501
        )  # fmt: skip

# %% [markdown]
# ## Quality against training
#
# The exact measure asks the world itself; the clip distance compares 16-frame clips with real ones of the same size
# over the features of the world network (frames larger than 16 x 16 are averaged down for it). Both axes of a method's
# points differ in more than training when the size of the frames differs: a larger picture is a harder task. In
# `rooms` the walk begins with 8 real frames, which count for nobody.

# %%
points, rows = {}, []
for r in records:
    main = next(q for q in quantities(r["world"]) if q.id == MAIN[r["world"]])
    kept, arrays = r["exact"][main.id], np.load(folder / f"{r['name']}.npz")
    distance = ClipDistance(arrays["reference"].astype(np.float64))
    far, real = (distance(distance.standard(arrays[k].reshape(-1, *arrays[k].shape[2:]))) for k in ("features", "real"))
    subject = f"{name_of(r)}: {how(r)}"
    told = all(v is not None for v in kept)
    if told:
        report.measure(main.id, subject, main.name, kept, unit=main.unit, better=main.better)
    report.estimate("clip-distance", subject, far, name="clip distance")
    points.setdefault((r["world"], name_of(r)), []).append((r["operations"], kept if told else None, far, how(r)))
    spread = interval(kept) if told and len(kept) > 2 else None
    rows.append(
        [
            r["world"], name_of(r), how(r), prefixed(r["operations"]),
            f"{main.name}: {np.mean(kept):.3g}" + (f" ± {(spread[1] - spread[0]) / 2:.2g}" if spread else "")
            if told else f"{main.name}: –",
            f"{far.value:.3g} ({far.low:.2g} to {far.high:.2g})", f"{real.value:.2g}",
        ]
    )  # fmt: skip
report.table(
    ["World", "Method", "Training", "Operations", "Exact measure ↑", "Clip distance ↓", "of other real clips"], rows,
    f"Means over {len(more_training.SEEDS)} seeds of {more_training.VIDEOS} videos with half the 95 % t interval; "
    "distances with 95 % bootstrap intervals over the videos.",
)  # fmt: skip

# %%
for world in dict.fromkeys(w for w, _ in points):
    main = next(q for q in quantities(world) if q.id == MAIN[world])
    here = {name: line for (w, name), line in points.items() if w == world}
    exactly = {n: ([p[0] for p in line], [float(np.mean(p[1])) for p in line]) for n, line in here.items()
               if all(p[1] is not None for p in line)}  # fmt: skip
    if exactly:
        report.curve(
            f"training-{world}", f"{world}: {main.name} against training", "operations", main.name, exactly, log_x=True,
            caption=f"{world}: {main.name} ({main.better} is better) against the operations of training.",
            alt=f"Lines of {main.name} against the operations of training, one per method and size of frames.",
        )  # fmt: skip
    report.curve(
        f"training-distance-{world}", f"{world}: clip distance against training", "operations", "clip distance",
        {n: ([p[0] for p in line], *np.array([[p[2].value, p[2].low, p[2].high] for p in line]).T)
         for n, line in here.items()},
        log_x=True, caption=f"{world}: clip distance (lower is better) against the operations of training; bands: "
        "bootstrap over the videos.",
        alt="Lines of the clip distance against the operations of training, one per method and size of frames.",
    )  # fmt: skip

# %% [markdown]
# ## What was found

# %% tags=["hide-input"]
lines = []
for (_, name), line in points.items():
    (_, first, far_first, how_first), (_, last, far_last, how_last) = line[0], line[-1]
    if len(line) < 2:
        continue
    better = far_last.high < far_first.low
    worse = far_last.low > far_first.high
    lines.append(
        f"- {name}: from {how_first} to {how_last}, {line[-1][0] / line[0][0]:.3g} times the operations, the clip "
        f"distance goes from {far_first.value:.3g} to {far_last.value:.3g} "
        f"({'clearly better' if better else 'clearly worse' if worse else 'the intervals overlap'})"
        + (f", the exact measure from {np.mean(first):.2f} to {np.mean(last):.2f}." if first and last else ".")
    )
show("\n".join(lines) if lines else "One training each: nothing to compare.")

# %% [markdown]
# ## What not to conclude
#
# * That two or three points are a law. They say whether a method is still getting better, not where that ends.
# * That a method is slow because its presets are large: the sizes were chosen per method and not to match.
# * That training on a GPU is like training here: products of matrices are rounded there (TF32), and several methods
#   shared one machine.

# %% [markdown]
# ## Exercise
#
# Which method gained most by the exact measure for every doubling of its training, from its shortest to its longest?
#
# <details><summary>A solution</summary>
#
# ```python
# gains = {
#     name: (np.mean(line[-1][1]) - np.mean(line[0][1])) / np.log2(line[-1][0] / line[0][0])
#     for (_, name), line in points.items()
#     if len(line) > 1 and line[0][1] and line[-1][1]
# }
# print(max(gains, key=gains.get) if gains else "one training each", gains)
# ```
#
# A gain near 0 can mean that all is learnt, or that nothing is being learnt: look at the frames.
#
# </details>

# %%
result_file = report.save()
keep.cleanup()
