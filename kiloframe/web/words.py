"""How enumerated values of the facts read on a page."""

from __future__ import annotations

__all__ = ["WORDS"]

WORDS: dict[str, str] = {
    "divide-and-conquer": "divide and conquer",
    "temporal-autoregressive": "temporal autoregressive",
    "both": "both paradigms",
    "other": "neither paradigm",
    "diffusion": "diffusion",
    "spatial-autoregressive": "spatial autoregressive",
    "gan": "GAN",
    "mask-modeling": "mask modeling",
    "camera-pose": "camera pose",
    "optical-flow": "optical flow",
    "survey-text": "survey",
    "editors": "editors",
    "not-held": "not held",
    "not-judged": "not judged",
    "not-run": "not run yet",
}
