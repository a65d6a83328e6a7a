"""The one error type that stands for a user's mistake."""

from __future__ import annotations

__all__ = ["UserError"]


class UserError(Exception):
    """A mistake a user can mend: one sentence that says what is wrong, where, and what to type next.

    The command prints it without a traceback and exits with code 2.
    """

    exit_code = 2
