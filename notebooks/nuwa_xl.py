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
# # NUWA-XL: a network applied to its own output
#
# *NUWA-XL: Diffusion over Diffusion for eXtremely Long Video Generation*, Yin, Wu, Yang and others, ACL 2023
# ([arXiv 2303.12346](https://arxiv.org/abs/2303.12346)).
#
# **The problem.** A diffusion model that makes 16 frames can make a film by going on from its own last frames, again
# and again. Three things are wrong with that. It was trained on short clips, so it has never seen how a long video
# hangs together; every window copies the errors of the one before; and no window can start before the last one is
# done, however many machines there are.
#
# **The idea.** Divide and conquer. A *global* model first makes L key frames that span the whole film. A *local* model
# gets two neighbouring key frames and makes the frames between them; and then again between *those*, until the gaps
# are closed. It is one and the same network, and all gaps of a level can be filled at the same time.

# %% tags=["parameters"]
scale = "toy"  # "smoke" generates less, with the same weights, and judges nothing
seed = 0
train = False  # True: train first, with the preset of this scale
out = ""  # where results go; empty: build/runs

# %%
import time

import numpy as np
import torch

import reproductions
from reproductions.contest import BASELINES, Contest
from reproductions.contract import Condition
from reproductions.measures.exact import exact
from reproductions.measures.statistics import mean
from reproductions.parts.diffusion import noisy
from reproductions.report import COLOURS, Report, figure, grid, show
from reproductions.video import contact_sheet
from reproductions.worlds import captions
from reproductions.worlds.shapes import Shapes

videos, frames, steps, count = {"smoke": (2, 32, 1, 2), "toy": (2, 128, None, 3), "gpu": (16, 512, None, 5)}[scale]
seeds = [seed + i for i in range(count)]
report = Report("nuwa_xl", scale=scale, seed=seed, seeds=seeds, out=out)

model = reproductions.load_or_train("nuwa_xl", scale, fresh=train)
device = next(model.parameters()).device

L, DEPTH, side = model.config.clip, model.config.depth, model.config.side
STRIDES = [model.config.stride(below) for below in reversed(range(DEPTH))]
TREE = model.config.stride(DEPTH) + 1
show(
    f"The network has {sum(p.numel() for p in model.parameters()):,} parameters and makes clips of L = {L} frames. "
    f"With a depth of m = {DEPTH} that is a video of (L - 1)^m + 1 = {TREE} frames. This run makes {videos} videos per "
    f"seed and contender, {frames} frames each, with {count} seeds."
)

# %% [markdown]
# ## The world, at four speeds
#
# A coloured shape moves in straight lines and bounces off the walls; a caption names it. What training "on long
# videos" means here: every training clip has L frames, but its *stride* is that of a level. At the widest, nothing but
# the looks of the shape connects two neighbouring frames. At the narrowest, it is smooth motion.

# %%
world = Shapes(side)
example = model.clips(np.random.default_rng(seed), 1)
report.image(
    contact_sheet(
        np.concatenate([example.video[0, : L * s : s].numpy() for s in STRIDES]), columns=L, scale_up=4, numbers=False
    ),
    "strides",
    caption=f"Clips of one training video, at the strides {', '.join(map(str, STRIDES))} (rows). Its caption: "
    f"“{captions.decode(example.captions[0, :1].numpy())[0]}”",
    alt=f"{DEPTH} rows of {L} small frames with a coloured shape; the lower the row, the smaller the steps.",
)

# %% [markdown]
# ## The tree
#
# The first levels of one film, as the code grows it: dots are frames that a call is given, squares are frames that it
# makes. A call of a level never looks at another call of its level.

# %%
drawn, axes = figure(height=2.4)
shown_levels = DEPTH - 1
for level in range(shown_levels):
    wide = STRIDES[level] * (L - 1)
    made = [f for f in range(0, TREE, STRIDES[level]) if level == 0 or f % wide]
    given = range(0, TREE, wide) if level else []
    axes[0].scatter(made, [level + 1] * len(made), s=16, marker="s", color=COLOURS[0], linewidths=0)
    axes[0].scatter(given, [level + 1] * len(given), s=14, marker="o", color=COLOURS[1], linewidths=0)
axes[0].set(xlabel="frame", ylabel="level", ylim=(shown_levels + 0.5, 0.5), yticks=range(1, shown_levels + 1))
drawn.legend(["made", "given"], loc="outside upper right", ncols=2, frameon=False)
report.image(
    drawn,
    "tree",
    caption=f"Levels 1 to {shown_levels} of a tree of {TREE} frames (level {DEPTH} makes all the others). Calls per "
    f"level: {', '.join(str((L - 1) ** level) for level in range(DEPTH))}.",
    alt="Rows of squares and dots over the frame number: five squares in row one, finer and finer rows below.",
)

# %% [markdown]
# ## The mechanism, on real tensors
#
# **Frames as latents.** An autoencoder first turns each frame into a small grid of vectors, and back. All that follows
# happens among these vectors; a frame is painted when it is done.

# %%
many = torch.from_numpy(world.at(2**41 + np.arange(64), np.zeros((64, 1), int)).video[:, 0]).to(device)
with torch.inference_mode():
    painted = model.autoencoder.decode(model.autoencoder.encode(many))
ground = many.flatten(2).median(-1).values[..., None, None]
explained = 1 - float((painted - many).square().mean() / (ground - many).square().mean())
report.image(
    contact_sheet(torch.cat([many[:16], painted[:16]]).cpu().numpy(), columns=16, scale_up=3, numbers=False),
    "autoencoder",
    caption=f"Real frames, and what is painted from their {' x '.join(map(str, model.latent))} numbers, which explains "
    f"{explained:.1%} of what differs from the plain ground, over {len(many)} frames.",
    alt="Two rows of sixteen frames with a coloured shape; the second repeats the first.",
)
report.measure("reconstruction", "autoencoder", "share of the foreground explained", explained, better="higher")

# %% [markdown]
# **Masked.** The network gets a noisy clip $x_t$, in which *all* frames are noise; a condition clip $x_0^c$, in which
# the frames between the ends are holes of zeros; and a map $x_0^m$ that says which frames are given:
#
# $$x_0^c = x_0^m\, x_0, \qquad \hat{x} = f_\theta(x_t,\; p,\; t,\; x_0^c,\; x_0^m)$$

# %%
stride = STRIDES[-2]
real = world.at(np.array([2**41 + seed]), stride * np.arange(L)[None])
with torch.inference_mode():
    x_0 = model.autoencoder.encode(torch.from_numpy(real.video).to(device))
said = [str(c) for c in real.truth.captions()]
p = torch.from_numpy(captions.encode(said, model.config.caption_length)).to(device)[:, None].expand(-1, L, -1)
x0m = torch.zeros(1, L, 1, *model.latent[1:], device=device)
x0m[:, [0, -1]] = 1
t = torch.tensor([0.9], device=device)
eps = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(seed)).to(device)
x_t = noisy(x_0, eps, t)
index = stride * torch.arange(L, device=device)[None]
with torch.inference_mode():
    filled = model.denoise(x_t, p, t, x0m * x_0, x0m, index)
    alone = model.denoise(x_t, p, t, 0 * x_0, 0 * x0m, index)
    noise, guess, other, truth = (model.autoencoder.decode(x) for x in (x_t, filled, alone, x_0))
off = {n: float((y - truth)[:, 1:-1].abs().mean()) for n, y in (("given", guess), ("alone", other))}
rows = torch.cat([noise, truth * x0m[..., :1, :1], guess, other, truth]).flatten(0, 1).cpu().numpy()
report.image(
    contact_sheet(rows, columns=L, scale_up=5, numbers=False),
    "mechanism",
    caption=f"A local call at stride {stride}, t = {t.item():.1f}, painted. From the top: the noisy clip; the given "
    f"frames; the guess after one call, off by {off['given']:.3f} per pixel of the middle frames; the guess without "
    f"the given frames, off by {off['alone']:.3f}; the truth.",
    alt="Five rows of frames: noise, two end frames with black between, a guess, a worse guess, the truth.",
)

# %% [markdown]
# **Condition injection.** Before every layer the given frames and the map scale and shift the features. The maps that
# make $w$ and $b$ start at zero, so that $h$ passes unchanged:
#
# $$h := h + w^c h + b^c, \qquad h := h + w^m h + b^m$$
#
# A scale of $1 + w$ and not $w$: with zeros at the start, $w h + b$ would erase the features. Training has made of
# these zeros:

# %%
with torch.inference_mode():
    heard = model.net.hear(x0m * x_0)[0]
    pairs = [inject.map(heard).abs().chunk(2, -1) for inject in model.net.inject_frames]
report.table(
    ["layer", "w, given frame", "w, middle", "b, given frame", "b, middle"],
    [[n, *(float(v[frame].mean()) for v in pair for frame in (0, 1))] for n, pair in enumerate(pairs, 1)],
    caption="Mean size of w and b from the condition clip, on the first (given) and the second (not given) frame.",
)  # fmt: skip

# %% [markdown]
# **The levels, one after the other.** The frames that a level was given stay as they are; each level only adds to them.

# %%
grown = model.generate(STRIDES[0] * (L - 1) + 1, seed=seed, schedule="levels", steps=steps)[0].numpy()
report.image(
    contact_sheet(np.concatenate([grown[: L * s : s] for s in STRIDES]), columns=L, scale_up=4, numbers=False),
    "levels",
    caption=f"A film from nothing. Rows: frames 0 to {STRIDES[0] * (L - 1)} at stride {STRIDES[0]}, made first; then "
    "the first gap of each level, with the two frames that the level above had made at its ends.",
    alt=f"{DEPTH} rows of {L} frames: key frames, then finer and finer steps between the first two.",
)

# %% [markdown]
# ## A long video
#
# Films made from the captions of the real ones, and films from nothing, in which only the frames themselves can say
# what belongs together. Beside them the same network as a sliding window (trees of depth 1), and FDM, a diffusion
# model trained on this world that goes on from its own last frames. Both of these are told nothing.

# %%
fdm = reproductions.load("fdm", "shapes").to(device)
contest = Contest(report, "shapes", seeds=seeds, videos=videos, frames=frames, side=side)


def ours(depth):
    """Videos per seed, made with trees of this depth; a video longer than a tree is a chain of trees."""
    return {s: model.generate(frames, seed=s, batch=videos, depth=depth, steps=steps) for s in seeds}


def tell(caption, seed):
    """One video made from a caption."""
    return model.generate(frames, Condition(captions=(caption,)), seed=seed, steps=steps)


asked = {s: [str(c) for c in contest.truth[s].captions()] for s in seeds}
DEEP, FLAT, TOLD = f"depth {DEPTH}", "depth 1", f"depth {DEPTH}, with captions"
contest.add(TOLD, {s: torch.cat([tell(c, 1000 * i + s) for i, c in enumerate(asked[s])]) for s in seeds})
contest.add(DEEP, ours(DEPTH))
contest.add(FLAT, ours(1))
contest.add("fdm", {s: fdm.generate(frames, seed=s, batch=videos, steps=steps or 5) for s in seeds})
shown = ["real", TOLD, DEEP, FLAT, "fdm"]
side_by_side = np.stack([contest.films(n)[seed][:2] for n in shown], 1)
report.video(
    grid(side_by_side.reshape(-1, *side_by_side.shape[2:]), columns=len(shown), gap=1),
    "side-by-side",
    caption=f"{frames} frames from nothing, {len(side_by_side)} of each (rows). From the left: {'; '.join(shown)}.",
    alt="A grid of small films with a coloured shape each: real video, then generated ones.",
    scale_up=5,
)

# %%
rows = np.concatenate([contest.films(n)[seed][0, :: frames // 32] for n in shown])
report.image(
    contact_sheet(rows, columns=32, scale_up=2, numbers=False),
    "sheet",
    caption=f"One film each, one frame in {frames // 32}. From the top: {'; '.join(shown)}.",
    alt="Five rows of frames with coloured shapes.",
)

# %% [markdown]
# ### How good is it, and for how long?
#
# Every measure is exact, read from the pixels. A film from nothing is held against its own first frames: the shapes
# that it begins with must stay, move lawfully and bounce at walls. Freezing and repeating keep identity for ever, and
# shuffling too; they fail at motion. Only real video is good in every column.

# %%
contest.table(caption=f"All {frames} frames, means over {count} seeds of {videos} films.")

# %%
identity = contest.drift(
    "identity",
    title="Who is it? Identity along the film",
    alt="Lines of the share of shapes that keep their identity against the frame number.",
    names=[*shown, "noise"],
    block=frames // 16,
)

# %%
contest.distances(caption=f"Over {count} seeds of {videos} films.")
contest.distance_drift(
    title="Distance of clips from real ones, along the film",
    alt="Lines of the distance of 16-frame clips from real clips against the frame number.",
    names=shown,
)
beaten = contest.beaten(TOLD, ["velocity_error", "identity", "clip-distance"])
lines = [f"- {what}: clearly better than {', '.join(b) or 'none of the trivial films'}." for what, b in beaten.items()]
show(f"{TOLD}:\n\n" + "\n".join(lines))

# %% [markdown]
# ## Does it drift?
#
# > *no-drift-with-length*: mean frame quality stays flat as the video grows, while autoregressive baselines get worse.
#
# The test that the fact file asks for: the distance of 16-frame clips from real ones, segment by segment. The claim
# holds if it grows less along the film than FDM's. Neither hears captions here.

# %%
late, early = slice(frames // 32, None), slice(0, max(1, frames // 64))  # the second half, the first quarter
growth = {n: np.subtract(*(contest.distance_values(n, part) for part in (late, early))).tolist() for n in shown}
drift_claim = report.claim(
    "no-drift-with-length",
    measure="distance of 16-frame clips from real ones in the second half of the film, less that in its first quarter",
    subject=DEEP, baseline_subject="fdm, autoregressive", values=growth[DEEP], baseline_values=growth["fdm"],
    says="lower", better="lower",
)  # fmt: skip

# %% [markdown]
# ## Does depth help?
#
# > *depth-helps-long*: a deeper hierarchy matters only for long outputs.
#
# One network, two trees. Of depth 1 it is a sliding window that goes on from one frame; how the paper's shallow
# variants reach long videos is not described. First the long film, then, as the control, its first 16 frames, where
# the paper's depths tie.

# %%
depth_claim = report.claim(
    "depth-helps-long",
    measure=f"distance of 16-frame clips from real ones, over all {frames} frames",
    subject=DEEP, baseline_subject=FLAT,
    values=contest.distance_values(DEEP), baseline_values=contest.distance_values(FLAT),
    says="lower", better="lower",
)  # fmt: skip
for name in (DEEP, FLAT):
    values = contest.distance_values(name, slice(0, 1))
    found = report.measure(f"short-distance:{name}", name, "distance of the first 16 frames", values, better="lower")
    show(f"In the first 16 frames alone, {name}: {found.value:.3g}.")

# %% [markdown]
# ## What is it worth to fill all gaps at once?
#
# > *parallel-depth*: filling all gaps of a level at once cuts generation time sharply against sliding-window diffusion
# > on equal hardware.
#
# The same network with the same number of steps per call, on this machine: trees of depth 2, 3 and 4 against the
# sliding window (depth 1). We count the runs of the network that must wait for each other, and the time.

# %%
LENGTHS = [(model.config.stride(d) + 1, d) for d in range(2, DEPTH + 1)]
passes, seconds, counter = {}, {}, []
hook = model.net.register_forward_hook(lambda *_: counter.append(1))
for s in seeds:
    for length, d in LENGTHS:
        for name, options in (("levels", {"depth": d, "schedule": "levels"}), ("window", {"depth": 1})):
            counter.clear()
            started = time.perf_counter()
            model.generate(length, seed=s, steps=1, **options)
            seconds.setdefault((name, length), []).append(time.perf_counter() - started)
            passes[name, length] = len(counter)
hook.remove()
for (name, length), values in seconds.items():
    report.measure(f"seconds-{length}:{name}", name, f"seconds for {length} frames", values, unit="s", better="lower")
report.table(
    ["frames", "runs in a row, tree", "runs in a row, window", "seconds, tree", "seconds, window"],
    [[n, *(passes[k, n] for k in ("levels", "window")), *(float(np.mean(seconds[k, n])) for k in ("levels", "window"))]
     for n, _ in LENGTHS],
    caption=f"One video, one denoising step per call, means over {count} runs.",
)  # fmt: skip

# %%
longest = LENGTHS[-1][0]
time_claim = report.claim(
    "parallel-depth",
    measure=f"seconds for {longest} frames of one video on this machine, same network and steps per call",
    subject="all gaps of a level at once", baseline_subject="sliding window of the same network",
    values=seconds["levels", longest], baseline_values=seconds["window", longest],
    says="lower", better="lower", unit="s",
)  # fmt: skip
show(
    f"Runs that wait for each other: {passes['levels', longest]} instead of {passes['window', longest]}. What that is "
    "worth in time depends on how much of a machine one clip keeps busy: a graphics card has room for many, two CPU "
    f"cores hardly. The tree also computes more: each call makes {L - 2} new frames of {L}, a window {L - 1}."
)

# %% [markdown]
# ## Does it listen?
#
# Every frame has a caption of its own; the films with captions were asked for what the real films show. A frame obeys
# if it shows the shapes of its caption, in colour, kind, size and pace, and no others. The control holds the same films
# against the captions of other films.

# %%
others = {s: asked[seeds[(i + 1) % count]] for i, s in enumerate(seeds)}
heard = {}
for name, source, against in (
    ("real, its own caption", "real", asked),
    ("made, its own caption", TOLD, asked),
    ("made, another caption", TOLD, others),
):
    judged_by = [exact(world, contest.films(source)[s], against[s]) for s in seeds]
    heard[name] = {q: [mean(found[q]) for found in judged_by] for q in ("obedience", "identity")}
    for q, says in (("obedience", "caption obeyed"), ("identity", "shapes of the caption seen")):
        report.measure(f"told-{q}:{name}", name, says, heard[name][q], unit="share", better="higher")
report.table(
    ["held against", "caption obeyed", "shapes of the caption seen"],
    [[n, *(float(np.mean(found[q])) for q in ("obedience", "identity"))] for n, found in heard.items()],
    caption=f"{frames} frames, means over {count} seeds of {videos} films.",
)
rows = np.concatenate([contest.films(TOLD)[s][0, :: frames // 16] for s in seeds[:3]])
report.image(
    contact_sheet(rows, columns=16, scale_up=3, numbers=False), "captions",
    caption=" ".join(f"Row {n + 1}: “{asked[s][0]}”" for n, s in enumerate(seeds[:3])),
    alt="Rows of frames, each with the shapes that its caption names, or not.",
)  # fmt: skip

# %% [markdown]
# ## Limits
#
# - This is a toy: 16 x 16 pixels, L = 5 and minutes of training, where the paper has latents of 256 x 256 pixels,
#   L = 16 and a pre-trained image model. The numbered deviations stand at the top of
#   `reproductions/methods/nuwa_xl.py`.
# - What the caption says stays for the whole film. From nothing, the key frames alone must agree on who is shown, and
#   at this size they only half do: colours mostly stay, kinds change from one key frame to the next.
# - Two neighbouring gaps share a frame and nothing else. A frame shows where a shape is, not where it is going: the
#   motion on both sides of a key frame need not agree, and in the paper's method nothing makes it.
# - Key frames are drawn before anything is known of the way between them. Where no lawful way leads from one to the
#   next, the local model can only invent one.
# - The seeds vary the noise, not the training; with few seeds the intervals are wide. *Inconclusive* means just that.
# - The clip distance uses a network trained on our own worlds. It is comparable only with itself, never with an FVD.
#
# ## Exercise
#
# 1025 frames can be one tree of depth 5, four of depth 4, or 256 of depth 1, one after the other. Count the runs that
# must wait for each other, with all gaps of a level filled at once and with each top-level gap finished before the
# next. Check the formula against `passes`. When does a viewer see the first frame?
#
# <details><summary>Solution</summary>
#
# ```python
# def in_a_row(frames, depth, at_once):
#     trees = -(-(frames - 1) // (L - 1) ** depth)
#     return trees * (1 + (depth - 1) * (1 if at_once else L - 1))
#
#
# assert all(in_a_row(n, d, True) == passes["levels", n] for n, d in LENGTHS)
# assert all(in_a_row(n, 1, True) == passes["window", n] for n, _ in LENGTHS)
# print([(d, in_a_row(1025, d, True), in_a_row(1025, d, False)) for d in range(1, 6)])
# ```
#
# With L = 5 the deepest tree needs 5 runs, 256 windows need 256. The first frame is final after one run and is shown
# with its gap, after `depth` runs: at once in a shallow tree, and never later than the depth.
#
# </details>

# %% [markdown]
# ## What was found

# %%
judged = (drift_claim, depth_claim, time_claim)
everyone = (*shown, *BASELINES)
kept = {n: float(np.mean(contest.values(n, "identity", slice(frames // 2, None)))) for n in everyone}
off_step = {n: float(np.mean(contest.values(n, "velocity_error"))) for n in everyone}
off_step = {n: v for n, v in off_step.items() if np.isfinite(v)}  # the others show nothing that could move
own = {q: float(np.mean(v)) for q, v in heard["made, its own caption"].items()}
lines = [
    f"- **Identity**, second half of {frames} frames: " + ", ".join(f"{v:.0%} ({n})" for n, v in kept.items()) + ".",
    "- **Steps**, pixels off the lawful ones: " + ", ".join(f"{v:.2f} ({n})" for n, v in off_step.items()) + ".",
    f"- **Captions**: {own['obedience']:.0%} of the frames obey, {own['identity']:.0%} of the shapes named are seen.",
    *(f"- `{c.id}`: **{c.verdict}**. {c.reason}" for c in judged),
]
show("\n".join(lines))
result_file = report.save()
