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
# # Phenaki: a story from short clips
#
# *Phenaki: Variable Length Video Generation From Open Domain Textual Description*, Villegas, Babaeizadeh, Kindermans,
# Moraldo, Zhang, Saffar, Castro, Kunze and Erhan, ICLR 2023 ([arXiv 2210.02399](https://arxiv.org/abs/2210.02399)).
#
# **The problem.** Videos that come with a text are short, and each text tells of one scene. A film should be long, and
# tell of one scene after another. A network that codes every frame by itself has far too many codes to look at
# together; one that codes a block of frames at once cannot begin its next block with frames that it already has. And
# codes drawn one after another take as many calls of the network as there are codes. Phenaki asks: can a model that
# only ever saw 11 frames under one text make minutes of video under texts that change?
#
# **The idea.** Code the video so that time flows one way: the first frame by itself, each later step from what came
# before. Then the last frames of one clip can be coded as the opening of the next one, and the rest is filled in under
# the text of the moment, many codes at a time.

# %% tags=["parameters"]
scale = "toy"  # "smoke" generates less, with the same weights, and judges nothing
seed = 0
train = False  # True: train first, with the preset of this scale
out = ""  # where results go; empty: build/runs

# %%
import time
from dataclasses import replace

import numpy as np
import torch

import reproductions
from reproductions.contest import Contest
from reproductions.contract import Condition
from reproductions.measures.exact import exact
from reproductions.measures.statistics import mean
from reproductions.methods.phenaki import Sampling
from reproductions.parts.masked_tokens import remaining
from reproductions.report import Report, figure, grid, show
from reproductions.video import contact_sheet
from reproductions.worlds.base import EVALUATION_SEEDS
from reproductions.worlds.shapes import Shapes

videos, frames, windows, clips, count = {
    "smoke": (1, 104, 4, 2, 2), "toy": (3, 128, 30, 3, 3), "gpu": (16, 256, 50, 32, 5)
}[scale]  # fmt: skip
seeds = [seed + i for i in range(count)]
report = Report("phenaki", scale=scale, seed=seed, seeds=seeds, out=out)

model = reproductions.load_or_train("phenaki", scale, fresh=train)
per_frame = reproductions.load_or_train("phenaki", "toy", fresh=train and scale == "toy", variant="per-frame")
fdm = reproductions.load("fdm", "shapes")

config = model.config
how = Sampling(config.rounds, config.context, config.guidance, config.noise)
world, side, T, K = Shapes(config.side), config.side, config.frames, config.context
steps, sites = (T + 1) // 2, model.sites
show(
    f"The model has {sum(p.numel() for p in model.parameters()):,} parameters. A window holds {T} frames as {steps} "
    f"steps of {sites} codes, opens with the last K = {K} frames of the one before, so that it brings {T - K} new "
    f"ones, and is filled in S = {how.rounds} rounds. Every measurement below is over {count} seeds."
)

# %% [markdown]
# ## The world
#
# A shape moves and bounces. The text names its kind, colour, size and pace; it is true for the whole video. So in
# this world nothing ever turns into something else, and that a *change* of the text means a change of the picture has
# to be taught: a fifth of the training clips open with frames of another video (deviation 7).


# %%
def unseen(first, many, length=1):
    """Films that training never saw, and their texts."""
    clip = world.batch(EVALUATION_SEEDS + first + np.arange(many), np.zeros(many, int), length)
    return clip.video, clip.truth.captions().tolist()


real, captions = unseen(500, 64, T)
report.image(
    contact_sheet(np.concatenate(list(real[:3])), columns=T, scale_up=4, numbers=False), "world",
    caption="Three real clips of the length the model was trained on. From the top: " + " / ".join(captions[:3]),
    alt="Three rows of eleven small frames, each with a coloured shape that moves a little from frame to frame.",
)  # fmt: skip

# %% [markdown]
# ## Codes that look only back
#
# The first frame is cut into patches of 4 x 4 pixels, the further frames two by two into patches of 2 x 4 x 4; before
# that, convolutions look at every frame by itself (deviation 2). Spatial layers let all patches of a step see each
# other, temporal layers let a patch see its own place in earlier steps, never in later ones, in encoder *and* decoder.
# Each vector is then cut into a few pieces, and each piece is snapped to the nearest code (deviation 3). Whether time
# flows one way can be seen from outside: repaint one frame, and see which codes change.

# %%
clip = torch.from_numpy(real)
change = np.zeros((T, steps))
with torch.inference_mode():
    codes, opening = model.tokenizer.tokens(clip), model.tokenizer.tokens(clip[:, :K])
    for t in range(T):
        other = clip.clone()
        other[:, t] = clip.roll(1, 0)[:, t]
        change[t] = (model.tokenizer.tokens(other) != codes).float().mean((0, 2)).numpy()
drawn, axes = figure(height=2.6)
drawn.colorbar(axes[0].imshow(change.T, cmap="Blues", vmin=0, origin="lower", aspect="auto"), label="codes changed")
axes[0].set(xlabel="frame that is replaced", ylabel="step of codes")
before = max(change[t, i] for t in range(T) for i in range(steps) if i < (t + 1) // 2)
same = float((opening == codes[:, : opening.shape[1]]).float().mean())
report.image(
    drawn, "causal",
    caption=f"Frames replaced by those of another video. Of the codes of earlier steps at most {before:.0%} change. "
    f"The first {K} frames alone get the very codes that they have in the whole clip in {same:.0%} of all places.",
    alt="A map of frames against steps; the colour is strong on and above the diagonal and white below it.",
)  # fmt: skip

# %% [markdown]
# What do the codes keep of the picture? The losses are
#
# $$L = L_{VQ} + L_2, \qquad L_{VQ} = \lVert \mathrm{sg}(z) - e \rVert^2 + 0.25\, \lVert z - \mathrm{sg}(e) \rVert^2$$
#
# > *fewer-tokens-better-motion*: codes of space and time are fewer than those of frames, and give motion back better.
#
# The rival is a tokenizer of the same size, trained for as many steps on the same clips, that codes every frame by
# itself. Motion is what differs between neighbouring frames, so we compare the error of the differences.

# %%
with torch.inference_mode():
    singles = per_frame.tokenizer.tokens(clip)
    painted = {
        "C-ViViT": model.tokenizer.paint(codes).numpy(), "per-frame": per_frame.tokenizer.paint(singles).numpy()
    }  # fmt: skip
counts = [codes[0].numel(), singles[0].numel()]
rows = [v[i] for i in range(2) for v in (real, *painted.values())]
kept = {n: mean(exact(world, v, captions)["identity"]) for n, v in {"real": real, **painted}.items()}
report.image(
    contact_sheet(np.concatenate(rows), columns=T, scale_up=4, numbers=False), "reconstructions",
    caption="Two clips, three rows each: real; through C-ViViT and back; through codes of single frames and back. The "
    "reader finds the right kind, colour and size in " + ", ".join(f"{v:.0%} ({n})" for n, v in kept.items()) + ".",
    alt="Six rows of eleven frames: real shapes, and the same shapes painted from two kinds of codes.",
)  # fmt: skip


# %%
def motion_error(tokenizer, which):
    """Squared error of the differences of neighbouring frames, relative to their mean square."""
    fresh, _ = unseen(9000 + 64 * which, 64, T)
    with torch.inference_mode():
        again = tokenizer.paint(tokenizer.tokens(torch.from_numpy(fresh))).numpy()
    return float(np.square(np.diff(again - fresh, axis=1)).mean() / np.square(np.diff(fresh, axis=1)).mean())


errors = {n: [motion_error(m.tokenizer, s) for s in seeds] for n, m in (("C-ViViT", model), ("per-frame", per_frame))}
for name, number in zip(errors, counts, strict=True):
    report.measure(f"codes:{name}", name, f"codes for {T} frames", number, better="lower")
tokens_claim = report.claim(
    "fewer-tokens-better-motion",
    measure=f"squared error of frame differences after coding, relative to their mean square, over 64 clips per seed; "
    f"{counts[0]} against {counts[1]} codes for {T} frames",
    subject="C-ViViT", baseline_subject="per-frame", values=errors["C-ViViT"], baseline_values=errors["per-frame"],
    says="lower", better="lower",
)  # fmt: skip

# %% [markdown]
# ## Filling in what is masked
#
# The transformer sees all codes of a window at once. In training a random share of them, more often large than small,
# is replaced by [MASK], and only these are scored; frames that open the window are never masked.
#
# $$L = - \sum_{i\ \mathrm{masked}} \log p(a_i \mid a_{\mathrm{unmasked}}, \mathrm{text}), \qquad
# \gamma = \cos(\tfrac{\pi}{2} u), \quad u \sim U(0, 1)$$
#
# Sampling starts with everything masked. In each of S rounds the network proposes a value for every masked code; the
# surest, with some Gumbel noise on the ranking, are kept for good, and the rest is masked again. Guidance pushes the
# proposals away from what the network would say without the text:
#
# $$\ell = (1 + \lambda)\, \ell_{\mathrm{text}} - \lambda\, \ell_{\mathrm{none}}$$

# %%
RED = "a large red circle moving slowly."
looks = []


def look(net, arguments, logits):
    """What the network would paint if it had to stop now: its likeliest values for the codes still masked."""
    tokens = arguments[0][:1]
    guess = torch.where(tokens == net.mask, logits[:1].argmax(-1), tokens)
    looks.append(model.tokenizer.paint(guess.view(1, steps, sites))[0, ::2].cpu())


with torch.inference_mode():
    hook = model.net.register_forward_hook(look)
    model.generate(T, Condition(captions=(RED,)), seed=seed, how=how)
    hook.remove()
left = ", ".join(map(str, remaining(steps * sites, how.rounds)))
report.image(
    contact_sheet(torch.cat(looks[:: max(1, len(looks) // 4)]).numpy(), columns=steps, scale_up=4, numbers=False),
    "rounds",
    caption=f"{RED.capitalize()} Every second frame of the window, as the network would paint it if it had to stop: in "
    f"the first of {len(looks)} rounds (top) and later. After the rounds {left} of {steps * sites} codes are masked.",
    alt="Rows of six frames: blurred coloured patches at the top become a clear shape at the bottom.",
)  # fmt: skip

# %% [markdown]
# ## A long video under one text
#
# Each film below starts from nothing but a text, that of a real film, and runs for more than ten windows. FDM, the
# yardstick of these pages, takes no text: it goes on from eight real frames of the same film. Everything is compared
# with the text. From window to window phenaki codes its last K frames *anew*, the first of them in the role of the
# single frame; the codes it has describe pairs of frames, and would be read as something else there.

# %%
told = {s: unseen(1000 * s, videos)[1] for s in seeds}  # of the contest's real films
contest = Contest(report, world, seeds=seeds, videos=videos, frames=frames, context=8, against=told)


def tell(say, length, which, batch, how=how):
    """A batch of films (b, length, 3, h, w), each under its own texts."""
    return model.generate(length, seed=which, batch=batch, how=how, say=say).numpy()


started = time.perf_counter()
contest.add("phenaki", {s: tell(lambda _, s=s: told[s], frames, s, videos) for s in seeds})
spent = time.perf_counter() - started
opened = {s: torch.from_numpy(contest.films()[s][:, :8]) for s in seeds}
contest.add("fdm", {s: fdm.generate(frames, Condition(context=opened[s]), seed=s, steps=4) for s in seeds})
shown = [contest.films(n)[seed][:2] for n in ("real", "phenaki", "fdm")]
report.video(
    grid(np.stack(shown, 1).reshape(-1, *shown[0].shape[1:]), columns=3, gap=1), "long",
    caption=f"{frames} frames. From the left: real, phenaki (from the text alone), fdm (from eight real frames). "
    f"The texts, by row: {' / '.join(told[seed][:2])}",
    alt="A grid of moving coloured shapes: real on the left, then phenaki, then fdm.", scale_up=5,
)  # fmt: skip
sheet = [v[0, :: frames // 26] for v in shown]
report.image(
    contact_sheet(np.concatenate(sheet), columns=len(sheet[0]), scale_up=2, numbers=False), "long-sheet",
    caption=f"One film, one frame in {frames // 26}: {told[seed][0]} From the top: real, phenaki, fdm.",
    alt="Three rows of frames, each with a coloured shape at changing places.",
)  # fmt: skip
pace = count * videos * frames / spent
contest.table(caption=f"Means over {count} seeds of {videos} films against the text. Phenaki made {pace:.0f} frames/s.")
contest.drift(
    "identity", title="Are the shapes of the text still there?", block=T - K,
    alt="Lines of the share of shapes seen as told against the frame number, for all contenders.",
)  # fmt: skip
contest.distances(caption="Freeze, repeat and shuffle are made of real frames: here only their motion can lose.")

# %% [markdown]
# ## A story
#
# Four texts share one film. A text rules from the next window on, which opens with frames of the old scene.

# %%
STORY = (
    RED, "a small green star moving quickly.",
    "a large yellow triangle moving slowly.",
    "a small blue square moving quickly.",
)  # fmt: skip
length = 132
story = model.generate(length, Condition(captions=STORY), seed=seed, batch=2, how=how).numpy()
report.video(
    grid(story, columns=2, gap=1), "story",
    caption=f"Two films of {length} frames of the same story. " + " ".join(f"{n}: {t}" for n, t in enumerate(STORY, 1)),
    alt="Two films side by side; the shape changes into another three times.", scale_up=6,
)  # fmt: skip
at = [0, *range(T, length, T - K)]  # the first new frame of each window
said = [Condition(captions=STORY).caption_at(f, length) for f in at]
report.image(
    contact_sheet(story[0, :: 4], columns=11, scale_up=3, numbers=False), "story-sheet",
    caption="The first film, every fourth frame, in reading order. The texts change at the frames "
    + ", ".join(str(f) for f, old, new in zip(at[1:], said, said[1:], strict=False) if old != new) + ".",
    alt="Three rows of eleven frames; the shape changes three times.",
)  # fmt: skip

# %% [markdown]
# ## Minutes from seconds?
#
# > *minutes-from-seconds*: a model trained on clips of about a second makes videos of minutes while the text changes.
#
# Films of many windows, the text changing every fifth one, with K = 1 and 5. Every window is measured against its
# own text: the share of its shapes that are seen in their colour, kind and size; guessing is measured with the text of
# another scene. If errors added up, late windows would be worse than early ones. We call them equal if they surely
# differ by less than 0.1, which was fixed before the run.

# %%
EVERY = 5  # windows under one text
scenes = -(-windows // EVERY)
texts = np.array(unseen(50_000, count * 2 * scenes)[1]).reshape(count, 2, scenes)


def obeyed(which, keep):
    """Two films of one seed, measured window by window against their own text and against the next scene's."""
    ends = [0, *(T + (T - keep) * n for n in range(windows))]
    scene_at = {f: n // EVERY for n, f in enumerate(ends)}
    film = tell(lambda f: texts[which, :, scene_at[f]].tolist(), ends[-1], seeds[which], 2, replace(how, keep=keep))
    rows = {"own": [], "other": [], "obedience": [], "velocity_error": []}
    for scene in range(scenes):
        cuts = ends[scene * EVERY : (scene + 1) * EVERY + 1]
        own, other = (
            exact(world, film[:, cuts[0] : cuts[-1]], texts[which, :, (scene + n) % scenes].tolist()) for n in (0, 1)
        )
        read = {"own": own["identity"], "other": other["identity"], **own}
        for name, row in rows.items():
            parts = np.split(read[name], [c - cuts[0] for c in cuts[1:-1]], 1)
            row.extend(mean(part) if np.isfinite(part).any() else np.nan for part in parts)
    return {name: np.array(row) for name, row in rows.items()}


course = {keep: [obeyed(which, keep) for which in range(count)] for keep in (1, K)}
guess = mean([c["other"] for c in course[K]])
x = np.arange(windows) + 1
drift = {f"K = {k}": (x, np.nanmean([c["own"] for c in course[k]], 0)) for k in course}
drift["another text"] = (x, np.nanmean([c["other"] for c in course[K]], 0))
report.curve(
    "story-drift", "Does every window show its text?", "window", "share of shapes as told", drift,
    caption=f"Means over {count} seeds of two films; the text changes every {EVERY} windows. The last line measures "
    f"K = {K} against the text of another scene.",
    alt="Lines of the share of shapes seen as told against the window's number, for two K and for guessing.",
)  # fmt: skip

# %%
fifth = max(1, windows // 5)
table = []
for keep, runs in course.items():
    parts = {
        "as told first": [mean(c["own"][:fifth]) for c in runs],
        "as told last": [mean(c["own"][-fifth:]) for c in runs],
        **{name: [mean(c[name]) for c in runs] for name in ("obedience", "velocity_error")},
    }
    for name, values in parts.items():
        better = "lower" if name == "velocity_error" else "higher"
        if np.isfinite(values).all():
            report.measure(f"{name.replace(' ', '-')}:K={keep}", f"K = {keep}", name, values, better=better)
    table.append([f"K = {keep}", T + (windows - 1) * (T - keep), *map(mean, parts.values())])
report.table(
    ["", "frames", *parts], table,
    caption=f"Means over {count} seeds; first and last: {fifth} windows each. As told: share of shapes with the right "
    f"colour, kind and size; another scene's text would find {guess:.2f}. Velocity error in pixels per frame.",
)  # fmt: skip
first, last = parts["as told first"], parts["as told last"]  # of K, the last in the table
minutes_claim = report.claim(
    "minutes-from-seconds",
    measure=f"share of shapes seen as told in the last {fifth} of {windows} windows against the first {fifth}, "
    f"K = {K}, the text changing every {EVERY} windows",
    subject="last windows", baseline_subject="first windows", values=last, baseline_values=first, says="equal",
    margin=0.1, chance=guess, better="higher",
)  # fmt: skip

# %% [markdown]
# ## How many rounds?
#
# > *parallel-steps*: a few rounds, whatever the length, replace as many calls as there are codes.
#
# The same weights sample one window from a text alone, in more and more rounds, up to one code per round.

# %%
ROUNDS = (1, 2, 4, 8, 16, steps * sites // (4 if scale == "smoke" else 1))  # smoke: four codes at a time
asked = {s: unseen(70_000 + 500 * s, clips)[1] for s in seeds}
found, seconds = {}, {}
for rounds in ROUNDS:
    started = time.perf_counter()
    made = {s: tell(lambda _, s=s: asked[s], T, s, clips, replace(how, rounds=rounds)) for s in seeds}
    seconds[rounds] = (time.perf_counter() - started) / (count * clips)
    read = {s: exact(world, made[s], asked[s]) for s in seeds}
    found[rounds] = {id: [mean(read[s][id]) for s in seeds] for id in ("identity", "obedience", "velocity_error")}
    for id, values in found[rounds].items():
        better = "lower" if id == "velocity_error" else "higher"
        if np.isfinite(values).all():  # else some seed's videos show nothing that could be measured
            report.measure(f"{id}:S={rounds}", f"S = {rounds}", id.replace("_", " "), values, better=better)
blind = mean([mean(exact(world, made[s], asked[s][1:] + asked[s][:1])["identity"]) for s in seeds])
report.table(
    ["rounds S", "calls of the network", "shapes as told", "text wholly obeyed", "velocity error", "seconds a window"],
    [[str(r), len(remaining(steps * sites, r)), *map(mean, found[r].values()), seconds[r]] for r in ROUNDS],
    caption=f"Means over {count} seeds of {clips} windows; another video's text would find {blind:.2f} of its shapes.",
)  # fmt: skip
rounds_claim = report.claim(
    "parallel-steps",
    measure=f"share of shapes seen as told in a window of {how.rounds} rounds against {steps * sites}, same weights",
    subject=f"S = {how.rounds}", baseline_subject="code by code", values=found[how.rounds]["identity"],
    baseline_values=found[ROUNDS[-1]]["identity"], says="equal", margin=0.1, chance=blind, better="higher",
)  # fmt: skip

# %% [markdown]
# ## Limits
#
# - This is a toy: 16 x 16 pixels, a few dozen words, minutes of training on a CPU. The paper's models have 1.8 billion
#   parameters. The numbered deviations stand at the top of `reproductions/methods/phenaki.py`.
# - A change of text is a cut here, because that is what training showed. The paper's stories morph.
# - Code by code means one code per round with the same weights; a network trained for that might do better.
# - The seeds vary the noise, the texts and the videos, not the training: there is one set of weights.
#
# ## Exercise
#
# A film of N frames takes $1 + \lceil (N - 11) / (11 - K) \rceil$ windows. How many calls of the network are that for
# 1,024 frames and K = 1, 3 and 5, in 8 rounds and code by code? (K frames are 1 + (K - 1) / 2 steps, which are given.)
#
# <details><summary>Solution</summary>
#
# ```python
# def calls(frames, keep, rounds):
#     first = len(remaining(6 * sites, rounds))
#     later = len(remaining((6 - (keep + 1) // 2) * sites, rounds))
#     return first + -(-(frames - 11) // (11 - keep)) * later
#
#
# for keep in (1, 3, 5):
#     print(keep, calls(1024, keep, 8), calls(1024, keep, 6 * sites))
# ```
#
# With K = 5 it is 1,360 calls in rounds of 8 and 32,832 code by code. A small K is cheaper; its price is in the table.
#
# </details>

# %% [markdown]
# ## What was found

# %%
judged = (tokens_claim, rounds_claim, minutes_claim)
means = {n: mean(contest.values(n, "identity")) for n in contest.names}
beaten = contest.beaten("phenaki", ["identity", "velocity_error", "clip-distance"])
lines = [
    f"- **{frames} frames under one text**: {means['phenaki']:.0%} of the shapes are seen as told "
    f"(real {means['real']:.0%}, fdm {means['fdm']:.0%}, noise {means['noise']:.0%}).",
    *(f"- **{id}**: clearly better than {', '.join(n) or 'none of the trivial videos'}." for id, n in beaten.items()),
    f"- **{windows} windows, {scenes} texts**: {mean(first):.0%} of the shapes as told in the first {fifth} windows, "
    f"{mean(last):.0%} in the last {fifth}; guessing {guess:.0%}.",
    *(f"- `{c.id}`: **{c.verdict}**. {c.reason}" for c in judged),
]
show("\n".join(lines))
result_file = report.save()
