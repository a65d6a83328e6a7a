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
# # Look Outside the Room: the camera says where to look
#
# *Look Outside the Room: Synthesizing A Consistent Long-Term 3D Scene Video from A Single Image*, Ren and Wang, CVPR
# 2022 ([arXiv 2203.09457](https://arxiv.org/abs/2203.09457)).
#
# **The problem.** One picture of a room is given, and the way that a camera will take from there: through the door and
# on. Every frame must agree with the one before it, seen from a place that is known exactly. What comes into sight for
# the first time has to be made up; what stays in sight has to move as the camera says. No map of the room is given, and
# the network builds none. And since each frame is made from frames that were made, small mistakes are handed on.
#
# **The idea.** Cut the picture into patches, name each patch by a number (a *token*), and let a transformer write the
# next picture patch by patch, after the last two pictures and the motions of the camera. The motion also tells where in
# the old pictures each new patch is to be found: a small network turns it into a *bias* on the attention.

# %% tags=["parameters"]
scale = "toy"  # "smoke" generates less, with the same weights, and judges nothing
seed = 0
train = False  # True: train first, with the preset of this scale
out = ""  # where results go; empty: build/runs

# %% [markdown]
# Everything below runs on a laptop: frames of 16 x 16 pixels from a world of rooms that can be drawn from any place, so
# that there is a true picture to compare every generated one with.

# %%

import numpy as np
import torch

import reproductions
from reproductions.contest import Contest
from reproductions.contract import Condition
from reproductions.measures import rooms as reader
from reproductions.report import COLOURS, Report, figure, grid, show
from reproductions.video import contact_sheet
from reproductions.worlds.rooms import EVALUATION_SEEDS, Rooms
from reproductions.worlds.rooms_map import SOLID

SLUG = "look_outside_the_room"
videos, frames, many, short, count = {
    "smoke": (1, 32, 2, 8, 2),
    "toy": (2, 128, 6, 20, 5),
    "gpu": (16, 192, 32, 48, 5),
}[scale]
seeds = [seed + i for i in range(count)]
report = Report(SLUG, scale=scale, seed=seed, seeds=seeds, out=out)
variants = {"ours": None, "no-bias": "no-bias"}
models = {name: reproductions.load_or_train(SLUG, scale, fresh=train, variant=v) for name, v in variants.items()}
model = models["ours"]
config, net, side = model.config, model.views, model.config.side
device = next(model.parameters()).device
world = Rooms(side, depth=False)
show(
    f"The tokeniser has {sum(p.numel() for p in model.tokeniser.parameters()):,} parameters, the transformer "
    f"{sum(p.numel() for p in net.parameters()):,}, of which {sum(p.numel() for p in net.mlp.parameters()):,} make the "
    f"bias. A view of {side} x {side} pixels is {config.grid} x {config.grid} tokens out of {config.codes}."
)

# %% [markdown]
# ## The world
#
# A house of nine rooms, never twice the same, and a walk through it that closes after 96 frames. Pose, depth and map
# are known. The network sees none of that but the motion from frame to frame; the house it will be tested on it has
# never seen.

# %%
film = world.clip(EVALUATION_SEEDS, 0, 97)
report.image(
    contact_sheet(film.video[::6], columns=17, scale_up=4, numbers=False),
    "world",
    caption="Real video: one walk, every sixth frame. The last frame is the first again, bit for bit.",
    alt="A row of 17 small pictures: coloured rooms and doorways seen by a walking camera.",
)

# %% [markdown]
# ## The idea, drawn
#
# Left: the house from above. Right: the sequence that the transformer reads; each place (row) may look at the grey
# columns. In every second layer the coloured blocks are added to the attention: each says which patch of the earlier
# view (column) helps to write which patch of the later view (row).

# %%
house, walk = world.house(EVALUATION_SEEDS), film.truth.pose
n, k = net.n, net.k
length = 3 * n + 2 * k
drawn, axes = figure(columns=2, height=3.6)
axes[0].imshow((house.grid.T == SOLID), origin="lower", extent=(0, 13, 0, 13), cmap="Greys", alpha=0.6)
axes[0].plot(walk[:, 0, 3], walk[:, 1, 3], color=COLOURS[4], linewidth=1)
for name, t in zip("abc", (10, 14, 18), strict=True):
    x, y, dx, dy = *walk[t, :2, 3], *walk[t, :2, 2]
    axes[0].annotate("", (x + 1.3 * dx, y + 1.3 * dy), (x, y), arrowprops={"arrowstyle": "->", "color": COLOURS[0]})
    axes[0].text(x - dx * 0.7, y - dy * 0.7, name, color=COLOURS[0], ha="center", va="center")
axes[0].set(xticks=[], yticks=[], xlabel="the walk, and three views a, b, c")
mask = net.added(length, 3 * [torch.zeros(1, k, device=device)])[1].isfinite().cpu()
axes[1].imshow(mask, cmap="Greys", alpha=0.35)
for (row, column), colour in zip(((1, 0), (2, 0), (2, 1)), COLOURS, strict=False):
    x, y = column * (n + k), row * (n + k) - 1
    axes[1].fill_between([x, x + n], y, y + n, color=colour, alpha=0.6, linewidth=0)
    axes[1].text(x + n / 2, y + n / 2, f"B {'abc'[column]}{'abc'[row]}", ha="center", va="center")
places = [n / 2, n + k + n / 2, 2 * (n + k) + n / 2]
axes[1].set_xticks(places, ["view a", "view b", "view c"])
axes[1].set_yticks(places, ["view a", "view b", "view c"])
report.image(
    drawn,
    "idea",
    caption=(
        f"The sequence of {length} places: three views of {n} tokens, and between them the motion of the camera in {k} "
        "numbers. A place predicts the token after it, so that the blocks begin one row above their view."
    ),
    alt="Left a floor plan with a closed way and three arrows; right a triangle with three coloured blocks.",
)

# %% [markdown]
# ## The mechanism, on real tensors
#
# **Pictures become tokens.** The tokeniser is trained first, then frozen. Every generated frame will be decoded to
# pixels and encoded again, so it matters how much is lost, and whether it is lost once or each time.

# %%
real = torch.from_numpy(world.batch(EVALUATION_SEEDS + np.arange(16), np.arange(16) * 5, 1).video[:, 0])
tokens = model.tokens(real.to(device))
once = model.pictures(tokens)
again = once
for _ in range(20):
    again = model.pictures(model.tokens(again))
lost = [float((v.cpu() - real).square().mean().sqrt()) for v in (once, again)]
kept = float((model.tokens(once) == tokens).float().mean())
report.measure("tokeniser-error", "tokeniser", "root mean squared error of a decoded frame", lost[0], better="lower")
report.image(
    contact_sheet(torch.cat([real, once.cpu(), again.cpu()]).numpy(), columns=16, scale_up=4, numbers=False),
    "tokens",
    caption=(
        f"From the top: real frames; decoded from their tokens (error {lost[0]:.3f} on a scale of 1); after 20 more "
        f"rounds of encoding and decoding (error {lost[1]:.3f}). In one round {kept:.0%} of the tokens stay the same."
    ),
    alt="Three rows of 16 small pictures of rooms; each row is a little coarser than the one above.",
)

# %% [markdown]
# **Motion becomes numbers.** With $(R_i, t_i)$ from world to camera, the motion from view $a$ to view $x$ is
#
# $$R = R_x R_a^{\top}, \qquad t = t_x - R\, t_a$$
#
# The paper gives the network all of it and the lens, 30 numbers. Our camera walks upright: 3 numbers are left.

# %%
three = torch.from_numpy(walk[[10, 14, 18]])
g_ab, g_ac, g_bc = model.cameras([p.unsqueeze(0).to(device) for p in three])
words = [f"{name} {np.round(g[0].tolist(), 2)}" for name, g in (("ab", g_ab), ("ac", g_ac), ("bc", g_bc))]
show(f"g = ten times [right, ahead, turn]: {', '.join(words)}. What one walks away from lies behind: hence the minus.")

# %% [markdown]
# **The motion becomes a bias,** $B_{uv} = \mathrm{MLP}(g_{uv})$, one number for each pair of patches:
#
# $$\mathrm{attention} = \mathrm{softmax}\left( \frac{Q K^{\top}}{\sqrt{d}} + H + \mathrm{mask} \right) V$$
#
# Nobody told the network where to look. Here is what it learnt: for four patches of the new view, the patches of the
# old view that the bias favours, when the camera goes ahead and when it turns.


# %%
def gaze(ahead, turn):
    """softmax over the patches of the old view of B for one motion: (n, grid, grid)."""
    g = torch.tensor([[0.0, -10 * ahead, 10 * turn]], device=device)
    with torch.inference_mode():
        return net.mlp(g).view(n, n).softmax(-1).cpu().view(n, config.grid, config.grid)


motions = {"ahead": (0.25, 0.0), "turn left": (0.2, 0.12), "turn right": (0.2, -0.12)}
chosen = [config.grid * r + c for r, c in ((3, 1), (3, 3), (3, 6), (6, 3))]
drawn, axes = figure(columns=len(chosen), rows=len(motions), height=4.4)
for row, (name, motion) in enumerate(motions.items()):
    for ax, patch in zip(axes[row * len(chosen) :], chosen, strict=False):
        ax.imshow(gaze(*motion)[patch], cmap="Blues")
        ax.plot(patch % config.grid, patch // config.grid, "x", color=COLOURS[1])
        ax.set(xticks=[], yticks=[], ylabel=name if patch == chosen[0] else "")
inner = [config.grid * r + c for r in range(config.grid) for c in range(2, config.grid - 2)]
to_right = torch.arange(config.grid).float() - (config.grid - 1) / 2
shift = {name: float((gaze(*motion)[inner].sum(1) @ to_right).mean()) for name, motion in motions.items()}
report.image(
    drawn,
    "bias",
    caption=(
        "Dark: the patches of the old view that the bias favours, for the patch of the new view marked by the cross. "
        "On average it looks "
        + ", ".join(f"{abs(s):.2f} patches to the {'right' if s > 0 else 'left'} ({name})" for name, s in shift.items())
        + ". The picture of a camera that turns left moves to the right: what is wanted lies left in the old one."
    ),
    alt="Three rows of four small maps; in each a dark spot near a cross, moved sideways where the camera turns.",
)

# %% [markdown]
# **A view is written patch by patch.** With the true tokens before it, each patch gets a distribution. Its spread says
# where the network is sure and where it has to make something up.

# %%
window = world.at(np.full(6, EVALUATION_SEEDS + 3), np.arange(6)[:, None] * 15 + np.arange(3))
views, poses = torch.from_numpy(window.video).to(device), torch.from_numpy(window.truth.pose).to(device)
with torch.inference_mode():
    _, logits = net(model.tokens(views), model.cameras(poses.unbind(1)), model.codes())
    p = logits.softmax(-1)
    spread = -(p * p.clamp(min=1e-9).log2()).sum(-1).view(-1, 1, config.grid, config.grid)
    guess = model.pictures(logits.argmax(-1))
shade = torch.nn.functional.interpolate((spread / 8).clamp(0, 1), side).expand(-1, 3, -1, -1)
report.image(
    contact_sheet(torch.cat([*views.unbind(1), guess, shade]).cpu().numpy(), columns=6, scale_up=4, numbers=False),
    "window",
    caption=(
        "Six windows (columns). From the top: views a, b and c, real; the likeliest token of each patch of c, "
        f"given all before it; how unsure it is, white for 8 bits (on average {float(spread.mean()):.1f})."
    ),
    alt="Five rows of six pictures: three real views, a predicted one that resembles the third, and a grey map.",
)

# %% [markdown]
# ## A long walk
#
# Through a house never seen, along the whole walk and into the second round. Beside it: FDM, trained on the same world
# but not told how the camera moves, and the videos that need no network. All begin with the same eight real frames (the
# method needs only one, and gets only one further below).

# %%
contest = Contest(report, world, seeds=seeds, videos=videos, frames=frames, side=side, context=8, against="world")


def walk_on(model, films, steps=None):
    """Videos per seed: the model goes on from the first real frames of the films; all seeds are one batch."""
    first = torch.from_numpy(np.concatenate([films.films()[s][:, : films.context] for s in seeds]))
    if steps is None:
        way = torch.from_numpy(np.concatenate([films.truth[s].pose for s in seeds]))
        made = model.generate(films.frames, Condition(context=first, poses=way), seed=seed)
    else:
        made = model.generate(films.frames, Condition(context=first), seed=seed, steps=steps)  # fdm
    return dict(zip(seeds, made.split(films.videos), strict=True))


contest.add("ours", walk_on(model, contest))
contest.add("fdm", walk_on(reproductions.load("fdm", "rooms"), contest, steps=4))
SHOWN = ("real", "ours", "fdm")
two = np.concatenate([contest.films(name)[s][:1] for s in seeds[:2] for name in SHOWN])
report.video(
    grid(two, len(SHOWN), gap=1),
    "side-by-side",
    caption=f"{frames} frames of two walks (rows). From the left: {', '.join(SHOWN)}.",
    alt="A grid of two rows and three columns of walks through rooms.",
    scale_up=6,
)

# %%
step = frames // 32
report.image(
    contact_sheet(two[:, ::step].reshape(-1, 3, side, side), columns=32, scale_up=3, numbers=False),
    "sheet",
    caption=f"Two walks, one frame in {step}, three rows each. From the top: {', '.join(SHOWN)}. What the first frames "
    "show is soon behind the camera; from then on the house is the network's own.",
    alt="Six rows of small pictures of rooms: real, ours and fdm, for two walks.",
)

# %% [markdown]
# ### How good is it, and for how long?
#
# Nobody can know the rooms behind the first door. So the error against the true view must grow until it is that of
# *some* view of *some* house, and the share of the right wall colours must fall. What a good method keeps is the
# motion, frame after frame, and the look of a house.

# %%
contest.table(
    caption=f"Means over {frames} frames and {count} seeds of {videos} walks, ± half of the 95 % interval. Freeze "
    "never errs against itself, for it never moves."
)

# %%
contest.drift(
    "view",
    title="Distance to the true view",
    alt="Lines of the error against the true view along the video, for all contenders.",
)

# %%
contest.drift(
    "warp",
    title="Does the next frame follow from this one?",
    alt="Lines of the warping error along the video, for all contenders.",
)

# %%
contest.distances(caption="Lower is better; it asks whether a clip looks and moves like one of this world.")

# %% [markdown]
# **Back after one round.** The camera returns to where it began after 96 frames. The window holds three views, so
# nothing in it tells what stood there. How much do two frames of one place differ, and how much frames of two walks?

# %%
late = slice(min(world.loop, frames // 2), frames)
films = contest.films("ours")
pairs = zip(seeds, seeds[1:] + seeds[:1], strict=True)
apart = [float(np.abs(films[s] - np.roll(films[t], 1, 0))[:, late].mean()) for s, t in pairs]
back = contest.values("ours", "return", late)
report.measure("apart:ours", "ours", "difference between frames of two walks", apart)
show(f"The same place, one round later: {np.mean(back):.3f}. Frames of two different walks: {np.mean(apart):.3f}.")

# %% [markdown]
# ## Does the bias help?
#
# > *camera-bias-helps*: the bias guides attention to the patches that overlap, and makes consecutive views agree.
#
# The same network, trained for as many steps on the same clips, with $H = 0$. Both walk from the same frames. Each
# frame is carried along by true depth and motion, and compared with the next one where both see the same points.

# %%
ablation = Contest(report, world, seeds=seeds, videos=many, frames=short, side=side, context=1, against="world")
for name in models:
    ablation.add(name, walk_on(models[name], ablation))
bias_claim = report.claim(
    "camera-bias-helps",
    measure=f"warping error over frames 1 to {short - 1}, {many} walks per seed",
    subject="with bias",
    baseline_subject="without bias",
    values=ablation.values("ours", "warp"),
    baseline_values=ablation.values("no-bias", "warp"),
    says="lower",
    better="lower",
)

# %%
ablation.drift(
    "walls",
    names=("real", *models, "freeze"),
    block=4,
    title="Are the walls still of the right colour?",
    alt="Falling lines of the share of wall colours that are right, with the bias and without.",
)

# %% [markdown]
# ## Are two views better than one?
#
# > *two-frames-beat-one*: reasoning over several frames and cameras, not one pair, gives consistent video.
#
# The network is trained to write a view after one other as well as after two (the first generated frame needs that), so
# the same weights serve for both. Now the camera sways: two steps ahead, two steps back, and so on. It comes to the
# same places again and again; two views hold more of what it has just left. Do frames of one place agree?

# %%
ids = np.concatenate([EVALUATION_SEEDS + 500_000 + 1000 * s + np.arange(many) for s in seeds])
way = world.at(ids, np.tile(np.array([0, 1, 2, 1])[np.arange(short) % 4], (len(ids), 1)))
first = Condition(context=torch.from_numpy(way.video[:, :1]), poses=torch.from_numpy(way.truth.pose))
returns = {}
for views in (2, 1):
    made = model.generate(short, first, seed=seed, views=views).numpy()
    returns[views] = np.nanmean(reader.returns(made, way.truth.place).reshape(count, -1), 1)
two_claim = report.claim(
    "two-frames-beat-one",
    measure=f"return error on a path that sways over three places, {short} frames, {many} walks per seed",
    subject="two views",
    baseline_subject="one view",
    values=returns[2],
    baseline_values=returns[1],
    says="lower",
    better="lower",
)

# %% [markdown]
# ## Limits
#
# - This is a toy: 16 x 16 pixels, 64 tokens per view, minutes of training on one CPU core. The paper's views have
#   256 x 256 pixels and 256 tokens, its transformer 32 layers. The numbered deviations stand at the top of
#   `reproductions/methods/look_outside_the_room.py`.
# - The last part of the training, on views that the network predicted itself, has an ablation as well (`kiloframe train
#   look_outside_the_room --variant no-accumulation`). It was not trained, so the claim *error-accumulation-training* is
#   not judged here.
# - The window is all the memory there is. What left the last two views is gone, and the rooms that follow are invented.
# - The seeds vary the walks and the draws, not the training: there is one set of weights of each kind.
# - A frame costs as many calls of the transformer as it has tokens, one after the other.
#
# ## Exercise
#
# Let the camera turn on the spot, all the way round in 24 steps, and compare the last frame with the first. Does the
# room close? Then turn it half a round and back again.
#
# <details><summary>Solution</summary>
#
# ```python
# def turning(angles):
#     poses = np.repeat(walk[:1], len(angles), 0)
#     heading = np.arctan2(walk[0, 1, 2], walk[0, 0, 2]) + np.asarray(angles)
#     poses[:, 0, 2], poses[:, 1, 2] = np.cos(heading), np.sin(heading)
#     poses[:, 0, 0], poses[:, 1, 0] = np.sin(heading), -np.cos(heading)
#     return torch.from_numpy(poses[None])
#
#
# start = torch.from_numpy(film.video[None, :1])
# once_round = np.linspace(0, 2 * np.pi, 25)
# and_back = np.pi * np.sin(np.linspace(0, np.pi, 25)) / 2
# for angles in (once_round, and_back):
#     made = model.generate(25, Condition(context=start, poses=turning(angles)), seed=0)
#     print(float((made[0, -1] - made[0, 0]).abs().mean()))
# ```
#
# Neither closes well: after a few steps the first frame has left the window. What would you have to keep to close it?
#
# </details>

# %% [markdown]
# ## What was found

# %%
judged = (bias_claim, two_claim)
wins = contest.beaten("ours", ["view", "warp", "steps", "motion", "clip-distance"] if count > 2 else [])
means = {(name, id): np.mean(contest.values(name, id)) for name in contest.names for id in ("motion", "warp")}
bare = {n: np.mean([v[:, frames // 2 :].std((3, 4)).mean(2) < 0.06 for v in contest.films(n).values()]) for n in SHOWN}
lines = [
    f"- **A walk of {frames} frames** moves {means['ours', 'motion']:.0%} as it should (fdm, which is not told the "
    f"way: {means['fdm', 'motion']:.0%}); its warping error is {means['ours', 'warp']:.3f} (real "
    f"{means['real', 'warp']:.3f}, fdm {means['fdm', 'warp']:.3f}, freeze {means['freeze', 'warp']:.3f}).",
    f"- **How it fails.** In the second half {bare['ours']:.0%} of its frames are almost of one colour (real "
    f"{bare['real']:.0%}, fdm {bare['fdm']:.0%}). The way belongs to another house than the one it made up; it seems "
    "to lead into a wall sooner or later, and nothing comes into sight there. A bare wall moves little and has a low "
    "warping error, which must not be credited.",
    *(f"- Clearly better by {id} than: {', '.join(beaten) or 'no trivial video'}." for id, beaten in wins.items()),
]
show("\n".join([*lines, *(f"- `{c.id}`: **{c.verdict}**. {c.reason}" for c in judged)]))
result_file = report.save()
