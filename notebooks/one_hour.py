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
#     records: build/one_hour/pvdm-36000-file.json
#     made_by: python -m reproductions.one_hour
# ---

# %% [markdown]
# # One hour
#
# Length is a matter of patience, not of memory: every method here gives its frames away as soon as they are final. Two
# of them make a whole hour, 36,000 frames at 10 a second, straight into a file: StyleGAN-V, which can paint any moment
# by itself, and PVDM, which goes on from clip to clip and could lose its way at every step. Does memory stay flat? And
# what is left of the first minute after an hour?

# %% tags=["parameters"]
scale = "toy"  # reads the records of `python -m reproductions.one_hour`; "smoke" makes a short video of one method
seed = 0
out = ""  # where results go; empty: build/runs

# %%
import json
import tempfile
from pathlib import Path

import numpy as np

import kiloframe
from reproductions import one_hour
from reproductions.contest import CLIP, ClipDistance, clip_features, reference_clips
from reproductions.level_field.measured import field_world
from reproductions.level_field.plan import MAIN
from reproductions.measures import world_network
from reproductions.measures.exact import exact, quantities
from reproductions.measures.statistics import mean
from reproductions.report import Report, show
from reproductions.video_sheet import contact_sheet

keep = tempfile.TemporaryDirectory()  # of what is made at scale smoke, until the notebook ends
folder = Path(keep.name) if scale == "smoke" else one_hour.default_folder()
if scale == "smoke":
    for frames in (256, one_hour.EVERY + one_hour.SEGMENT):
        name = f"stylegan_v-{frames}-file"
        record = one_hour.make("stylegan_v", frames, folder / f"{name}.mp4", folder / f"{name}.npz", seed)
        (folder / f"{name}.json").write_text(json.dumps({"name": name, **record}))
records = {r["name"]: r for r in (json.loads(p.read_text()) for p in sorted(folder.glob("*.json")))}
filed: dict[str, list] = {}
for r in sorted(records.values(), key=lambda r: r["frames"]):
    if r["into_a_file"]:
        filed.setdefault(r["slug"], []).append(r)
report = Report("one_hour", title="One hour", scale=scale, seed=seed, seeds=[seed], out=out)
facts = kiloframe.load()
names = {slug: facts.methods[slug].name for slug in {r["slug"] for r in records.values()}}

# %% [markdown]
# ## The hour in half a minute
#
# Every 120th frame: a second of this is two minutes of the hour.

# %%
excerpts = {slug: dict(np.load(folder / f"{made[-1]['name']}.npz")) for slug, made in filed.items()}
for slug, kept in excerpts.items():
    fast, frames = kept["fast"].astype(np.float32) / 255, filed[slug][-1]["frames"]
    report.video(
        fast, f"hour-{slug}", scale_up=16,
        caption=f"{names[slug]}: every {one_hour.STRIDE}th of {frames:,} frames.",
        alt=f"{frames:,} frames by {names[slug]}, sped up {one_hour.STRIDE} times.",
    )  # fmt: skip
    last = [seg[64] for seg in kept["segments"]]
    report.image(
        contact_sheet(np.array(last).astype(np.float32) / 255, columns=12, scale_up=3, numbers=False),
        f"sheet-{slug}",
        caption=f"{names[slug]}: one frame of every {one_hour.EVERY:,}.",
        alt=f"A contact sheet of {len(last)} frames of the long video by {names[slug]}.",
    )  # fmt: skip

# %% [markdown]
# ## Memory
#
# The peak of the whole process, Python and torch included, as the system has seen it (VmHWM); each video in a process
# of its own. The bar set for the hour is 5 % above the peak at 1,000 frames.

# %%
rows = []
for slug, made in filed.items():
    for r in made:
        report.measure(f"peak-{r['frames']}", f"{names[slug]}, into a file", f"peak memory, {r['frames']:,} frames", r["peak_kilobytes"] / 1024, unit="MB", better="lower")  # noqa: E501  # fmt: skip
        rows.append(
            [
                names[slug], f"{r['frames']:,}", f"{r['seconds']:,.0f} s", f"{r['frames'] / r['seconds']:,.0f}",
                f"{r['peak_kilobytes'] / 1024:,.0f} MB",
                f"{100 * (r['peak_kilobytes'] / made[0]['peak_kilobytes'] - 1):+.1f} %", f"{r['megabytes']:.1f} MB",
            ]
        )  # fmt: skip
report.table(
    ["Method", "Frames", "Time", "Frames a second", "Peak memory", "Against the first", "File"], rows,
    f"Videos streamed into a file, on {next(iter(records.values()))['threads']} thread(s), beside other work on "
    "the same machine: the times are upper bounds.",
)  # fmt: skip
grown = {slug: made[-1]["peak_kilobytes"] / made[0]["peak_kilobytes"] - 1 for slug, made in filed.items()}
show(
    "; ".join(
        f"{names[slug]}: {filed[slug][-1]['frames'] / filed[slug][0]['frames']:.0f} times the frames, "
        f"{100 * more:+.1f} % memory, {'within' if more <= 0.05 else '**not within**'} 5 %"
        for slug, more in grown.items()
    ) + "."
)  # fmt: skip

# %%
rows, lines = [], {}
for slug in sorted(names, key=names.get):
    made = sorted((r for r in records.values() if r["slug"] == slug and not r["into_a_file"]), key=lambda r: r["frames"])  # noqa: E501  # fmt: skip
    if len(made) < 2:
        continue
    few, many = made[0], made[-1]
    for r in made:
        report.measure(f"peak-{r['frames']}", names[slug], f"peak memory, {r['frames']:,} frames", r["peak_kilobytes"] / 1024, unit="MB", better="lower")  # noqa: E501  # fmt: skip
    rows.append(
        [
            names[slug], *(f"{r['peak_kilobytes'] / 1024:,.0f} MB" for r in (few, many)),
            f"{100 * (many['peak_kilobytes'] / few['peak_kilobytes'] - 1):+.1f} %",
            f"{few['frames'] / few['seconds']:.3g}", f"{many['frames'] / many['seconds']:.3g}",
        ]
    )  # fmt: skip
    lines[names[slug]] = ([r["frames"] for r in made], [r["peak_kilobytes"] / 1024 for r in made])
if rows:
    report.table(
        ["Method", f"Peak, {few['frames']:,} frames", f"Peak, {many['frames']:,} frames", "More", "Frames a second", "at the larger"],  # noqa: E501
        rows, "Every method, its frames let go as they come.",
    )  # fmt: skip
    report.curve(
        "memory", "Peak memory against length", "frames", "MB", lines, log_x=True,
        caption="Peak memory of the process. Flat: length is free.", alt="Lines of peak memory, one per method.",
    )  # fmt: skip

# %% [markdown]
# ## Drift along the hour
#
# Of every 1,000 frames 128 are measured. The exact measure of each world compares with the video's own first frames;
# the clip distance compares 16-frame clips with real ones over the features of the world network (0 is real).

# %%
network, found = world_network.load(), {}
for slug, kept in excerpts.items():
    world_name = filed[slug][-1]["world"]
    world = field_world(world_name)
    segments = kept["segments"].astype(np.float32) / 255
    first = segments[0, :8]
    course = {q.id: [] for q in quantities(world_name)}
    for segment in segments:
        joined = np.concatenate([first, segment])[None]
        for id, values in exact(world, joined, None).items():
            course[id].append(mean(values[:, len(first) + 1 :]))  # without the step from one to the other
    frames = np.arange(len(segments)) * one_hour.EVERY + one_hour.SEGMENT / 2
    distance = ClipDistance(network.features(reference_clips(world, 256, filed[slug][-1]["frames"])))
    features = distance.standard(clip_features(network, segments))
    far = [distance(one.reshape(-1, 1, one.shape[-1])) for one in features]
    found[slug] = course, far
    main = next(q for q in quantities(world_name) if q.id == MAIN[world_name])
    kept_at = np.isfinite(course[main.id])
    if kept_at.any():
        report.curve(
            f"drift-{slug}", f"{names[slug]}: {main.name} along the hour", "frame", main.name,
            {names[slug]: (frames[kept_at], np.array(course[main.id])[kept_at])},
            caption=f"{names[slug]}: {main.name} ({main.better} is better), means over {one_hour.SEGMENT} frames.",
            alt=f"A line of {main.name} against the frame number.",
        )  # fmt: skip
    ends = np.array([[e.value, e.low, e.high] for e in far], float)
    report.curve(
        f"distance-{slug}", f"{names[slug]}: clip distance along the hour", "frame", "clip distance",
        {names[slug]: (frames, *ends.T)},
        caption=f"{names[slug]}: how far clips of {CLIP} frames are from real ones; bands: 95 % bootstrap intervals "
        "over the clips.",
        alt="A line of the clip distance against the frame number.",
    )  # fmt: skip

# %%
rows = []
for slug, (course, far) in found.items():
    quarter = max(1, len(far) // 4)
    for q in quantities(filed[slug][-1]["world"]):
        early, late = mean(course[q.id][:quarter]), mean(course[q.id][-quarter:])
        if np.isfinite([early, late]).all():
            report.measure(f"{q.id}-early", names[slug], f"{q.name}, first quarter", early, unit=q.unit, better=q.better)  # noqa: E501  # fmt: skip
            report.measure(f"{q.id}-late", names[slug], f"{q.name}, last quarter", late, unit=q.unit, better=q.better)
            rows.append([names[slug], f"{q.name} ({q.better} is better)", f"{early:.3g}", f"{late:.3g}"])
    early, late = (mean([e.value for e in part]) for part in (far[:quarter], far[-quarter:]))
    report.measure("clip-distance-early", names[slug], "clip distance, first quarter", early, better="lower")
    report.measure("clip-distance-late", names[slug], "clip distance, last quarter", late, better="lower")
    rows.append([names[slug], "clip distance (lower is better)", f"{early:.3g}", f"{late:.3g}"])
report.table(
    ["Method", "Measure", "First quarter", "Last quarter"], rows, "The first quarter of the video and the last."
)

# %% [markdown]
# ## What not to conclude
#
# * That an hour of this is an hour of film. The worlds have no story; what lasts is a law of motion, a sky, a clock.
# * That one video speaks for a method. There is one of each; the bands are over its clips. One shape that stays the
#   same for an hour is also far from real clips, which show all shapes: here the clip distance tells of change only.
# * That 5 % is a law. Python's own memory is most of the peak, so a small leak would hide in it for a while; the hour
#   is there to give it the time to show.

# %% [markdown]
# ## Exercise
#
# From the peaks at the shortest and the longest video: how many bytes does every further frame cost, and how many hours
# would fit into 8 GB?
#
# <details><summary>A solution</summary>
#
# ```python
# for slug, made in filed.items():
#     few, many = made[0], made[-1]
#     each = 1024 * (many["peak_kilobytes"] - few["peak_kilobytes"]) / (many["frames"] - few["frames"])
#     left = 8 * 2**30 - 1024 * few["peak_kilobytes"]
#     print(names[slug], f"{each:.0f} bytes a frame", f"{left / each / one_hour.HOUR:,.0f} hours" if each > 0 else "")
# ```
#
# Most of it is what the notebook keeps for measuring: 128 of every 1,000 frames.
#
# </details>

# %%
result_file = report.save()
keep.cleanup()
