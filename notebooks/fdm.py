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
# # FDM: decide at test time what the network looks at
#
# *Flexible Diffusion Modeling of Long Videos*, Harvey, Naderiparizi, Masrani, Weilbach and Wood, NeurIPS 2022
# ([arXiv 2205.11495](https://arxiv.org/abs/2205.11495)).
#
# **The problem.** A video has N frames, but the memory of a machine holds a network that works on only K of them at a
# time. The usual way out is a sliding window: look at the last few frames, make the next few, move on. Whatever left
# the window is forgotten: turn round in a maze, and the walls behind you have another colour. A wider window postpones
# this and costs more at every step. FDM keeps K small and asks another question: *which* K frames?
#
# **The idea.** Train one network to make any frames of a video from any others. Then the order of the work, a
# *schedule*, is free: it is chosen when the training is long over.

# %% tags=["parameters"]
scale = "toy"  # "smoke" generates less, with the same weights, and judges nothing
seed = 0
train = False  # True: train first, with the preset of this scale
out = ""  # where results go; empty: build/runs

# %% [markdown]
# Everything below runs on a laptop: a small network, frames of 16 x 16 pixels, and a world whose truth is known, so
# that "forgotten" is not an impression but a number.

# %%

import numpy as np
import torch

import reproductions
from reproductions.contract import Condition
from reproductions.measures import baselines
from reproductions.measures.digits import (
    LEGIBLE,
    after_curtain,
    agrees,
    clip_features,
    lawful_steps,
    path_error,
    read_digits,
    recall,
)
from reproductions.measures.statistics import frechet_distance, interval
from reproductions.methods.fdm import draw_indices
from reproductions.parts import schedules
from reproductions.parts.diffusion import noisy
from reproductions.report import COLOURS, Report, figure, grid, show
from reproductions.video import contact_sheet
from reproductions.worlds.digits import CURTAIN_PERIOD, EVALUATION_SEEDS, HIDDEN_FRAMES, PALETTE, Digits

videos, frames, steps, count = {"smoke": (2, 64, 2, 2), "toy": (3, 128, 4, 4), "gpu": (32, 256, 10, 5)}[scale]
seeds = [seed + i for i in range(count)]
report = Report("fdm", scale=scale, seed=seed, seeds=seeds, out=out)

model = reproductions.load_or_train("fdm", scale, fresh=train)

K, PREFIX = model.config.window, 8
N = max(64, model.config.horizon)  # long enough for the curtain to close and to open again
show(
    f"The network has {sum(p.numel() for p in model.parameters()):,} parameters and holds K = {K} frames at once; "
    f"it was trained on videos of {model.config.horizon}. Every video below goes on from {PREFIX} real frames. This "
    f"run makes {videos} videos per seed and schedule, with {count} seeds and {steps} denoising steps per call."
)

# %% [markdown]
# ## The world
#
# A handwritten digit bounces between the walls, for ever, at constant speed. In *memory mode* a curtain closes for 20
# frames, and then the same digit must be there again. It can only be known from frames before the curtain.

# %%
side = model.config.side
plain, hidden = Digits(side), Digits(side, memory=True)
pool = EVALUATION_SEEDS + np.arange(64 * videos * count)  # no training video has such a seed
pool = pool[hidden.phase(pool) <= CURTAIN_PERIOD - HIDDEN_FRAMES - PREFIX]  # the digit is in sight in the whole prefix
films = {s: pool[i * videos : (i + 1) * videos] for i, s in enumerate(seeds)}


def real(world, which, length):
    """The true videos and their truth."""
    return world.batch(films[which], np.zeros(videos, int), length)


truth_hidden = real(hidden, seed, N)
report.image(
    contact_sheet(np.concatenate([v[::2] for v in truth_hidden.video[:4]]), columns=N // 2, scale_up=2, numbers=False),
    "world",
    caption=(
        f"Real video in memory mode, one per row, every second frame of {N}: the digit that comes back from behind the "
        f"curtain after {HIDDEN_FRAMES} frames is the one that went."
    ),
    alt="Four rows of small frames: a coloured digit moves, a red curtain covers it, the same digit moves on.",
)

# %% [markdown]
# ## A reader that can be trusted
#
# To measure what a network remembers, we read the digit back from the pixels: the colour of the palette that explains
# most of the frame, then the best of all handwritten digits at the best of all positions. Before we trust the reader on
# generated video, we let it read real video, where the answer is known.

# %%
check = hidden.batch(pool[-32:], np.arange(32), N)
reading = read_digits(check.video)
visible = check.truth.visible[..., 0]
accuracy = {what: float(agrees(reading, check.truth, what)[visible].mean()) for what in ("label", "colour")}
seen_right = float((reading.visible == visible).mean())
for what, value in accuracy.items():
    report.measure(f"reader-{what}", "reader on real video", f"{what} read right", value, better="higher")
show(
    f"On {visible.size:,} real frames the reader is right about whether a digit is in sight in {seen_right:.2%}, about "
    f"its identity in {accuracy['label']:.2%}, about its colour in {accuracy['colour']:.2%}, and about its position to "
    f"{np.nanmean(path_error(reading, check.truth)[visible]):.2f} pixels on average."
)

# %% [markdown]
# ## Four schedules
#
# A schedule is plain data: a list of calls, each with the frames it sees and the frames it makes. Here are the real
# ones, as the code runs them. Time in the video runs to the right, the calls run downwards.

# %%
drawn, axes = figure(columns=2, rows=2, height=4.6)
for ax, name in zip(axes, schedules.NAMES, strict=True):
    plan = list(schedules.schedule(name, N, PREFIX, window=K, new=model.config.new, horizon=model.config.horizon))
    for row, call in enumerate(plan):
        ax.scatter(call.observed, [row] * len(call.observed), s=7, marker="o", color=COLOURS[1], linewidths=0)
        ax.scatter(call.latent, [row] * len(call.latent), s=9, marker="s", color=COLOURS[0], linewidths=0)
    ax.axvspan(-0.5, PREFIX - 0.5, color="#00000012", linewidth=0)
    ax.set_title(f"{name}: {len(plan)} calls", loc="left")
    ax.yaxis.get_major_locator().set_params(integer=True)
    ax.set(xlim=(-1, N), ylim=(len(plan) - 0.5, -0.5))
    ax.set(xlabel="frame" if ax in axes[2:] else "", ylabel="call")
drawn.legend(["seen by the call", "made by the call"], loc="outside upper right", ncols=2, frameon=False)
first_keys = next(
    schedules.schedule("hierarchy-2", N, PREFIX, window=K, new=model.config.new, horizon=model.config.horizon)
).latent
report.image(
    drawn,
    "schedules",
    caption=(
        f"Autoregressive never looks further back than {K - model.config.new} frames. Long-range keeps half its sight "
        f"on the end of the prefix (grey). Hierarchy-2 first makes the key frames {', '.join(map(str, first_keys))} "
        "straight from the prefix and fills the gaps from left to right. Mixed does both."
    ),
    alt="Four panels of calls against frame numbers; squares are frames made, dots are frames seen.",
)

# %% [markdown]
# ### What the plan alone allows
#
# Nothing behind the curtain tells which digit is there. So a frame after the curtain can only know the digit if a chain
# of calls leads back to the prefix through frames *in sight*. Whether there is one is a property of the plan; no
# network is needed to see it.


# %%
def reach(plan, sight):
    """Of the frames in sight after the curtain: the share that a chain of calls connects to the prefix."""
    known = set(range(PREFIX))
    for call in plan:
        if any(i in known and sight[i] for i in call.observed):
            known.update(call.latent)
    first_hidden = int(np.argmin(sight))
    due = [i for i in range(first_hidden, len(sight)) if sight[i]]
    return sum(i in known for i in due) / max(1, len(due))


sights = [v for s in seeds for v in real(hidden, s, N).truth.visible[..., 0]]
allowed = {
    name: float(
        np.mean(
            [
                reach(
                    schedules.schedule(name, N, PREFIX, window=K, new=model.config.new, horizon=model.config.horizon),
                    sight,
                )
                for sight in sights
            ]
        )
    )
    for name in schedules.NAMES
}
report.table(
    ["schedule", "calls", "frames that can know the digit"],
    [
        [n, schedules.calls(n, N, PREFIX, window=K, new=model.config.new, horizon=model.config.horizon), allowed[n]]
        for n in schedules.NAMES
    ],
    caption=f"The share of the frames after the curtain that a chain of sight connects to the prefix, "
    f"over {len(sights)} videos.",
)

# %% [markdown]
# ## The mechanism, on real tensors
#
# **Training draws its frames.** Each example picks K frames of a video in evenly spaced groups; the first group is to
# be made (*latent*), every further one is made or given (*observed*). The spacing is log-uniform, so dense runs of
# neighbours are as common as frames far apart.

# %%
rng = np.random.default_rng(seed)
drawn, axes = figure(height=2.2)
for row in range(12):
    indices, observed = draw_indices(K, N, rng)
    axes[0].scatter(indices, [row] * K, s=16, marker="s", color=[COLOURS[1] if o else COLOURS[0] for o in observed])
axes[0].set(xlabel="frame", ylabel="example", xlim=(-1, N), ylim=(11.7, -0.7))
axes[0].yaxis.get_major_locator().set_params(integer=True)
report.image(
    drawn,
    "draws",
    caption=f"Twelve training examples (rows): {K} frames each out of {N}, blue to be made, orange given.",
    alt="Twelve rows of squares at irregular places: blue for latent and orange for observed frames.",
)

# %% [markdown]
# **A fourth channel says which frames are given.** Observed frames enter clean, the others as noise; all at the same
# diffusion time $t$. Only an indicator channel $o$ (1: given, 0: to be made) tells them apart:
#
# $$\mathrm{input} = \left[\, o\, x + (1 - o)\, x_t,\; o \,\right], \qquad x_t = (1 - t)\, x + t\, \varepsilon$$

# %%
given = K // 2
index = torch.tensor([[*range(0, 2 * given, 2), *range(2 * given, 2 * given + K - given)]])
clean = 2 * torch.from_numpy(truth_hidden.video[:1, index[0]]) - 1
obs = (index < 2 * given).float()[..., None, None, None]
t = torch.tensor([0.7])
device = next(model.parameters()).device
x_t = noisy(clean, torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed)), t)
seen = obs * clean + (1 - obs) * x_t
with torch.inference_mode():
    guess = model.denoise(*(v.to(device) for v in (x_t, clean, obs, index, t))).cpu().clamp(-1, 1)
rows = [(seen + 1) / 2, obs.expand_as(clean), (guess + 1) / 2, (clean + 1) / 2]
error = float(((guess - clean) * (1 - obs)).abs().sum() / ((1 - obs).sum() * 3 * side * side) / 2)
report.image(
    contact_sheet(torch.cat(rows, 1)[0].clamp(0, 1).numpy(), columns=index.shape[1], scale_up=4, numbers=False),
    "mechanism",
    caption=(
        f"Frames {', '.join(map(str, index[0].tolist()))}. From the top: what the network sees at t = {t.item():.1f}; "
        "the indicator (white: given); its guess of the clean video after a single call; the truth. The guess is off "
        f"by {error:.3f} per pixel on the frames it had to make, on a scale from 0 to 1."
    ),
    alt="Four rows of eight frames: clean and noisy input, white and black indicator, the network's guess, the truth.",
)

# %% [markdown]
# **Distances, not slots.** Attention between two frames is told their true distance $d$, as
#
# $$r(d) = \left[\log(1 + \max(d, 0)),\; \log(1 + \max(-d, 0)),\; \mathbf{1}(d = 0)\right]$$
#
# Where the frames stand in the video must therefore not matter, and how far apart they are must. Both can be seen from
# outside:

# %%
with torch.inference_mode():
    arguments = [v.to(device) for v in (x_t, clean, obs)]
    here, later, wider = (
        model.denoise(*arguments, i.to(device), t.to(device)) for i in (index, index + 1000, index * 3)
    )
moved, stretched = float((here - later).abs().max()), float((here - wider).abs().max())
show(
    f"Moving all frames 1000 places later changes the output by at most {moved:.1e}; drawing them three times as far "
    f"apart changes it by up to {stretched:.2f}."
)

# %% [markdown]
# ## Generated video
#
# Two schedules go on from the same real frames, in the world without a curtain.


# %%
def go_on(world, which, schedule, length):
    """Videos (b, length, 3, h, w) that continue the first real frames of `films[which]`; `which` seeds the noise."""
    context = torch.from_numpy(real(world, which, PREFIX).video)
    return model.generate(length, Condition(context=context), seed=which, schedule=schedule, steps=steps).numpy()


LONG = ("autoregressive", "hierarchy-2")
long_videos = {name: {s: go_on(plain, s, name, frames) for s in seeds} for name in LONG}
long_truth = {s: real(plain, s, frames) for s in seeds}
shown = [long_truth[seed].video[:2], *(long_videos[name][seed][:2] for name in LONG)]
report.video(
    grid(np.stack(shown, 1).reshape(-1, *shown[0].shape[1:]), columns=len(shown), gap=1),
    "side-by-side",
    caption=f"{frames} frames of two videos (rows). From the left: real, {LONG[0]}, {LONG[1]}. The first "
    f"{PREFIX} frames are the same in each row.",
    alt="A grid of two rows and three columns of bouncing digits: real on the left, then two schedules.",
    scale_up=5,
)

# %%
sheet = [v[0, :: frames // 32] for v in shown]
report.image(
    contact_sheet(np.concatenate(sheet), columns=32, scale_up=2, numbers=False),
    "sheet",
    caption=f"One video, one frame in {frames // 32}. From the top: real, {LONG[0]}, {LONG[1]}.",
    alt="Three rows of frames of one video; a coloured digit on dark ground in each frame.",
)

# %% [markdown]
# ### How good is it, and for how long?
#
# The trivial competitors need no network: stop at the last given frame, repeat the given clip, show noise. Freezing and
# repeating keep identity and colour for ever, and never go anywhere; only real video, the first row, is good in every
# column.

# %%
contenders = {
    "real": {s: long_truth[s].video for s in seeds},
    **long_videos,
    "freeze": {s: baselines.freeze(long_truth[s].video[:, :PREFIX], frames) for s in seeds},
    "repeat": {s: baselines.repeat(long_truth[s].video[:, :PREFIX], frames) for s in seeds},
    "noise": {s: baselines.noise(long_truth[s].video[:, :PREFIX], frames, seed=s) for s in seeds},
}
readings = {name: {s: read_digits(v) for s, v in by_seed.items()} for name, by_seed in contenders.items()}


def per_seed(name, number):
    """One value per seed: the mean of number(reading, truth) over all generated frames; 0 where none was in sight."""
    values = [number(readings[name][s], long_truth[s].truth)[:, PREFIX:] for s in seeds]
    return [float(np.nanmean(v)) if np.isfinite(v).any() else 0.0 for v in values]


def drift(name, number):
    """(x, y, low, high): the course of a share over the frames, in fours, with the t interval over the seeds."""
    shares = [number(readings[name][s], long_truth[s].truth).mean(0) for s in seeds]
    lines = np.stack(shares).reshape(count, -1, 4).mean(-1)
    x = np.arange(lines.shape[1]) * 4 + 1.5
    if count < 3:  # an interval over two seeds spans everything
        return x, lines.mean(0)
    low, high = np.array([interval(column) for column in lines.T]).T
    return x, lines.mean(0), low.clip(0, 1), high.clip(0, 1)


def kept(what):
    return lambda reading, truth: agrees(reading, truth, what).astype(float)


curves = {name: drift(name, kept("label")) for name in ("real", *LONG, "noise")}
half = {n: next((int(x) for x, y in zip(*curves[n][:2], strict=True) if y < 0.5), None) for n in LONG}
report.curve(
    "identity-drift",
    "Who is it? Drift of identity",
    "frame",
    "share of frames with the right digit",
    curves,
    caption=" ".join(
        f"{n}: half of the videos show another digit, or none, from about frame {half[n]} on."
        if half[n] is not None
        else f"{n}: most videos keep their digit to the end."
        for n in LONG
    ),
    alt="Lines of the share of frames with the right digit against the frame number, for real, generated and noise.",
)

# %%
curves = {name: drift(name, kept("colour")) for name in ("real", *LONG, "noise")}
report.curve(
    "colour-drift",
    "Drift of colour",
    "frame",
    "share of frames in the right colour",
    curves,
    caption="In the last four frames "
    + " and ".join(f"{curves[n][1][-1]:.0%} of the {n} videos" for n in LONG)
    + f" have the colour they began with; guessing would give {1 / len(PALETTE):.0%}.",
    alt="Lines of the share of frames in the right colour against the frame number, for real, generated and noise.",
)

# %%
COLUMNS = {
    "in sight": (lambda r, _: r.visible.astype(float), "higher"),
    "legible": (lambda r, _: (r.match >= LEGIBLE).astype(float), "higher"),
    "identity kept": (kept("label"), "higher"),
    "colour kept": (kept("colour"), "higher"),
    "lawful steps": (lambda r, truth: lawful_steps(r, truth, side), "higher"),
}
table, quality = [], {}
others = read_digits(plain.batch(pool[-64:], np.zeros(64, int), 16).video)
for name in contenders:
    quality[name] = {}
    for column, (number, better) in COLUMNS.items():
        values = per_seed(name, number)
        quality[name][column] = report.measure(
            f"{column.replace(' ', '-')}:{name}", name, column, values, better=better
        )
    tail = [clip_features(read_digits(contenders[name][s][:, -16:])) for s in seeds]
    far = frechet_distance(np.concatenate(tail), clip_features(others))
    report.measure(f"frechet:{name}", name, "Fréchet distance over digit-reader features", far, better="lower",
                   note="last 16 frames against 64 other real clips; features: clip_features")  # fmt: skip
    table.append([name, *(quality[name][c].value for c in COLUMNS), far])
report.table(
    ["", *COLUMNS, "Fréchet distance over digit-reader features"],
    table,
    caption=f"Frames {PREFIX} to {frames - 1}, means over {count} seeds of {videos} videos. A step is lawful if the "
    f"digit moves at its own speed or turns at a wall; legible: a match of at least {LEGIBLE} with some digit.",
)

# %% [markdown]
# ## Does it remember?
#
# > *hierarchy-beats-autoreg-on-memory*: a coarse-to-fine order keeps long-range facts that a sliding window forgets,
# > with the same trained network.
#
# Now the curtain. All four schedules continue the same real frames; while it is closed, nothing in sight tells which
# digit is behind it. A digit *comes back* if one is in sight in at least a third of the frames in which it should be;
# its colour and identity are those that most of these frames show. The test that the fact file asks for compares the
# share of videos whose colour is the old one. Identity is reported beside it.

# %%
memory_videos = {name: {s: go_on(hidden, s, name, N) for s in seeds} for name in schedules.NAMES}
memory_truth = {s: real(hidden, s, N) for s in seeds}
memory_videos["real"] = {s: memory_truth[s].video for s in seeds}
memory_videos["freeze"] = {s: baselines.freeze(memory_truth[s].video[:, :PREFIX], N) for s in seeds}
ORDER = ("real", *schedules.NAMES)
report.video(
    grid(np.concatenate([memory_videos[n][seed][i : i + 1] for i in range(2) for n in ORDER]), len(ORDER), gap=1),
    "memory",
    caption=f"Two videos with the curtain (rows). From the left: {', '.join(ORDER)}.",
    alt="A grid of two rows and five columns: digits move, a curtain closes and opens again, digits move on.",
    scale_up=5,
)

# %%
report.image(
    contact_sheet(
        np.concatenate([v[::2] for n in ORDER for v in memory_videos[n][seed][:2]]),
        columns=N // 2,
        scale_up=2,
        numbers=False,
    ),
    "memory-sheet",
    caption=f"The same two videos, every second frame, two rows each. From the top: {', '.join(ORDER)}.",
    alt="Ten rows of frames: digit, curtain, digit; which digit returns, and in which colour, differs by schedule.",
)


# %%
def recalls(world, by_seed):
    """Of the videos of each seed: the share whose digit comes back; in the old colour; as the old digit; as both."""
    due = [after_curtain(real(hidden, s, N).truth) for s in seeds]  # the same frames in both worlds
    found = [
        recall(read_digits(by_seed[s][:, :N]), real(world, s, N).truth, d) for s, d in zip(seeds, due, strict=True)
    ]
    return {
        "comes back": [float(f.returns.mean()) for f in found],
        "colour kept": [float(f.colour.mean()) for f in found],
        "identity kept": [float(f.label.mean()) for f in found],
        "both kept": [float(f.both.mean()) for f in found],
    }


def hides(by_seed):
    """Per seed: of the frames in which the curtain must be closed, the share in which no digit is in sight."""
    closed = [~real(hidden, s, N).truth.visible[:, PREFIX:, 0] for s in seeds]
    return [float((~read_digits(by_seed[s][:, PREFIX:]).visible)[c].mean()) for s, c in zip(seeds, closed, strict=True)]


memory = {name: recalls(hidden, by_seed) | {"hidden": hides(by_seed)} for name, by_seed in memory_videos.items()}
for name, numbers in memory.items():
    for what, values in numbers.items():
        report.measure(f"memory-{what.replace(' ', '-')}:{name}", f"{name}, memory mode", what, values, better="higher")
means = {name: {what: float(np.mean(values)) for what, values in numbers.items()} for name, numbers in memory.items()}
report.table(
    ["", "hidden when due", "comes back", "colour kept", "identity kept", "both kept", "plan allows"],
    [
        [n, m["hidden"], m["comes back"], m["colour kept"], m["identity kept"], m["both kept"], allowed.get(n, "")]
        for n, m in means.items()
    ],
    caption=f"Shares, means over {count} seeds of {videos} videos. Guessing keeps the colour in "
    f"{1 / len(PALETTE):.2f} and both in {1 / len(PALETTE) / 10:.3f}. Freezing the last frame keeps both in "
    f"{means['freeze']['both kept']:.2f}, but hides the digit in {means['freeze']['hidden']:.2f} of the frames due.",
)

# %%
memory_claim = report.claim(
    "hierarchy-beats-autoreg-on-memory",
    measure=f"share of {videos} videos per seed in which a digit of the old colour comes back from behind the curtain",
    subject="hierarchy-2",
    baseline_subject="autoregressive",
    values=memory["hierarchy-2"]["colour kept"],
    baseline_values=memory["autoregressive"]["colour kept"],
    says="higher",
    better="higher",
)

# %% [markdown]
# ## Where there is nothing to remember
#
# > *scheme-is-data-dependent*: no single schedule wins everywhere; where memory matters little the schedules tie.
#
# The same videos without a curtain, the same frames, the same measure: now the digit can be watched all the time.
# We call it a tie if the difference is surely smaller than 0.1, a tenth of the scale; this was fixed before the run.
# Two schedules that both do no better than guessing tie as well, but that says nothing, and is not counted.

# %%
open_recall = {name: recalls(plain, long_videos[name]) for name in LONG}
tie_claim = report.claim(
    "scheme-is-data-dependent",
    measure=f"share of {videos} videos per seed, without a curtain, whose digit has the old colour in the frames that "
    "follow the curtain in memory mode",
    subject="hierarchy-2",
    baseline_subject="autoregressive",
    values=open_recall["hierarchy-2"]["colour kept"],
    baseline_values=open_recall["autoregressive"]["colour kept"],
    says="equal",
    margin=0.1,
    chance=1 / len(PALETTE),
    better="higher",
)

# %% [markdown]
# ## The price of planning ahead
#
# > *hierarchy-flicker*: coarse frames made first can disagree with their later neighbours.
#
# If key frames disagree with what is filled in between, the picture jumps there. We compare how much the picture
# changes into and out of the key frames with how much it changes elsewhere. A ratio of 1 means no flicker; the
# autoregressive videos, measured at the same places, are the control.


# %%
def flicker(by_seed):
    """Per seed: mean squared change at the key frames of the first N frames, over that at all other frames."""
    at_keys = np.zeros(N - 1, bool)
    for key in first_keys:
        at_keys[max(0, key - 1) : key + 1] = True
    at_keys[: PREFIX - 1] = False
    ratios = []
    for s in seeds:
        change = np.square(np.diff(by_seed[s][:, :N], axis=1)).mean((0, 2, 3, 4))
        ratios.append(float(change[at_keys].mean() / change[PREFIX - 1 :][~at_keys[PREFIX - 1 :]].mean()))
    return ratios


flicker_claim = report.claim(
    "hierarchy-flicker",
    measure="mean squared change between frames at the key frames, relative to all other frames",
    subject="hierarchy-2",
    baseline_subject="autoregressive",
    values=flicker(long_videos["hierarchy-2"]),
    baseline_values=flicker(long_videos["autoregressive"]),
    says="higher",
    better="lower",
)

# %% [markdown]
# ## Limits
#
# - This is a toy: 16 x 16 pixels, K = 8 frames, minutes of training on two CPU cores. The paper's models have 64 x 64
#   or 128 x 128 pixels, K = 20, and far longer training on a GPU. The numbered deviations stand at the top of
#   `reproductions/methods/fdm.py`.
# - The seeds vary the noise and the videos, not the training: there is one set of weights.
# - With few seeds the intervals are wide. A verdict of *inconclusive* means just that.
# - Nothing here is the FVD of the paper's tables. The Fréchet distance above is over seven simple numbers per clip that
#   our own reader computes, and comparable only with itself.
#
# ## Exercise
#
# A sliding window forgets because it never looks back. Write a schedule that streams as the autoregressive one does,
# four new frames per call from four observed ones, but gives up *one* of these four for a frame of the prefix. Use
# `reach` to find out what it can know after the curtain. How many of the four does memory cost?
#
# <details><summary>Solution</summary>
#
# ```python
# def with_anchor(frames, prefix, window=8, new=4):
#     done = prefix
#     while done < frames:
#         recent = tuple(range(done - (window - new - 1), done))
#         end = min(done + new, frames)
#         yield schedules.Step((0, *recent), tuple(range(done, end)))
#         done = end
#
#
# answer = sum(reach(with_anchor(N, PREFIX, K, K // 2), sight) for sight in sights) / len(sights)
# print(answer)
# ```
#
# It prints 1.0: one anchor is enough for *who*, at the price of one frame of *where to*. Whether the network makes use
# of it is another question, and one that only a measurement can answer.
#
# </details>

# %% [markdown]
# ## What was found

# %%
judged = {c.id: c for c in (memory_claim, tie_claim, flicker_claim)}
best = max(schedules.NAMES, key=lambda n: means[n]["colour kept"])
long_lines = [
    f"- **{n}**, {frames} frames without a curtain: a digit is legible in {quality[n]['legible'].value:.0%} of the "
    f"frames, keeps its identity in {quality[n]['identity kept'].value:.0%} and its colour in "
    f"{quality[n]['colour kept'].value:.0%}; {quality[n]['lawful steps'].value:.0%} of its steps are lawful "
    f"(real video: {quality['real']['legible'].value:.0%}, {quality['real']['identity kept'].value:.0%}, "
    f"{quality['real']['colour kept'].value:.0%}, {quality['real']['lawful steps'].value:.0%})."
    for n in LONG
]
memory_lines = [
    "- **Memory**: a digit of the old colour came back in "
    + ", ".join(f"{means[n]['colour kept']:.0%} ({n})" for n in schedules.NAMES)
    + " of the videos, the very digit in "
    + ", ".join(f"{means[n]['both kept']:.0%} ({n})" for n in schedules.NAMES)
    + f". Best at the colour: {best}. The plan of the autoregressive schedule allows {allowed['autoregressive']:.0%}, "
    f"that of hierarchy-2 {allowed['hierarchy-2']:.0%} of the frames to know it."
]
show("\n".join([*long_lines, *memory_lines, *(f"- `{c.id}`: **{c.verdict}**. {c.reason}" for c in judged.values())]))
result_file = report.save()
