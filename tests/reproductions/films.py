"""Small videos that tests make: the number of a frame is written in its pixels."""

from fractions import Fraction

import av
import numpy as np


def numbered(number, size=(32, 32)):
    """A picture (h, w, 3) uint8 in which 12 white or black squares spell the number in binary, 4 in a row."""
    h, w = size
    bits = np.array([number >> bit & 1 for bit in range(12)]).reshape(3, 4)
    rows, columns = np.arange(h) * 3 // h, np.arange(w) * 4 // w
    return np.repeat((bits[rows][:, columns] * 220 + 16).astype(np.uint8)[..., None], 3, 2)


def number(image):
    """The number that `numbered` wrote into a picture (h, w, 3) or (3, h, w), of any size."""
    image = np.asarray(image, float)
    grey = image.mean(0) * 255 if image.shape[0] == 3 else image.mean(-1)
    h, w = grey.shape
    middles = grey[[h // 6, h // 2, 5 * h // 6]][:, [w // 8, 3 * w // 8, 5 * w // 8, 7 * w // 8]]
    return int(sum(1 << bit for bit, lit in enumerate((middles > 126).ravel()) if lit))


def numbers(frames):
    return [number(frame) for frame in frames]


def film(
    path,
    frames=40,
    codec="libx264",
    pixels="yuv420p",
    *,
    rate=25,
    size=(32, 32),
    options=None,
    stamps=None,
    base=None,
    container=None,
    sound=False,
    prepare=None,
    draw=numbered,
):
    """Write a video of numbered frames. stamps: presentation times in units of `base` (default: 1 / rate each)."""
    base = base or Fraction(1, 1) / rate
    with av.open(str(path), "w", **(container or {})) as out:
        stream = out.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width, stream.pix_fmt = *size, pixels
        stream.codec_context.time_base = base
        stream.codec_context.thread_count = 1
        if prepare:
            prepare(stream)
        tone = out.add_stream("aac", rate=8000) if sound else None
        for n in range(frames):
            frame = av.VideoFrame.from_ndarray(draw(n, size), format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = n if stamps is None else int(stamps[n]), base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if tone:
            out.mux(hum(tone))
    return path


def hum(stream):
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
    frame.sample_rate = 8000
    return [*stream.encode(frame), *stream.encode(None)]
