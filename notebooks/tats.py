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
# ---

# %% [markdown]
# # TATS: numbers that do not know what time it is
#
# *Long Video Generation with Time-Agnostic VQGAN and Time-Sensitive Transformer*, Ge, Hayes, Yang, Yin, Pang, Jacobs,
# Huang and Parikh, ECCV 2022 ([arXiv 2204.03638](https://arxiv.org/abs/2204.03638)).
#
# **The problem.** Turn a video into a short list of code numbers, and a transformer can continue it as it would
# continue a sentence. It is trained on clips of 16 frames, and slides on when asked for more: drop the oldest numbers,
# draw new ones. But a convolutional tokenizer surrounds each clip with zeros, and the numbers near them look different
# from those in the middle. Once the window slides, its first numbers come from the middle of a video, and the
# transformer has never seen such a window. So videos fall apart soon after the length of a training clip.
#
# **The idea.** Repeat the border instead of adding zeros, in every convolution: then a number hardly tells where in its
# clip it stood. And do not walk all the way: draw every fourth slice of numbers first, then fill all gaps at once.

# %% tags=["parameters"]
scale = "toy"  # "smoke" generates less, with the same weights, and judges nothing
seed = 0
train = False  # True: train first, with the preset of this scale
out = ""  # where results go; empty: build/runs

# %%
import json
import time

import numpy as np
import torch

import reproductions
from reproductions.contest import BASELINES, Contest
from reproductions.measures.shapes_reader import read_shapes
from reproductions.measures.statistics import mean
from reproductions.methods.tats import SCHEDULES, interpolation_mask
from reproductions.report import Report, figure, grid, show
from reproductions.video import contact_sheet
from reproductions.worlds.base import EVALUATION_SEEDS
from reproductions.worlds.shapes import Shapes

videos, frames, many, count, euler = {
    "smoke": (1, 112, 2, 2, 2), "toy": (3, 112, 12, 4, 5), "gpu": (8, 240, 32, 5, 10)
}[scale]  # fmt: skip
seeds = [seed + i for i in range(count)]
report = Report("tats", scale=scale, seed=seed, seeds=seeds, out=out)

model = reproductions.load_or_train("tats", scale, fresh=train)
zeros, leaky = (
    reproductions.load_or_train("tats", "toy", fresh=train and scale == "toy", variant=variant)
    for variant in ("zero-padding", "leaky-mask")
)

config, n = model.config, model.tokens
WINDOW = config.window * model.per_slice  # frames
sizes = {name: sum(p.numel() for p in getattr(model, name).parameters()) for name in config.parts}
show(
    "Parameters: "
    + ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    + f". Frames per slice: {model.per_slice}. A slice becomes {n} numbers out of {config.codes}; a window is "
    f"{config.window} slices, or {WINDOW} frames. {videos} videos per seed are measured, with {count} seeds."
)


# %%
def real(which, length, number=many):
    """Real films (number, length, 3, h, w) that were never trained on, other ones for each seed."""
    films = 3 * EVALUATION_SEEDS + 1000 * which + np.arange(number)
    return torch.from_numpy(Shapes(config.side).batch(films, np.zeros(number, int), length).video)


# %% [markdown]
# ## Step one: a video as numbers
#
# The tokenizer reduces each frame with convolutions to one vector per 4 by 4 pixels, mixes what is near in space and
# time with 3D convolutions, and snaps each vector to the nearest of its codes. The decoder has to paint the frames from
# the numbers alone. (The paper's slices have 4 frames; for so few codes and minutes of training, ours have one.)

# %%
clip = real(seed, WINDOW, 4)
with torch.no_grad():
    numbers = model.encode(clip)
    back = model.tokenizer.decode(model.tokenizer.encode(clip))
shades = np.random.default_rng(0).uniform(0.15, 1, (config.codes, 3)).astype(np.float32)
cells = round(n**0.5)
painted = shades[numbers.numpy()].reshape(4, config.window, cells, cells, 3).transpose(0, 1, 4, 2, 3)
painted = painted.repeat(model.per_slice, 1).repeat(config.side // cells, 3).repeat(config.side // cells, 4)
rows = np.stack([clip.numpy(), painted, back.numpy()], 1).reshape(-1, 3, config.side, config.side)
background = clip.flatten(3).median(-1).values[..., None, None]
explained = 1 - float((back - clip).square().mean() / (background - clip).square().mean())
report.image(
    contact_sheet(rows, columns=WINDOW, scale_up=3, numbers=False),
    "tokenizer",
    caption=f"Four real clips, each in three rows: the frames, their numbers (one random colour per number), and what "
    f"the decoder makes of the numbers. It explains {explained:.0%} of what differs from the plain background.",
    alt="Rows of small frames with a moving shape, coloured squares, and copies of the frames.",
)
report.measure("reconstruction", "tokenizer", "share of the foreground explained", explained, better="higher")

# %% [markdown]
# ## Does a number know what time it is?
#
# > *replicate-padding*: replicate padding makes codes nearly independent of position in the clip, so sliding-window
# > sampling keeps quality past the training length.
#
# Encode frames 0 to T - 1, and again a slice later, frames d to T + d - 1. Slice i of the first is slice i - 1 of the
# second: the same frames, at another place. In a time-agnostic tokenizer they have the same numbers. The *equivariance
# score* is the share that does. The ablation is the same tokenizer, trained in the same way with zeros.

# %%


def scores(net):
    """Per seed and place i of a slice: the share of equal numbers."""
    found = []
    for s in seeds:
        film = real(s, WINDOW + net.per_slice)
        here, later = net.encode(film[:, :WINDOW]), net.encode(film[:, net.per_slice :])
        found.append((here[:, 1:] == later[:, :-1]).float().mean((0, 2)).numpy())
    return np.array(found)


equal = {name: scores(net) for name, net in (("replicate", model), ("zeros", zeros))}
places = np.arange(1, config.window)
report.curve(
    "equivariance",
    "How many numbers stay when the clip slides by one slice",
    "place of the slice in the clip",
    "share of equal numbers",
    {name: (places, value.mean(0)) for name, value in equal.items()},
    caption=f"All places together: {equal['replicate'].mean():.2f} with replicated borders, "
    f"{equal['zeros'].mean():.2f} with zeros. What is lost near the ends is lost to neighbours that are cut off.",
    alt="Two lines of the share of equal numbers over the place in the clip, for replicate and zero padding.",
)
padding_claim = report.claim(
    "replicate-padding",
    measure=f"equivariance score over {many} real clips of {WINDOW} frames per seed, slid by one slice",
    subject="replicate padding", baseline_subject="zero padding",
    values=[model.equivariance(real(s, WINDOW + model.per_slice)) for s in seeds],
    baseline_values=[zeros.equivariance(real(s, WINDOW + zeros.per_slice)) for s in seeds],
    says="higher", better="higher",
)  # fmt: skip

# %%
still = real(seed, 1).expand(-1, WINDOW + model.per_slice, -1, -1, -1)
show(
    "Where only the border can tell the time, in a *still* video, the difference is pure: an equivariance of "
    f"{model.equivariance(still):.3f} with replicated borders, {zeros.equivariance(still):.3f} with zeros."
)

# %% [markdown]
# ## Step two: what may be drawn from what
#
# TATS-base is a causal transformer: $p(z) = \prod_i p(z_i \mid z_{<i}, c)$, number by number. To go on for longer it
# slides by one slice at a time, and the places begin anew. TATS-hierarchical has a *sparse* transformer that draws
# every fourth slice in the same way, and an *interpolation* transformer that sees two of these, A and B, and draws the
# three slices between. Its mask has three rules: everyone sees A and B; the middle sees the middle before it; **B does
# not see the middle**. For if B did, then in the next layer the middle would look at B and read its own future there.

# %%
drawn, axes = figure(columns=2, rows=2, height=5.6)
slices, e = 4 * config.every + 1, config.every
walk = list(range(slices))
plan = [j // e if j % e == 0 else slices // e + j % e for j in walk]
for ax, steps, title in zip(axes[:2], (walk, plan), ("sliding", "hierarchical"), strict=True):
    ax.scatter(
        walk, steps, c=["#d95f02" if j % e == 0 and ax is axes[1] else "#4c78a8" for j in walk], s=16, marker="s"
    )
    ax.set_title(f"{title}: {max(steps) + 1} steps for {slices} slices", loc="left")
    ax.set(xlabel="slice", ylabel="step", ylim=(slices, -1))
names = ["c", "A", "A", *[f"m{i}" for i in (1, 2, 3) for _ in range(2)], "B", "B"]
for ax, leak in zip(axes[2:], (False, True), strict=True):
    ax.imshow(~interpolation_mask(2, 3, leak=leak), cmap="gray", vmin=-0.6, vmax=1)
    ax.set(xticks=range(len(names)), yticks=range(len(names)), xlabel="is looked at", ylabel="looks")
    ax.set_xticklabels(names, fontsize=6), ax.set_yticklabels(names, fontsize=6)
    ax.set_title("mask, leaky (ablation)" if leak else "mask, as published", loc="left")
report.image(
    drawn,
    "idea",
    caption="Above: which slice is drawn when. Sparse slices (orange) come one after the other, then all gaps at once. "
    "Below: the interpolation mask with two numbers per slice; dark: may look. On the right B sees the middle.",
    alt="Two panels of slices against steps, a long and a short staircase; two square masks that differ in B's rows.",
)

# %% [markdown]
# > *interpolation-mask*: letting the last anchor attend to the frames being generated leaks them and breaks training.
#
# Two interpolation transformers, trained alike on the same numbers with either mask. First their training loss on new
# films: how surprised are they by the right numbers, with the right numbers before them? Then they have to fill gaps
# of real films, where the right numbers are not there to be handed back.

# %%
SPAN = config.every + 1  # slices from A to B


def gaps(net, which):
    """(loss in nats per number, squared error of the filled frames, the frames, the truth) on gaps of real films."""
    film = real(which, SPAN * model.per_slice + 2 * WINDOW)
    z = model.encode(film)[:, config.window // 2 :][:, :SPAN]  # away from the clip's ends
    truth = film[:, config.window // 2 * model.per_slice :][:, : SPAN * model.per_slice]
    with torch.no_grad():
        middle = z[:, 1:-1].flatten(1)
        loss = float(torch.nn.functional.cross_entropy(net.gap_logits(z.flatten(1)).flatten(0, 1), middle.flatten()))
        filled = net.fill(z[:, 0], z[:, -1], torch.Generator().manual_seed(which))
        both = torch.cat([z[:, :1], filled, z[:, -1:]], 1).view(len(z), SPAN, cells, cells)
        made = model.tokenizer.decode(both)
    inside = slice(model.per_slice, -model.per_slice)
    return loss, float((made - truth)[:, inside].square().mean()), made, truth


filled = {name: [gaps(net, s) for s in seeds] for name, net in (("published", model), ("leaky", leaky))}
for name, found in filled.items():
    surprise = [f[0] for f in found]
    report.measure(f"gap-loss:{name}", f"{name} mask", "teacher-forced loss", surprise, unit="nats", better="lower")
losses = {name: float(np.mean([f[0] for f in found])) for name, found in filled.items()}
mask_claim = report.claim(
    "interpolation-mask",
    measure=f"mean squared error of the frames filled into {many} gaps of real films per seed",
    subject="published mask", baseline_subject="leaky mask",
    values=[f[1] for f in filled["published"]], baseline_values=[f[1] for f in filled["leaky"]],
    says="lower", better="lower",
)  # fmt: skip
show(
    f"The loss with the right numbers at hand is {losses['published']:.2f} nats per number with the published mask and "
    f"{losses['leaky']:.2f} with the leaky one. Guessing among all codes would cost {np.log(config.codes):.2f}."
)

# %%
sheet = torch.stack([filled[name][0][i][:3] for name, i in (("published", 3), ("published", 2), ("leaky", 2))], 1)
report.image(
    contact_sheet(sheet.flatten(0, 2).numpy(), columns=SPAN * model.per_slice, scale_up=4, numbers=False),
    "gaps",
    caption="Three gaps, three rows each: the real film; filled with the published mask; filled with the leaky mask. "
    "The first and the last slice of a row were given as numbers.",
    alt="Nine rows of frames with a moving shape: real, filled with the one mask, filled with the other.",
)

# %% [markdown]
# ## How many steps?
#
# > *hierarchy-speed*: sampling one slice in four autoregressively and filling the rest in parallel is about four times
# > faster.
#
# What costs time is what must be done one after the other: calls of a transformer. With n numbers per slice and N
# slices, sliding takes N n. The hierarchy takes N n / 4 + 3 n, if all gaps are filled at once; ours fills 16 gaps at a
# time, so that memory stays the same however long the video is. Here all videos of this page are made, and we count.


# %%
def make(schedule, which):
    """Videos (many, frames, 3, h, w), the number of sequential calls, and seconds."""
    calls = []
    hooks = [getattr(model, part).net.register_forward_hook(lambda *_: calls.append(1)) for part in config.parts[1:]]
    began = time.perf_counter()
    made = model.generate(frames, seed=which, batch=many, schedule=schedule)
    for hook in hooks:
        hook.remove()
    return made, len(calls), time.perf_counter() - began


runs = {name: [make(name, s) for s in seeds] for name in SCHEDULES}
calls, seconds = ({name: [run[i] for run in found] for name, found in runs.items()} for i in (1, 2))
note = f"{many} videos of {frames} frames at once"
for name in SCHEDULES:
    report.measure(f"seconds:{name}", name, "time of generation", seconds[name], unit="s", better="lower", note=note)
speed_claim = report.claim(
    "hierarchy-speed",
    measure=f"sequential calls of a transformer for {frames} frames",
    subject="hierarchical", baseline_subject="sliding",
    values=calls["hierarchical"], baseline_values=calls["sliding"], says="lower", better="lower",
)  # fmt: skip
fewer, faster = (float(np.mean(what["sliding"]) / np.mean(what["hierarchical"])) for what in (calls, seconds))
show(
    f"{fewer:.1f} times fewer calls, and {faster:.1f} times less time. (The paper: 7.5 minutes and 23 s instead of 30 "
    "minutes for 1024 frames.)"
)

# %% [markdown]
# ## Long videos
#
# All begin from nothing. Beside the two orders of TATS there is FDM, a diffusion model of frames that was trained on
# the same world. Freeze, repeat, shuffle and noise need no network.

# %%
contest = Contest(report, "shapes", seeds=seeds, videos=videos, frames=frames, side=config.side)
made = {name: {s: run[0] for s, run in zip(seeds, found, strict=True)} for name, found in runs.items()}
fdm = reproductions.load("fdm", "shapes")
made["fdm"] = {s: fdm.generate(frames, seed=s, batch=videos, steps=euler) for s in seeds}
for name, films in made.items():
    contest.add(name, {s: film[:videos] for s, film in films.items()})
SHOWN = ("real", *SCHEDULES, "fdm")
shown = [contest.films(name)[seed][0] for name in SHOWN]
report.video(
    grid(np.stack(shown), columns=len(SHOWN), gap=1),
    "side-by-side",
    caption=f"{frames} frames. From the left: {', '.join(SHOWN)}.",
    alt="Four small films beside each other with a moving shape each.",
    scale_up=5,
)

# %%
rows = np.concatenate([contest.films(name)[s][0, :: frames // 28] for name in SHOWN for s in seeds[:2]])
report.image(
    contact_sheet(rows, columns=len(range(0, frames, frames // 28)), scale_up=2, numbers=False),
    "sheet",
    caption=f"Two videos each, one frame in {frames // 28}. From the top: {', '.join(SHOWN)}.",
    alt="Eight rows of frames of one video each, with a coloured shape on dark ground.",
)

# %%
contest.table(
    caption=f"Whole videos of {frames} frames, {videos} per seed, against their own first frames; means over {count} "
    "seeds with half the width of the 95 % interval."
)
contest.distances(caption="Lower is better.")

# %% [markdown]
# ### Drift

# %%
DRIFT = ("real", *SCHEDULES, "fdm", "freeze", "noise")
contest.drift(
    "identity", title="Do the shapes stay what they are?", names=DRIFT, block=16,
    alt="Lines of the share of shapes that keep kind, colour and size, over the frames.",
)  # fmt: skip
contest.distance_drift(
    title="How far are the clips from real ones?", names=DRIFT,
    alt="Lines of the distance of 16-frame clips from real ones, over the frames.",
    caption="Past the first clip the window of the sliding video has slid; lower is better.",
)  # fmt: skip
ends = {name: [contest.distance(name, at).value for at in (slice(0, 1), slice(-2, None))] for name in SCHEDULES}
won = contest.beaten("hierarchical", ["identity", "lost", "clip-distance"])
show(
    "Distance of clips from real ones, first clip and last two: "
    + ", ".join(f"{name} {a:.2f} and {b:.2f}" for name, (a, b) in ends.items())
    + ". The hierarchy clearly beats, at "
    + "; ".join(f"{id}: {', '.join(names) or 'none'}" for id, names in won.items())
    + f" (of {', '.join(BASELINES)})."
)

# %% [markdown]
# ## Who keeps the theme?
#
# > *hierarchy-coherence*: the two-level model keeps the theme longer and loses quality later than the base model.
#
# The paper asks a classifier whether the last 16 frames are of the class of the first. Our theme is the
# colour: read what is in sight in at least half of the frames of a segment, and ask whether the last segment has the
# same as the first. A video whose first segment shows no shape has no theme to keep, and counts as lost.


# %%
def theme(film):
    """Colours in sight in at least half of the frames of a clip: (videos, colours) bool."""
    return read_shapes(film.numpy()).present.mean(1) >= 0.5


def kept(films):
    """Per seed: the share of videos whose colours in the last 16 frames are those of the first."""
    ends = [(theme(films[s][:, :16]), theme(films[s][:, -16:])) for s in seeds]
    return [float(((last == first).all(-1) & first.any(-1)).mean()) for first, last in ends]


themes = {name: kept(made[name]) for name in SCHEDULES}
for name, values in themes.items():
    report.measure(f"theme:{name}", name, "last colours are the first", values, better="higher")
theme_claim = report.claim(
    "hierarchy-coherence",
    measure=f"share of {many} videos per seed whose last 16 frames of {frames} show the colours of the first 16",
    subject="hierarchical", baseline_subject="sliding",
    values=themes["hierarchical"], baseline_values=themes["sliding"], says="higher", better="higher",
)  # fmt: skip

# %% [markdown]
# ## Limits
#
# - A toy: 16 x 16 pixels, slices of one frame, three small transformers, minutes of training on one core. The paper has
#   128 x 128 pixels, slices of 4 frames, 24 layers, ten days on eight GPUs. The deviations are numbered at the top of
#   `reproductions/methods/tats.py`.
# - The videos fall short in one thing: the kind of a shape changes on the way, mostly while its colour stays. A few of
#   the numbers of a frame tell kinds apart, each is drawn, and each draw may go wrong; the loss of the transformers was
#   still falling when training ended (below).
# - Without slices of several frames the tokenizer has little reason to look along time, so what the border tells is
#   weaker than in the paper, although our encoder hears it in every slice of a window.
# - Of the first claim only the score is judged. Zero padding was trained in the tokenizer alone, so whether sliding
#   videos fall apart with it was not seen.
# - Seeds vary the numbers drawn and the films, not the training: one set of weights for each variant.
# - The theme test knows colours only, and blurred shapes that are not read count as changed.
#
# ## Exercise
#
# Two levels make the number of sequential steps about four times smaller. What would three levels do, every 16th slice
# first, then every 4th, then all? Write the number of steps for N slices of n numbers and any number of levels, if all
# gaps of a level are filled at once. From how many slices on do three levels beat two?
#
# <details><summary>Solution</summary>
#
# ```python
# def steps(slices, levels, every=4, tokens=16):
#     first = -(-slices // every ** (levels - 1)) * tokens
#     return first + (levels - 1) * (every - 1) * tokens
#
#
# print([steps(512, levels) for levels in (1, 2, 3, 4)])
# print(next(s for s in range(1, 1000) if steps(s, 3) < steps(s, 2)))
# ```
#
# It prints `[8192, 2096, 608, 272]` and 21: each further level saves less, costs three slices of steps, and plans from
# slices that lie further apart, where there is less to go by.
#
# </details>

# %%
history = np.array(json.loads(reproductions.weights_path("tats").with_suffix(".json").read_text())["loss"])
bounds = np.cumsum((0, *config.shares)) * config.steps / sum(config.shares)
stages = {name: history[(history[:, 0] > a) & (history[:, 0] <= b)] - (a, 0)
          for name, a, b in zip(config.parts[1:], bounds[1:-1], bounds[2:], strict=True)}  # fmt: skip
report.curve(
    "training", "What more training buys", "step of its stage", "nats per number",
    {name: (stage[:, 0], stage[:, 1]) for name, stage in stages.items()},
    caption="Training loss of the three transformers, means over 20 steps.",
    alt="Three falling lines of training loss over steps, one per transformer.",
)  # fmt: skip

# %% [markdown]
# ## What was found

# %%
own = {name: {id: mean(contest.values(name, id)) for id in ("identity", "lost")} for name in SHOWN}
lines = [
    f"- **{name}**, {frames} frames: shapes keep kind, colour and size in {own[name]['identity']:.0%} of the cases; "
    f"{own[name]['lost']:.2f} shapes per frame are lost."
    for name in SHOWN
]
judged = (padding_claim, mask_claim, speed_claim, theme_claim)
show("\n".join([*lines, *(f"- `{c.id}`: **{c.verdict}**. {c.reason}" for c in judged)]))
result_file = report.save()
