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
# # StyleGAN-V: a video is a picture that is asked what time it is
#
# *StyleGAN-V: A Continuous Video Generator with the Price, Image Quality and Perks of StyleGAN2*, Skorokhodov, Tulyakov
# and Elhoseiny, CVPR 2022 ([arXiv 2112.14683](https://arxiv.org/abs/2112.14683)).
#
# **The problem.** Most generators make a video frame after frame, each from those before it. So frame 36,000 has
# 35,999 chances to go wrong before it is made, and none of the later frames can be had without the earlier ones. The
# recurrent networks that GANs used for motion have just this trouble: unrolled far beyond the clips that they were
# trained on, they leave what they know. And the networks that judge whole clips are dear to train. StyleGAN-V asks
# whether an image generator, almost as it is, can make video if it is told the time.
#
# **The idea.** A frame is $x_t = G(w, v_t)$: $w$ says what this video shows and is drawn once; $v_t$ is a code of the
# moment $t$, any real number. Nothing is fed back, so nothing can accumulate. All the art is in $v_t$: it must go on
# for ever, never repeat, and be smooth.

# %% tags=["parameters"]
scale = "toy"  # "smoke" generates less, with the same weights, and judges nothing
seed = 0
train = False  # True: train first, with the preset of this scale
out = ""  # where results go; empty: build/runs

# %%
import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch

import reproductions
from reproductions.contest import Contest
from reproductions.measures.timelapse import read_timelapse
from reproductions.parts.motion import EndlessNoise, periods
from reproductions.report import COLOURS, Report, figure, grid, show
from reproductions.video import VideoWriter, contact_sheet
from reproductions.worlds.timelapse import DAY_FRAMES, Timelapse

videos, frames, late_videos, hour, count = {
    "smoke": (2, 64, 4, 1280, 2), "toy": (3, 128, 24, 36_000, 3), "gpu": (16, 256, 64, 36_000, 5),
}[scale]  # fmt: skip
seeds = [seed + i for i in range(count)]
report = Report("stylegan_v", scale=scale, seed=seed, seeds=seeds, out=out)

model = reproductions.load_or_train("stylegan_v", scale, fresh=train)
lstm, plain = (reproductions.load("stylegan_v", name) for name in ("lstm", "plain-time"))
fdm = reproductions.load("fdm", "timelapse")
total, judge = (sum(p.numel() for p in part.parameters()) for part in (model, model.discriminator))
show(
    f"The world is `timelapse`: clouds in the wind, over hills, through days of {DAY_FRAMES} frames. Video takes "
    f"{total - judge:,} parameters; the judge has {judge:,} more, which only training needs."
)

# %% [markdown]
# ## The idea, drawn
#
# Every $d$ frames stands an *anchor*: noise, smoothed by two convolutions. Between anchors, waves set out whose speed
# $p$ and phase $q$ the anchor on the left decides:
#
# $$e(t) = g \left[\sin(f\tau + q s),\; \cos(f\tau + q s)\right], \qquad \tau = t_l + p\,(t - t_l)$$
#
# At the next anchor other waves set out, so $e$ jumps there. The cure is the *alignment*: subtract the straight line
# between the wave's own values at the two anchors, and add a straight line between what the anchors say,
#
# $$v_t = e(t) - \left[(1-a)\,e(t_l) + a\,e(t_r)\right] + \left[(1-a)\,A u_l + a\,A u_r\right].$$

# %%
motion, d = model.motion, model.motion.d
noise = EndlessNoise(seed, 1, model.config.noise, torch.device("cpu"))
t = (torch.arange(1200, dtype=torch.float64) * d / 400)[None]
with torch.inference_mode():
    v = motion(t, noise)[0][0]
    u = motion.anchors(noise(torch.zeros(1, dtype=torch.long), 4 + 20))
    left = (t / d).floor().long()
    e = motion.waves(t, (left * d).double(), u[0][left[0]][None])[0]
drawn, axes = figure(columns=1, rows=2, height=3.6)
for ax, lines, name in zip(axes, (e, v), ("waves alone: e(t)", "aligned: the code v(t)"), strict=True):
    for colour, i in zip(COLOURS, (0, 6, 12), strict=False):
        for part in range(3):  # no line across a jump
            ax.plot(t[0][left[0] == part], lines[left[0] == part, i], color=colour, linewidth=1)
    ax.vlines(np.arange(4) * d, *ax.get_ylim(), color="#00000033", linewidth=1)
    ax.set_title(name, loc="left")
axes[1].set_xlabel("frame")
jumps = [float((x[k] - x[k - 1]).abs().mean()) for x in (e, v) for k in (400, 800)]  # where the next anchor takes over
moves = float((v[1:] - v[:-1]).abs().mean())
report.image(
    drawn, "code",
    caption=f"Three components of the trained code, anchors in grey. Where the next anchor takes over, the components "
    f"of the waves alone jump by {np.mean(jumps[:2]):.2f} on average; those of the aligned code by "
    f"{np.mean(jumps[2:]):.3f}. In as short a time, they move by {moves:.3f} on average over all.",
    alt="Two panels of wavy lines over three anchors; above they jump at the anchors, below they join.",
)  # fmt: skip

# %% [markdown]
# **No padding.** The convolutions take 20 vectors of noise more than they give anchors. So every anchor is made as all
# others are, and more noise makes more anchors, for ever. But it forgets: change one vector, and see how far that goes.

# %%
z = noise(torch.zeros(1, dtype=torch.long), 80)
with torch.inference_mode():
    moved = motion.anchors(z + torch.eye(80)[40][:, None]) - motion.anchors(z)
reached = (moved.abs().amax((0, 2)) > 1e-6).nonzero().ravel().tolist()
show(f"Vector 40 matters to the {len(reached)} anchors {reached[0]} to {reached[-1]} and to nothing outside.")

# %% [markdown]
# ### How can something without memory keep a clock?
#
# Day and night come every 240 frames, for ever. No chain of anchors can carry that: they forget. But the table of waves
# has one of exactly a day, its loudest, and $d$ is a day too. If $p = 1$ and $q = 0$ for this wave, it does the same
# between any two anchors: a clock that cannot go wrong, because it is read off $t$ itself. Training starts near there
# (the maps to $p$ and $q$ start small); does it stay?

# %%
with torch.inference_mode():
    many = motion.anchors(EndlessNoise(seed + 1, 1, z.shape[-1], torch.device("cpu"))(torch.zeros(1).long(), 420))
    spread = torch.tanh(motion.period(many))[0].std(0).numpy()
period = periods(*model.config.periods, model.config.waves).numpy()
day = int(np.abs(period - DAY_FRAMES).argmin())
show(
    f"From anchor to anchor, the speed p of the wave of {period[day]:.0f} frames varies by {spread[day]:.3f} (standard "
    f"deviation): in a day its hand is off by about {24 * spread[day]:.1f} hours, then the next anchor puts it right. "
    f"The speeds of the other waves vary by {np.delete(spread, day).mean():.3f} on average."
)

# %% [markdown]
# ## Training with three frames
#
# The judge never sees a whole clip: only three frames that span at most a quarter of a day, and how far apart they are.
# A clock that stands still, or clouds that do not move with the wind, show in three frames. The generator and
# the judge take turns; the loss compares each generated triple with a real one of the same distances.

# %%
with torch.no_grad():
    real, fake, times = model._real_and_fake(model.clips(np.random.default_rng(seed), 4), 5, 1)
    scores = [model.discriminator(x, times).mean().item() for x in (real, fake)]
rows = [((x[:8] + 1) / 2).clamp(0, 1).transpose(0, 1).flatten(0, 1).numpy() for x in (real, fake)]
report.image(
    contact_sheet(np.concatenate(rows), columns=8, scale_up=4, numbers=False), "triples",
    caption="What the judge sees: eight real triples (columns; upper three rows), eight generated ones (lower three). "
    "Frames apart: " + ", ".join(f"{a}+{b}" for a, b in times.diff(dim=1)[:8].tolist())
    + f". Mean scores: {scores[0]:.2f} and {scores[1]:.2f}.",
    alt="Six rows of eight small skies; the upper three real, the lower three generated.",
)  # fmt: skip

# %% [markdown]
# ### What does video cost?
#
# > *cheap-over-image-gan*: training costs little more than the image GAN at the same resolution.
#
# The same two networks with clips of one frame are an image GAN. We time a step of both losses, forwards and backwards,
# at equal images per step, on the processor's own clock. "Little more" is 10 per cent here, the larger of the two
# figures that the authors give; this was fixed before the run.

# %%
with torch.random.fork_rng():
    torch.manual_seed(seed)
    configs = {k: dataclasses.replace(model.config, clip=k, motion="acyclic" if k > 1 else "plain") for k in (1, 3)}
    makers = {k: type(model)(config) for k, config in configs.items()}
stretches = {k: model.clips(np.random.default_rng(seed), 24 // k) for k in makers}  # 48 images a step for either


def step_seconds(k, which):
    """Processor seconds per thousand images of one step of the generator and one of the judge."""
    started = time.process_time()
    for loss in (makers[k].generator_loss, makers[k].discriminator_loss):
        makers[k].zero_grad(set_to_none=True)
        loss(stretches[k], which)["loss"].backward()
    return (time.process_time() - started) / (len(stretches[k]) * model.config.draws * k) * 1000


turns = 1 if scale == "smoke" else 3  # in turns, so that what else the machine does meets both alike
timed = [np.min([[step_seconds(k, s) for k in makers] for _ in range(turns)], 0) for s in seeds]
cost_claim = report.claim(
    "cheap-over-image-gan",
    measure="processor seconds per thousand images, one step of each network, fastest of a few turns",
    subject="video GAN, k = 3", baseline_subject="image GAN, k = 1, plus 10 %",
    values=[float(b) for _, b in timed], baseline_values=[float(1.1 * a) for a, _ in timed],
    says="lower", better="lower", unit="seconds",
)  # fmt: skip

# %% [markdown]
# The motion code is a small addition, and the judge's upper half sees three images at once instead of one by one.
#
# ## Any moment, in any order
#
# Ten moments between frame 30 and frame 33, one at frame 1,000,000, made alone; and what the stream says of frame 31:

# %%
between = np.linspace(30, 33, 10)
slow = model.frames_at([*between, 1_000_000], seed=seed)[0].numpy()
alone = model.frames_at([31], seed=seed)[0, 0] - next(model.stream(64, seed=seed))[0, 31]
report.image(
    contact_sheet(slow, columns=11, scale_up=5, numbers=False), "moments",
    caption=f"Frames 30 to 33 in steps of a third, and frame 1,000,000. Frame 31 made alone and frame 31 of the stream "
    f"differ by at most {float(alone.abs().max()):.1e}.",
    alt="Eleven small skies; ten that change little by little, and one of another hour.",
)  # fmt: skip

# %% [markdown]
# ## Generated video
#
# Beside it, fdm, trained on the same world: it makes each four frames from the four before. All begin with nothing;
# so each video is held to its own first frames: does its clock go on as it should, do its hills stay?

# %%
contest = Contest(report, "timelapse", seeds=seeds, videos=videos, frames=frames)
contest.add("stylegan_v", {s: model.generate(frames, seed=s, batch=videos).numpy() for s in seeds})
contest.add("fdm", {s: fdm.generate(frames, seed=s, batch=videos, steps=4).numpy() for s in seeds})
SHOWN = ("real", "stylegan_v", "fdm")
films = np.stack([contest.films(n)[seed][:2] for n in SHOWN], 1).reshape(-1, frames, 3, 16, 16)
report.video(
    grid(films, len(SHOWN), gap=1), "side-by-side",
    caption=f"{frames} frames of two videos (rows). From the left: {', '.join(SHOWN)}.",
    alt="Two rows and three columns of small skies with drifting clouds.", scale_up=5,
)  # fmt: skip

# %%
sheet = np.concatenate([contest.films(n)[seed][i, :: frames // 32] for n in SHOWN for i in range(2)])
report.image(
    contact_sheet(sheet, columns=32, scale_up=2, numbers=False), "sheet",
    caption=f"The same videos, one frame in {frames // 32}, two rows each. From the top: {', '.join(SHOWN)}.",
    alt="Six rows of 32 small skies each.",
)  # fmt: skip

# %%
MEASURES = ("clock_error", "clock_rate", "wind_error", "hills_kept", "sky_explained")
contest.table(MEASURES, caption=f"Means over {frames} frames, {count} seeds of {videos} videos; ±: 95 % interval.")
LINES = [*SHOWN, "freeze", "noise"]
contest.drift("clock_error", title="Does the clock go on?", alt="Lines of the clock error in hours.", names=LINES)
contest.distances(caption="Real video against other real video shows what is within reach.")
contest.distance_drift(title="Do clips look real?", alt="Lines of the distance of clips by frame.", names=LINES)
beats = contest.beaten("stylegan_v", ("sky_explained", "clip-distance"))

# %% [markdown]
# ## One hour
#
# The survey records an hour for StyleGAN-V. At ten frames per second that is 36,000 frames. They go to a file
# as they come; nothing is kept but one frame a minute or so, and the middle column of every second frame.


# %%
EVERY = 610  # a minute and a second: each still is an hour of the day later than the one before
stills, columns, memory, made, process = [], [], [], 0, psutil.Process()
with tempfile.TemporaryDirectory() as folder:
    file, started = Path(folder, "hour.mp4"), time.perf_counter()
    with VideoWriter(file, fps=10) as writer:
        for chunk in model.stream(hour, seed=seed):
            images = chunk[0].numpy()
            writer.write(images)
            index = np.arange(made, made + len(images))
            stills += list(images[index % EVERY == 0].copy())
            columns += list(images[index % 2 == 0][:, :, :, 8].copy())
            made += len(images)
            memory += [process.memory_info().rss / 2**20] if made >= 1000 else []
    seconds, megabytes = time.perf_counter() - started, file.stat().st_size / 2**20
growth = max(memory) - memory[0]
report.measure("hour-seconds", "one hour", "time to generate and write", seconds, unit="seconds", better="lower")
report.measure("hour-size", "one hour", "size of the file", megabytes, unit="MiB", better="lower")
report.measure("hour-memory", "one hour", "growth of memory after frame 1,000", growth, unit="MiB", better="lower")
show(
    f"{made:,} frames in {seconds:.0f} s ({made / seconds:.0f} a second, encoding included), {megabytes:.1f} MiB. From "
    f"frame 1,000 on the process grew by at most {growth:.1f} MiB, the stills and columns included."
)

# %%
report.image(
    contact_sheet(np.array(stills), columns=20, scale_up=3, numbers=False), "hour",
    caption=f"One frame in {EVERY}: two days and a half, and an hour.",
    alt="Three rows of twenty small skies at many hours of the day.",
)  # fmt: skip
wide = min(600, len(columns) // 2)
strips = [np.array(columns[i : i + wide]) for i in (0, (len(columns) - wide) // 2, len(columns) - wide)]
strips.append(Timelapse().clip(1 << 41, 0, 2 * wide).video[::2, :, :, 8])
picture = np.concatenate([np.pad(s.transpose(2, 0, 1), ((0, 4), (0, 0), (0, 0)), constant_values=1) for s in strips])
report.image(
    (np.repeat(picture, 3, 0) * 255).round().astype(np.uint8), "keogram",
    caption=f"The middle column of the frame, {2 * wide / DAY_FRAMES:g} days from left to right. From the top: the "
    "first days of the hour, days from its middle, its last days, and real days.",
    alt="Four strips in which days and nights follow each other.",
)  # fmt: skip
report.video(np.array(stills), "hour-film", "The stills as a film, ten a second.", "A sky at many hours.", scale_up=8)

# %% [markdown]
# ### Does the clock go right for an hour?
#
# A day is 240 frames. We read the time of day from frames all along the hour and subtract what $t$ says. If all these
# differences point to the same hour, their mean on the circle has length 1; if the clock is lost, 0.

# %%
probe = np.round(np.linspace(0, hour - 1, 32 if scale == "smoke" else 96)).astype(int)
clock = {"real": Timelapse().at((1 << 41) + np.arange(8), np.tile(probe, (8, 1))).video}
for name, maker in (("stylegan_v", model), ("plain time", plain), ("LSTM", lstm)):
    clock[name] = maker.frames_at(probe, seed=seed, batch=8).numpy()
for name, video in clock.items():  # | mean over t of exp(2 pi i (hour read - t / 240)) |, per video
    clock[name] = np.abs(np.exp(2j * np.pi * (read_timelapse(video).hour - probe / DAY_FRAMES)).mean(-1))
    report.measure(f"clock-kept:{name}", name, "clock kept over an hour", float(clock[name].mean()), better="higher",
                   note="mean of 8 videos; 1 for a clock that is never wrong")  # fmt: skip
chance = f"Means over 8 videos. Hours drawn by lot reach about {1 / np.sqrt(len(probe)):.2f}."
report.table(["", "clock kept over the hour ↑"], [[n, f"{v.mean():.2f}"] for n, v in clock.items()], chance)

# %% [markdown]
# ## Does quality fall with length?
#
# > *no-drift-with-length*: quality does not fall with length, unlike an LSTM motion code unrolled far.
#
# The variant `lstm` has the same networks, but its motion code is an LSTM that goes from frame to frame; in training it
# is unrolled over at most 128 frames, from the start of a video. We measure clips of 16 frames far into the video, by
# their distance from real clips over the features of the world network. The claim is about the *change*: the distance
# at the last window less the distance at the first.

# %%
windows = [0, 300, 600] if scale == "smoke" else [0, 3_000, 30_000]
moments = [first + i for first in windows for i in range(16)]
late = Contest(report, "timelapse", seeds=seeds, videos=late_videos, frames=len(moments))
late.add("stylegan_v", {s: model.frames_at(moments, seed=s, batch=late_videos).numpy() for s in seeds})
late.add("LSTM", {s: lstm.frames_at(moments, seed=s, batch=late_videos).numpy() for s in seeds})
along = {n: [late.distance(n, slice(c, c + 1)) for c in range(len(windows))] for n in ("real", "stylegan_v", "LSTM")}
bands = {n: (np.arange(len(windows)), *np.array([[e.value, e.low, e.high] for e in es]).T) for n, es in along.items()}
report.curve(
    "late-windows", "Distance from real clips, far into the video", "window",
    "kernel distance over world-network features", bands,
    caption="Windows start at frames " + ", ".join(f"{w:,}" for w in windows)
    + f". Bands: 95 % bootstrap intervals over {count * late_videos} videos. Lower is better.",
    alt="Lines of the distance at windows ever later in the video.",
)  # fmt: skip
ends = slice(len(windows) - 1, None), slice(0, 1)
change = {n: np.subtract(*(late.distance_values(n, e) for e in ends)).tolist() for n in ("stylegan_v", "LSTM")}
drift_claim = report.claim(
    "no-drift-with-length",
    measure=f"kernel distance from real clips at frame {windows[-1]:,} less at frame 0; {late_videos} videos a seed",
    subject="stylegan_v", baseline_subject="LSTM motion code",
    values=change["stylegan_v"], baseline_values=change["LSTM"], says="lower", better="lower",
)  # fmt: skip

# %% [markdown]
# ## Does it repeat itself?
#
# > *acyclic*: plain sinusoidal time makes videos loop; the aligned encoding does not.
#
# The variant `plain-time` is told nothing but $\sin(ft)$ and $\cos(ft)$. Its longest wave has 240 frames, a day. We
# compare frames that are whole days apart: it is the same hour, in the real world too, so we compare not colours but
# where the clouds are (as the reader sees them), less the mean of each video. Real clouds never come back.

# %%
loop = int(model.config.periods[1])
starts, rounds = np.arange(0, loop, loop // 12), np.arange(3 if scale == "smoke" else 11)
looped = (starts[None] + loop * rounds[:, None]).ravel()


def returning(clouds):
    """Correlation of cloud fields `loop` frames and more apart, mean over all pairs of rounds and all starts."""
    x = clouds - clouds.mean(1, keepdims=True)
    x = x.reshape(len(x), len(rounds), len(starts), -1)
    x = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)
    return float(np.mean([(x[:, i] * x[:, j]).sum(-1).mean() for i in range(len(rounds)) for j in range(i)]))


def fields(s, maker):
    real = Timelapse().at((1 << 41) + 50 * s + np.arange(videos), np.tile(looped, (videos, 1)))
    made = real.video if maker is None else maker.frames_at(looped, seed=s, batch=videos).numpy()
    return read_timelapse(made).clouds


contenders = {"real": None, "ours": model, "plain": plain}
again = {name: [returning(fields(s, maker)) for s in seeds] for name, maker in contenders.items()}
report.measure("returning:real", "real", "correlation of clouds whole loops apart", again["real"], better="lower")
acyclic_claim = report.claim(
    "acyclic",
    measure=f"correlation of cloud fields 1 to {len(rounds) - 1} times {loop} frames apart, {videos} videos per seed",
    subject="stylegan_v", baseline_subject="plain sinusoids of time",
    values=again["ours"], baseline_values=again["plain"], says="lower", better="lower",
)  # fmt: skip

# %% [markdown]
# ## Limits
#
# - A toy: 16 x 16 pixels and minutes on one core, against 256 x 256 and days on four GPUs. The numbered deviations
#   stand in `reproductions/methods/stylegan_v.py`; the loss, the size of $d$ and where $p$ acts weigh most.
# - What $v_t$ carries is forgotten after 21 anchors: a wind that keeps its direction must come from $w$. And the judge
#   sees at most 64 frames: it can mind how fast the light changes, but not whether the days add up.
# - The variants were trained for fewer steps than the main weights (see their JSON files in `weights/`). So they are
#   compared only in what they do *along* a video, not in how good their pictures are.
# - The seeds vary the noise, not the training. *few-frames-suffice* is not tested: it needs weights for each k.
#
# ## Exercise
#
# Which of the two codes says what hour it is, and which says where the hills are? Make videos of two seeds, then one
# with the $w$ of the first and the motion of the second. Whose hour does it show, and whose hills?
#
# <details><summary>Solution</summary>
#
# ```python
# from reproductions.methods.stylegan_v import Film
#
# with torch.inference_mode():
#     one, two = Film(model, seed, 16), Film(model, seed + 1, 16)
#     t = torch.arange(0.0, 240.0, 30, dtype=torch.float64).expand(16, -1)
#     first, second = (read_timelapse(x.at(t)[0].numpy()) for x in (one, two))
#     two.w = one.w
#     mixed = read_timelapse(two.at(t)[0].numpy())
# for name, of in (("w", first), ("motion", second)):
#     off = np.abs((mixed.hour - of.hour + 0.5) % 1 - 0.5).mean() * 24
#     print(f"as the video of its {name}: {off:.1f} hours off, {np.nanmean(np.abs(mixed.hills - of.hills)):.2f} pixels")
# ```
#
# Guessing is 6 hours off. Hills should go with $w$; the hour with whichever code training found handier.
#
# </details>

# %% [markdown]
# ## What was found

# %%
here = {n: {id: np.mean(contest.values(n, id)) for id in MEASURES} for n in SHOWN}
lines = [
    f"- **{n}**, {frames} frames: {m['sky_explained']:.0%} of the sky has colours of its hour; the clock goes right "
    f"in {m['clock_rate']:.0%} of the frames; {m['hills_kept']:.0%} of the hills stay."
    for n, m in here.items()
]
lines += [
    f"- **Clearly better than**: in the colours of the sky {', '.join(beats['sky_explained']) or 'none'}; in the "
    f"distance of clips {', '.join(beats['clip-distance']) or 'none'}.",
    f"- **One hour**: {made:,} frames in {seconds:.0f} s, {growth:.1f} MiB more memory at its end than at frame 1,000. "
    "Clock kept: " + ", ".join(f"{n} {v.mean():.2f}" for n, v in clock.items()) + ".",
]
lines += [f"- `{c.id}`: **{c.verdict}**. {c.reason}" for c in (drift_claim, acyclic_claim, cost_claim)]
show("\n".join(lines))
result_file = report.save()
