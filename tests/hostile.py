"""Text that wants to become markup, and records that are full of it, as the attacks use them."""

from attacks.hostile import HOSTILE, LINES, LONG, RIGHT_TO_LEFT, poisoned

__all__ = ["HOSTILE", "LINES", "LONG", "RIGHT_TO_LEFT", "poisoned"]
