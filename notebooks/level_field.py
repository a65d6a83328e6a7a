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
#     records: build/level_field/settings.json
#     made_by: make level-field
# ---

# %% [markdown]
# # The level field: all methods at equal budgets
#
# What does each family of methods buy, what does it cost, and how does it fail as the video grows? Papers cannot
# answer together: each has its own data, its own budget and its own measure. Here everybody gets the same: the same
# world, the same seconds of training on the same machine, the same lengths, the same measures, the same seeds.
#
# The worlds know their own truth, so "the same character after 1,000 frames" is a share, not an impression
# ([the worlds](../worlds/index.md)). FDM runs in every world, as the common yardstick.

# %% tags=["parameters"]
scale = "toy"  # reads the records of `make level-field`; "smoke" runs a tiny field by itself and judges nothing
seed = 0
out = ""  # where results go; empty: build/runs

# %%
import tempfile
from pathlib import Path

import numpy as np

import kiloframe
from reproductions.level_field import field
from reproductions.level_field.plan import MAIN, Settings, absent, costed, paradigm
from reproductions.level_field.records import Records
from reproductions.measures.exact import quantities
from reproductions.measures.statistics import interval
from reproductions.report import COLOURS, Report, figure, prefixed, show
from reproductions.video_sheet import contact_sheet

keep = tempfile.TemporaryDirectory()  # of a field at scale smoke, until the notebook ends
if scale == "smoke":
    field.run(Settings.smoke(), Path(keep.name), progress=False)
records = Records(Path(keep.name) if scale == "smoke" else None)
settings = records.settings
LONGEST, LENGTHS, WORLDS = max(settings.lengths), sorted(settings.lengths), settings.worlds
report = Report(
    "level_field", title="The level field: all methods at equal budgets", scale=scale, seed=seed,
    seeds=list(settings.seeds), out=out,
)  # fmt: skip
facts = kiloframe.load()
names = {"divide-and-conquer": "plans ahead", "temporal-autoregressive": "one after the other", None: "neither or both"}
show(
    f"Each method is given {settings.budget:g} seconds of training, then makes {settings.videos} videos of "
    f"{', '.join(f'{n:,}' for n in LENGTHS)} frames with each of {len(settings.seeds)} sampling seeds. "
    f"Inputs of all records, as a hash: `{records.hashes()}`"
    + (f"; **{records.outdated} records were made with other code than today's**." if records.outdated else ".")
    + (f" Not here yet: {', '.join(absent())}." if absent() else "")
)

# %% [markdown]
# ## Who competes, and what training cost
#
# Seconds are equal, as well as they can be told before; steps are what fits into them. A step is timed first and the
# number of steps planned from that, so that every learning rate falls to the end of its own training. Operations are
# counted by torch on one step of each stage, times the steps. A row with *short clips* is FDM again, taught by short
# clips alone: a test further down.

# %%
rows, seen, together = [], set(), records.trained_at_once()
for c in records.contenders:
    if c.entrant is None or c.entrant in seen:
        continue
    seen.add(c.entrant)
    runs = records.training(c)
    label = facts.methods[c.entrant.slug].name + (", short clips" if c.entrant.changes else "")
    for id, title, value, measure_unit in (
        ("training-seconds", "training", runs[0]["seconds"], "s"),
        ("training-operations", "floating point operations of training", runs[0]["flops"], None),
        ("training-steps", "training steps", runs[0]["steps"], None),
    ):
        where = f"{runs[0]['machine']}; {together} at once"
        report.measure(id, f"{c.world}: {label}", title, value, unit=measure_unit, note=where)
    rows.append(
        [
            c.world, label, ", ".join(facts.methods[c.entrant.slug].generator.editors.value),
            f"{runs[0]['parameters']:,}", f"{runs[0]['seconds']:,.0f}", f"{runs[0]['steps']:,}",
            prefixed(runs[0]["flops"]),
        ]
    )  # fmt: skip
report.table(
    ["World", "Method", "Generator", "Parameters", "Seconds", "Steps", "Operations"],
    rows,
    f"Trained on: {where}.",
)

# %% [markdown]
# ## What they make
#
# Frames of one video each, evenly spaced over the longest length. The first row is real video, the last ones are what
# needs no method at all: the first frames frozen or repeated, a real video shuffled, noise.

# %%
for world in WORLDS:
    these = records.of(world)
    report.image(
        contact_sheet(
            np.concatenate([records.strip(c, LONGEST) for c in sorted(these, key=lambda c: c.name != "real")]),
            columns=len(records.strip(these[0], LONGEST)), scale_up=2, numbers=False,
        ),
        f"strips-{world}",
        caption=f"{world}, {LONGEST:,} frames. From the top: "
        + ", ".join(c.name for c in sorted(these, key=lambda c: c.name != "real")) + ".",
        alt=f"Rows of small frames of the world {world}, one row for each method and each trivial video.",
    )  # fmt: skip

# %% [markdown]
# ## Quality against length
#
# Two measures for every world. The *exact* one asks the world itself: a share of what must be so that is so. The
# *clip distance* compares 16-frame clips from the last eighth of each video with real clips, over the features of the
# world network (a kernel distance, unbiased; 0 is real, lower is better). A frozen frame keeps its identity for ever,
# so no measure counts alone. In `rooms` all walk on from the same real frames along the same way; a method that cannot
# be told where the camera goes has to guess. The first frames, which are real for some, count for nobody.


# %%
def finite(values):
    return bool(np.isfinite(values).all())


def band(per_seed):
    """(y, low, high) over the seeds of rows (x, seeds); y alone where two seeds span everything."""
    y = [float(np.mean(v)) for v in per_seed]
    if len(per_seed[0]) < 3:
        return (y,)
    bounds = [interval(v) for v in per_seed]
    return y, [b[0] for b in bounds], [b[1] for b in bounds]


def cell(values, digits=3):
    if not finite(values):
        return "–"
    spread = interval(values) if len(values) > 2 else None
    return f"{np.mean(values):.{digits}g}" + (f" ± {(spread[1] - spread[0]) / 2:.2g}" if spread else "")


quality = {}
for world in WORLDS:
    spoken = {q.id: q for q in quantities(world)}
    main = spoken[MAIN[world]]
    rows = []
    for c in records.of(world):
        row = [c.name]
        for n in LENGTHS:
            kept, far = records.values(c, n, main.id), records.distance(c, n, records.end(n))
            quality[world, c.name, n] = kept, far
            if finite(kept):
                report.measure(
                    f"{main.id}-{n}", f"{world}: {c.name}", f"{main.name}, {n} frames", kept,
                    unit=main.unit, better=main.better,
                )  # fmt: skip
            report.estimate(
                f"clip-distance-{n}", f"{world}: {c.name}", far, name=f"clip distance at the end of {n} frames"
            )
            row += [cell(kept), f"{far.value:.3g}" + ("" if far.low is None else f" ({far.low:.2g} to {far.high:.2g})")]
        rows.append(row)
    heads = [h for n in LENGTHS for h in (f"{main.name}, {n:,} ↑", f"clip distance, {n:,} ↓")]
    report.table(
        [world, *heads], rows,
        f"{world}: {main.name} ({main.about}) Means over {len(settings.seeds)} seeds with half the 95 % t interval; "
        "distances with 95 % bootstrap intervals over the videos.",
    )  # fmt: skip

# %%
for world in WORLDS:
    main = next(q for q in quantities(world) if q.id == MAIN[world])
    shown = [c for c in records.of(world) if c.entrant or c.name in ("real", "freeze", "shuffle")]
    lines = {c.name: (LENGTHS, *band([quality[world, c.name, n][0] for n in LENGTHS])) for c in shown
             if all(finite(quality[world, c.name, n][0]) for n in LENGTHS)}  # fmt: skip
    report.curve(
        f"length-{world}", f"{world}: {main.name} against length", "frames", main.name, lines, log_x=True,
        caption=f"{world}: {main.name} over the whole video, for videos of {', '.join(map(str, LENGTHS))} frames.",
        alt=f"Lines of {main.name} against the length of the video, one per method.",
    )  # fmt: skip
    lines = {c.name: (LENGTHS, *np.array([[e.value, e.low, e.high] for e in (quality[world, c.name, n][1] for n in LENGTHS)], float).T) for c in shown}  # noqa: E501  # fmt: skip
    report.curve(
        f"length-distance-{world}", f"{world}: clip distance at the end against length", "frames", "clip distance",
        lines, log_x=True, caption=f"{world}: how far the last clips are from real ones; bands: bootstrap over videos.",
        alt="Lines of the clip distance against the length of the video, one per method.",
    )  # fmt: skip

# %% [markdown]
# ## Drift: the course of the longest videos
#
# One curve along the video, and its slope. A slope of 0 with a good level is what everybody wants; noise has it too,
# with a bad one.

# %%
BLOCK = max(16, LONGEST // 32)
for world in WORLDS:
    main = next(q for q in quantities(world) if q.id == MAIN[world])
    lines, rows = {}, []
    for c in records.of(world):
        at = np.arange(settings.context, LONGEST - BLOCK + 1, BLOCK)
        blocks = [records.values(c, LONGEST, main.id, slice(a, a + BLOCK)) for a in at]
        there = [i for i, b in enumerate(blocks) if finite(b)]
        if there and (c.entrant or c.name in ("real", "freeze", "shuffle")):
            lines[c.name] = (at[there] + (BLOCK - 1) / 2, *band([blocks[i] for i in there]))
        slopes, away = records.slopes(c, LONGEST, main.id), records.distance_slopes(c, LONGEST)
        for id, title, values, better in (
            ("drift", f"slope of {main.name} per 100 frames", slopes, main.better),
            ("distance-drift", "slope of the clip distance per 100 frames", away, "lower"),
        ):
            if finite(values):
                report.measure(id, f"{world}: {c.name}", title, values, better=better)
        rows.append([c.name, cell(slopes, 2), cell(away, 2)])
    if lines:
        report.curve(
            f"{world}-drift", f"{world}: {main.name} along {LONGEST:,} frames", "frame", main.name, lines,
            caption=f"{world}: {main.name} in blocks of {BLOCK} frames; bands: 95 % t intervals over the seeds.",
            alt=f"Lines of {main.name} against the frame number, one per method.",
        )  # fmt: skip
    report.table(
        [world, f"{main.name}, slope", "clip distance, slope"], rows,
        f"{world}: slopes per 100 frames of videos of {LONGEST:,}, with half the 95 % t interval over the seeds.",
    )  # fmt: skip

# %% [markdown]
# ## What a frame costs as the video grows
#
# *Calls* are forward passes of a network that must follow one another (a token that is read with the help of a
# key-value cache is one call). *Operations* are counted by torch. *Memory* is what a fresh process grows by from being
# ready to the last frame: flat where frames are let go.

# %%
COSTED = sorted(settings.costed)
costs, rows, drawn_names = {}, [], []
for c in records.contenders:
    if c.entrant is None or c.entrant.changes:
        continue
    known = [n for n in COSTED if costed(c, n, settings)]
    costs[c.world, c.name] = by_length = {n: records.cost(c, n) for n in known}
    last, n = by_length[known[-1]], known[-1]
    subject = f"{c.world}: {c.name}"
    for length, cost_of in by_length.items():
        report.measure(f"calls-{length}", subject, f"network calls per frame, {length} frames", cost_of["calls"] / length, better="lower")  # noqa: E501  # fmt: skip
        report.measure(f"operations-{length}", subject, f"operations per frame, {length} frames", cost_of["flops"] / length, better="lower")  # noqa: E501  # fmt: skip
        report.measure(f"seconds-{length}", subject, f"seconds per frame, {length} frames", np.array(cost_of["seconds"]) / length, unit="s", better="lower")  # noqa: E501  # fmt: skip
        report.measure(f"memory-{length}", subject, f"memory grown, {length} frames", cost_of["grown_kilobytes"] / 1024, unit="MB", better="lower")  # noqa: E501  # fmt: skip
    rows.append(
        [
            c.world, c.name, names[paradigm(c)], f"{n:,}", f"{last['calls'] / n:.3g}", prefixed(last["flops"] / n),
            f"{1000 * np.mean(last['seconds']) / n:.3g} ms", f"{last['grown_kilobytes'] / 1024:.3g} MB",
        ]
    )  # fmt: skip
report.table(
    ["World", "Method", "Order", "Frames", "Calls a frame", "Operations a frame", "Time a frame", "Memory grown"],
    rows,
    f"One video each, on {last['threads']} thread{'s' if last['threads'] > 1 else ''} of the CPU.",
)

# %%
panels = {
    "calls a frame": lambda r, n: r["calls"] / n,
    "operations a frame": lambda r, n: r["flops"] / n,
    "seconds a frame": lambda r, n: np.mean(r["seconds"]) / n,
    "memory grown, MB": lambda r, n: max(r["grown_kilobytes"], 1) / 1024,
}
drawn, axes = figure(columns=2, rows=2, height=5.2)
for ax, (title, value) in zip(axes, panels.items(), strict=True):
    for number, ((world, name), by_length) in enumerate(costs.items()):
        y = [value(r, n) for n, r in by_length.items()]
        style = ("-", "--", ":")[number // len(COLOURS) % 3]
        colour = COLOURS[number % len(COLOURS)]
        ax.plot(list(by_length), y, style, marker="o", markersize=3, color=colour, label=f"{name} ({world})")
    ax.set(xscale="log", yscale="log", xlabel="frames" if ax in axes[2:] else "")
    ax.set_title(title, loc="left")
drawn.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
report.image(
    drawn, "cost",
    caption="What a frame costs, against the length of the video, on logarithmic axes. A flat line: length is free.",
    alt="Four panels of lines, one per method: calls, operations, seconds per frame and memory against frames.",
)  # fmt: skip

# %% [markdown]
# ## Leaning on key frames
#
# In the middle of a planned span one frame is exchanged for that of another video, the moment it is made. The same
# network runs both ways: for the hierarchy the frame is a key frame, for the sliding window it is part of the context
# of the next call. What do the other frames lose?

# %%
tried = [c for c in records.contenders if records.exchanged(c) is not None]
for world in WORLDS:
    lines = {}
    for c in (c for c in tried if c.world == world):
        courses, exchanged_at = records.exchange_courses(c)
        lines[c.name] = (np.arange(len(courses["changed"])), courses["changed"])
        report.measure(f"lost-{world}", f"{world}: {c.name}", "frames' worth lost by an exchange", records.exchanged(c), better="lower")  # noqa: E501  # fmt: skip
    if lines:
        report.curve(
            f"exchange-{world}", f"{world}: one frame exchanged", "frame", "change of the pixels", lines,
            caption=f"{world}: how much each frame changes, on average over the videos, when frame {exchanged_at} is "
            "exchanged while the video is made.",
            alt="Lines of the mean change of the pixels against the frame number, with a peak at the frame exchanged.",
        )  # fmt: skip

# %% [markdown]
# ## The survey's sentences, put to the test
#
# The survey names weak points of the two paradigms. Here are its sentences, where they stand, and how each is tested.
# A verdict is computed from one value per seed, by a rule that was fixed before.

# %%
claims = facts.survey["claims"]
report.table(
    ["Sentence (in our words)", "Where", "Test"],
    [[claim["says"], claim["locator"], claim["toy_test"]] for claim in claims],
    f"{facts.survey['title']}, arXiv {facts.survey['arxiv']}.",
)


# %%
def judge(id, **told):
    """Report.claim where every value is a number; otherwise say that there is nothing to judge."""
    if finite(told["values"]) and finite(told["baseline_values"]):
        report.claim(id, **told)
    else:
        show(f"**{id}: not tested.** A measure says nothing here.")


home = WORLDS[0]
main = next(q for q in quantities(home) if q.id == MAIN[home])
chain = [c for c in records.of(home) if paradigm(c) == "temporal-autoregressive"]
eighth = max(settings.context, LONGEST // 8)
early, late = slice(settings.context, settings.context + eighth), slice(LONGEST - eighth, LONGEST)
clips = LONGEST // 16
first_clips, last_clips = slice(0, max(1, clips // 8)), slice(clips - max(1, clips // 8), clips)


def mean_of(contenders, values):
    """Per seed, the mean over contenders of what `values` says of each."""
    return np.mean([values(c) for c in contenders], 0).tolist()


judge(
    "errors-add-up", measure=f"{home}, {LONGEST:,} frames: {main.name}", says="lower", better="higher", unit=main.unit,
    subject=f"last {eighth} frames", values=mean_of(chain, lambda c: records.values(c, LONGEST, main.id, late)),
    baseline_subject="first ones", baseline_values=mean_of(chain, lambda c: records.values(c, LONGEST, main.id, early)),
)  # fmt: skip
judge(
    "content-degrades", measure=f"{home}, {LONGEST:,} frames: clip distance", says="higher", better="lower",
    subject="last clips", values=mean_of(chain, lambda c: records.distances(c, LONGEST, last_clips)),
    baseline_subject="first ones", baseline_values=mean_of(chain, lambda c: records.distances(c, LONGEST, first_clips)),
)  # fmt: skip
show("Over: " + ", ".join(c.name for c in chain) + ".")

# %%
pairs = [
    (a, b) for a in records.of(home) for b in records.of(home)
    if a.entrant and a.entrant == b.entrant
    and paradigm(a) == "divide-and-conquer" and paradigm(b) == "temporal-autoregressive"
]  # fmt: skip
planned, chained = [a for a, _ in pairs], [b for _, b in pairs]


def seconds(c):
    return np.array(records.cost(c, COSTED[-1])["seconds"]) / COSTED[-1]


judge(
    "slow-overall-generation", measure=f"{home}, {COSTED[-1]:,} frames: seconds per frame", says="higher",
    subject="planned ahead", values=mean_of(planned, seconds), unit="s", better="lower",
    baseline_subject="one after the other", baseline_values=mean_of(chained, seconds),
)  # fmt: skip
show("The same networks both ways: " + ", ".join(c.name for c in planned + chained) + ".")

# %%
short = {c.schedule: c for c in records.of(home, usual=False) if c.entrant and c.entrant.changes}
usual = {c.schedule: c for c in records.of(home) if c.entrant and c.schedule in short and c.entrant.slug == "fdm"}


def gain(order):
    """What long training clips add, per seed."""
    long, brief = (records.values(c[order], LONGEST, main.id) for c in (usual, short))
    return np.subtract(long, brief).tolist()


by_paradigm = {paradigm(c): order for order, c in usual.items()}
judge(
    "needs-long-training-videos", measure=f"{home}, {LONGEST:,} frames: {main.name} gained by long training clips",
    says="higher", better="higher", unit=main.unit,
    subject="planned ahead", values=gain(by_paradigm["divide-and-conquer"]),
    baseline_subject="one after the other", baseline_values=gain(by_paradigm["temporal-autoregressive"]),
)  # fmt: skip
lengths_of = {label: c["config"]["horizon"] for label, c in (("long", records.training(usual[next(iter(usual))])[0]), ("short", records.training(short[next(iter(short))])[0]))}  # noqa: E501  # fmt: skip
show(f"Long clips have {lengths_of['long']} frames, short ones {lengths_of['short']}.")

# %%
both = [(a, b) for a, b in pairs if records.exchanged(a) is not None]
judge(
    "bad-key-frames-spoil", measure=f"{home}: {main.name} lost by the other frames, in frames' worth", says="higher",
    better="lower", subject="a key frame exchanged", values=mean_of([a for a, _ in both], records.exchanged),
    baseline_subject="a context frame", baseline_values=mean_of([b for _, b in both], records.exchanged),
)  # fmt: skip

# %% [markdown]
# ## What not to conclude
#
# * The order here is the order at minutes of training and 16 x 16 pixels. Methods that need much
#   training to begin at all are at a disadvantage, and those made for large data show little of it.
# * Equal seconds are not equal operations: small layers keep a processor busy with little arithmetic. Both stand in
#   the first table.
# * Each method is trained once unless the settings say more. The intervals are over sampling seeds: they say how
#   sure a number is for these weights, not for the method.
# * In `rooms` FDM is not told the way. It is there as the yardstick of what context alone gives.

# %% [markdown]
# ## Exercise
#
# Which contender has the best exact measure per second of generation, in the longest videos of the first world? And
# which trivial video beats it?
#
# <details><summary>A solution</summary>
#
# ```python
# score = {
#     c.name: np.mean(records.values(c, COSTED[-1], main.id)) / np.mean(seconds(c))
#     for c in records.of(home) if c.entrant
# }
# best = max(score, key=score.get)
# trivial_ones = {c.name: np.mean(records.values(c, COSTED[-1], main.id)) for c in records.of(home) if not c.entrant}
# mine = np.mean(records.values(records.find(best, home), COSTED[-1], main.id))
# print(best, [name for name, value in trivial_ones.items() if name != "real" and value > mine])
# ```
#
# Frozen video keeps everything, for free. That is why the clip distance stands beside it.
#
# </details>

# %%
result_file = report.save()
keep.cleanup()
