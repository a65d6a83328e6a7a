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
# # Five worlds that know their own truth
#
# Does a video stay consistent for a thousand frames? On real footage that is an impression. The reproductions are
# trained on and judged by five small worlds instead, each an endless video that knows who is where in every frame; so
# the answer is a number.
#
# A world is a function of two whole numbers: the seed of a video and a frame,
#
# $$x_t = f(\text{seed}, t), \qquad y_t = g(\text{seed}, t),$$
#
# the picture and its truth. Nothing is simulated step by step, so a clip is the same whichever way it is cut.

# %% tags=["parameters"]
scale = "toy"  # "smoke" draws less
seed = 0
out = ""  # where results go; empty: build/runs

# %%
import time

import numpy as np

from reproductions import worlds
from reproductions.report import COLOURS, Report, figure, grid
from reproductions.video_sheet import contact_sheet
from reproductions.worlds.digits import CURTAIN_PERIOD, HIDDEN_FRAMES, Digits
from reproductions.worlds.rooms import Rooms
from reproductions.worlds.stories import Stories
from reproductions.worlds.timelapse import Timelapse

frames, side, repeats = {"smoke": (12, 32, 2), "toy": (80, 64, 5), "gpu": (80, 64, 5)}[scale]
report = Report("worlds", title="Five worlds that know their own truth", scale=scale, seed=seed, seeds=[seed], out=out)


def film(world, count=3, start=0, first=seed, length=frames):
    """`count` videos of a world side by side: (t, 3, h, w)."""
    return grid(world.batch(first + np.arange(count), np.full(count, start), length).video, columns=count)


# %% [markdown]
# ## Any frame, at once
#
# The hundredth hour of a video costs what its first second costs, and two ways to cut a clip agree bit for bit.

# %% tags=["hide-input"]
rows = []
for name in worlds.NAMES:
    world = worlds.world(name, 16)
    whole, far = world.clip(seed, 0, 60).video, 100 * 36_000
    begun = time.perf_counter()
    late = world.clip(seed, far, 60).video
    seconds = time.perf_counter() - begun
    pieces = np.concatenate([world.clip(seed, 0, 25).video, world.clip(seed, 25, 35).video])
    assert np.array_equal(whole, pieces) and np.array_equal(late[30:], world.clip(seed, far + 30, 30).video)
    rows.append([name, "equal, bit for bit", f"{1000 * seconds:.0f} ms"])
report.table(
    ["World", "60 frames at once against 25 and 35", f"60 frames from frame {far:,} on"], rows,
    "Cutting does not matter, and neither does how late it is.",
)  # fmt: skip

# %% [markdown]
# ## `digits`: identity
#
# Handwritten digits (those of scikit-learn) move at constant speed and bounce. On each axis the place is a triangle
# wave: with room $R$ between the walls,
#
# $$p_t = R - \bigl|\,(p_0 + v\,t) \bmod 2R - R\,\bigr|.$$
#
# Identity and colour never change. With `memory=True` a curtain hides the digit again and again: who comes back can
# only be known by remembering.

# %%
report.video(
    film(Digits(side)), "digits",
    caption="The world digits: three videos; every digit keeps its shape and colour and bounces off the walls.",
    alt="Three dark squares side by side, in each a coloured handwritten digit that drifts and bounces.",
)  # fmt: skip

# %%
report.video(
    film(Digits(side, memory=True)), "digits-memory",
    caption=f"digits with memory=True: for {HIDDEN_FRAMES} of every {CURTAIN_PERIOD} frames a bead on the rail tells the time, but nothing tells the digit.",  # noqa: E501
    alt="Three squares; a red curtain closes over a coloured digit and opens again on the same digit.",
)  # fmt: skip

# %% [markdown]
# ## `shapes`: captions
#
# Circles, squares, triangles, stars, crosses and rings, each small or large, slow or quick, in six colours. The law of
# motion is the same. The caption names everything that stays the same, in a grammar of one line per rule, so a text
# can be checked against a video without a person or a network.

# %%
shapes = worlds.world("shapes", side)
report.video(
    film(shapes), "shapes",
    caption="The world shapes: later shapes cover earlier ones; two shapes of a video never share a colour.",
    alt="Three dark squares side by side with stars, rings and other coloured shapes that move and bounce.",
)  # fmt: skip
said = shapes.batch(seed + np.arange(3), np.zeros(3, int), 1).truth.captions()
report.table(["Video", "Caption"], [[n, text] for n, text in enumerate(said)], "What the captions say of the three.")

# %% [markdown]
# ## `stories`: prompts that change
#
# A small cast plays scene after scene; every scene has a prompt that says who does what where. The cast keeps its
# colours for the whole story, so whoever comes back after two scenes elsewhere must come back the same.

# %%
stories = Stories(side)
report.video(
    film(stories, length=3 * frames // 2), "stories",
    caption=f"The world stories: scenes of {stories.scene_frames} frames with a cut between them, three side by side.",
    alt="Three small pixel-art scenes: characters such as cats, robots and ghosts move at sea, in forests and cities.",
)  # fmt: skip
report.table(
    ["Frames", "Prompt"],
    [[f"{s.start} to {s.start + s.frames - 1}", s.caption] for s in stories.script(seed, 6)],
    f"The script of the first story, as `Stories().script({seed}, 6)` gives it.",
)

# %% [markdown]
# A lecturer can write the prompts: `Stories.tell` plays any script of the grammar.

# %%
told = [
    "the pink ghost dances in the city at night.",
    "the pink ghost flies in the snow.",
    "the red fish waits at the sea.",
]
play = stories.tell(told, seed=seed).video
report.image(
    contact_sheet(play[:: max(1, len(play) // 12)], columns=6, scale_up=2, numbers=False), "stories-told",
    caption="Told to order: " + " ".join(told),
    alt="Twelve frames of three scenes: a pink ghost in a city at night, the ghost in snow, a red fish by the sea.",
)  # fmt: skip

# %% [markdown]
# ## `rooms`: places that must be remembered
#
# A camera walks through a house along a closed way and comes back, again and again. Pose, intrinsics, depth and map
# are exact. A pixel $(u, v)$ with depth $d$ in frame $s$ lies in frame $t$ at
#
# $$\lambda \begin{pmatrix} u' \\ v' \\ 1 \end{pmatrix}
# = K\, T_t^{-1}\, T_s \; d\, K^{-1} \begin{pmatrix} u \\ v \\ 1 \end{pmatrix},$$
#
# with the poses $T$ taken on homogeneous points. What a video shows on its second round it must have remembered.

# %%
rooms = Rooms(side)
report.video(
    film(rooms, length=rooms.loop if scale != "smoke" else frames), "rooms",
    caption=f"The world rooms: three walks; a whole loop has {rooms.loop} frames, and then the film's end meets its beginning.",  # noqa: E501
    alt="Three first-person walks side by side through rooms with striped, tiled and painted walls.",
)  # fmt: skip

# %% tags=["hide-input"]
walk = rooms.clip(seed, 0, rooms.loop + 1)
assert np.array_equal(walk.video[-1], walk.video[0]) and walk.truth.earlier[-1] == 0
drawn, axes = figure(columns=3, height=2.5)
axes[0].imshow(np.where(walk.truth.grid[0] == 10, 0.25, np.where(walk.truth.grid[0] == 9, 0.8, 0.95)).T, cmap="gray", vmin=0, vmax=1, extent=(0, 13, 13, 0))  # fmt: skip  # noqa: E501
axes[0].plot(walk.truth.pose[:, 0, 3], walk.truth.pose[:, 1, 3], color=COLOURS[0], linewidth=1.6)
axes[0].plot(*walk.truth.pose[0, :2, 3], "o", color=COLOURS[1], markersize=4)
axes[1].imshow(walk.video[0].transpose(1, 2, 0))
axes[2].imshow(walk.truth.depth[0], cmap="magma_r")
for ax, title in zip(axes, ("The map and the way", "What is seen from the dot", "Its depth"), strict=True):
    ax.set_title(title, loc="left")
    ax.axis("off")
report.image(
    drawn, "rooms-truth",
    caption=f"Of every frame the world knows pose, map and depth. After {rooms.loop} frames the camera stands where it began, and the picture is equal bit for bit.",  # noqa: E501
    alt="A floor plan of a house with a closed path, a view of a room, and the same view with near parts pale and far parts dark.",  # noqa: E501
)  # fmt: skip

# %% [markdown]
# ## `timelapse`: continuous time
#
# Clouds drift in a steady wind $w$ over hills, through day and night. The cloud density at a place $p$ is a fractal
# noise $N$ that is carried along and changes slowly,
#
# $$c_t(p) = \sigma\!\left(N(p - w\,t;\, t)\right),$$
#
# and $t$ need not be whole: methods with continuous time may ask for the sky at frame 3.7.

# %%
timelapse = Timelapse(side)
report.video(
    film(timelapse, start=55), "timelapse",
    caption=f"The world timelapse: {frames / 10:g} seconds of three skies; a day takes {timelapse.day_frames / 10:g}.",
    alt="Three skies over hills side by side: clouds drift, the light goes from night to morning or from day to dusk.",
)  # fmt: skip

# %% tags=["hide-input"]
day = timelapse.clip(seed, 0, 2 * timelapse.day_frames if scale != "smoke" else 24)
report.image(
    np.round(day.video[:, :, :, side // 2].transpose(2, 0, 1).repeat(4, 0).repeat(2, 1) * 255).astype(np.uint8),
    "timelapse-keogram",
    caption=f"One column of pixels from every frame, side by side: {len(day.video) / timelapse.day_frames:g} days, with clouds as slanted streaks.",  # noqa: E501
    alt="A strip in which blue days, orange evenings and dark nights follow each other twice, with white streaks.",
)  # fmt: skip

# %% [markdown]
# ## How fast
#
# Training must never wait for its data. Frames per second at the size each method trains on, in batches of 32 clips of
# 16 frames, the best of several tries on this machine's cores.

# %% tags=["hide-input"]
bars = {
    "digits": (16, 20_000),
    "shapes": (16, 20_000),
    "stories": (16, None),
    "rooms": (32, 2_000),
    "timelapse": (16, None),
}
rows = []
for name, (size, bar) in bars.items():
    world, best = worlds.world(name, size), []
    for n in range(repeats + 1):
        begun = time.perf_counter()
        world.batch(np.arange(32) + 32 * n, np.zeros(32, int), 16)
        best.append(32 * 16 / (time.perf_counter() - begun))
    speed = report.measure(
        "speed", name, f"frames per second at {size}x{size}", max(best[1:]), unit="frames/s", better="higher"
    )
    rows.append([name, f"{size} x {size}", f"{speed.value:,.0f}", f"{bar:,}" if bar else "none"])
report.table(["World", "Size", "Frames per second", "The bar to clear"], rows, "Measured in this run.")

# %% [markdown]
# ## What not to conclude
#
# * A method that keeps a digit's identity for 1,000 frames has shown that it can remember one thing of twenty in an
#   empty world. It has not shown that it keeps a face.
# * The worlds have no camera shake, no motion blur, no compression, no people. A ranking of methods here need not be
#   their ranking on UCF-101.
# * A world's law is simple enough to be learnt exactly. That is the point: a failure here is the method's.

# %%
result_file = report.save()
