"""Random input: words, queries, damage, bytes that are no text. The same random numbers make the same input."""

from __future__ import annotations

import pickle
import random
from pathlib import Path

__all__ = [
    "OPTIONS", "QUESTIONS", "SQL", "VALUES", "bent", "difference", "flipped", "line", "not_utf8", "pickle_that_touches",
    "query", "text",
]  # fmt: skip

QUESTIONS = ("list", "show", "compare", "lengths", "sql", "cite", "completion")
"""The commands that only answer: they write nothing and run nothing."""
OPTIONS = (
    "--all", "--by", "--code", "--columns", "--control", "--dataset", "--differences", "--explain", "--format",
    "--generator", "--max-frames", "--max-seconds", "--membership", "--metric", "--min-frames", "--min-seconds",
    "--paradigm", "--reproduction", "--no-reproduction", "--shown", "--sort", "--survey", "--table", "--tables",
    "--text", "--verdict", "--year", "--help", "-h", "-x", "--", "-",
)  # fmt: skip
VALUES = (
    "fdm", "nuwa-xl", "no_such_method", "divide-and-conquer", "diffusion", "UCF-101", "ucf_101", "fvd", "FVD", "held",
    "2023", "2021..2023", "100", "0", "-1", "1e309", "nan", "9" * 400, "csv", "json", "md", "bibtex", "slug,year",
    "-year", "longest_shown", "results[0].value", "select 1", "select * from methods", "select count(*) from claims",
    "drop table methods", "select load_extension('x')", "attach 'x' as y", "'", '"', "%", "*", "", " ", "\u202eorp",
    "<script>", "../../etc/passwd", "\x00", "é" * 300, "$(id)", "{{7*7}}", "bash", "zsh", "\udcff", "\ud800",
)  # fmt: skip
SQL = (
    "select", "from", "where", "group by", "having", "order by", "limit", "with recursive", "union all", "join", "on",
    "in", "like", "glob", "between", "null", "methods", "claims", "results", "slug", "value", "frames", "count(", ")",
    "(", ",", "*", "=", "<", "'", '"', "--", ";", "/*", "1", "-1", "1e400", "x'ff'", "randomblob(", "zeroblob(",
    "pragma", "insert into", "update", "delete", "create table", "vacuum", "explain",
)  # fmt: skip
_WHOLE = (
    "select * from results limit 3",
    "select slug, count(*) from methods group by",
    "select slug from methods where",
    "select count(*) from claims",
    "with x as (select 1) select * from x",
)
_PLAUSIBLE = (
    ("--year", "2023"), ("--paradigm", "other"), ("--generator", "gan"), ("--dataset", "ucf-101"), ("--metric", "fvd"),
    ("--format", "json"), ("--sort", "-year"), ("--columns", "slug,year"), ("--min-frames", "100"), ("--text", "a"),
)  # fmt: skip
_BENDS = (
    ": ", "- ", "\n", "\t", "{", "[", "&a", "*a", "!!python/object:os.system", "|", ">", "null", "1e999", "\x00",
    "\ufeff", "<script>", "'", "<<: *a", "? ", "%YAML 9.9\n", "---\n", "[" * 3000, "\\ud800", "-0", "NaN", "1" * 5000,
)  # fmt: skip


def text(rng: random.Random, most: int = 12) -> str:
    """A few characters of any plane, control characters and halves of surrogate pairs among them."""
    planes = (
        (0x20, 0x7E),
        (0, 0x1F),
        (0x80, 0x2FF),
        (0x590, 0x6FF),
        (0x2000, 0x206F),
        (0xD800, 0xDFFF),
        (0x1F300, 0x1F6FF),
    )
    return "".join(chr(rng.randint(*rng.choice(planes))) for _ in range(rng.randint(0, most)))


def line(rng: random.Random) -> list[str]:
    """A command that only answers, and up to six words after it."""
    if rng.random() < 0.3:  # near to what people type
        option, value = rng.choice(_PLAUSIBLE)
        return rng.choice((["list", option, value], ["list", option, rng.choice(VALUES)], ["show", rng.choice(VALUES)]))
    command = rng.choice((*QUESTIONS, *QUESTIONS, "lst", "", text(rng, 5)))
    pick = (lambda: rng.choice(OPTIONS), lambda: rng.choice(VALUES), lambda: text(rng))
    return [command, *(rng.choice(pick)() for _ in range(rng.randint(0, 6)))]


def query(rng: random.Random) -> str:
    """Words of SQL in any order, now and then behind a whole query."""
    some = " ".join(rng.choice(SQL) for _ in range(rng.randint(0, 14)))
    begins = rng.choice(("", "select ", f"{rng.choice(_WHOLE)} ", text(rng)))
    return begins + some


def bent(rng: random.Random, data: bytes) -> bytes:
    """Text with up to three pieces cut, doubled or replaced."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(data))
        end = min(len(data), at + rng.randint(0, 40))
        put = (data[at:end] * 2, text(rng, 6).encode("utf-8", "surrogatepass"), rng.choice(_BENDS).encode())
        data = data[:at] + rng.choice(put) + data[end:]
    return data


def flipped(rng: random.Random, data: bytes, before: int | None = None) -> bytes:
    """Bytes with one piece changed, put in, cut out or repeated, mostly near the beginning, where a header is."""
    most = len(data) if before is None else min(before, len(data))
    at = rng.randint(0, min(most, 200) if rng.random() < 0.3 else most)
    put, end = rng.randbytes(rng.randint(0, 16)), min(len(data), at + rng.randint(0, 64))
    kinds = (
        data[:at] + put + data[at + len(put) :],
        data[:at] + put + data[at:],
        data[:at] + put + data[end:],
        data[:at],
    )
    return rng.choice(kinds)


def not_utf8(rng: random.Random) -> bytes:
    """Bytes that are no UTF-8: Latin-1, UTF-16, Shift-JIS, half of a character, or noise."""
    words = "caf\u00e9 na\u00efve \u00dcber"
    kinds = (
        words.encode("latin-1"), words.encode("utf-16"), "\u9577\u3044\u52d5\u753b".encode("shift-jis"),
        "\u00e9".encode()[:1], b"\xff\xfe\x00\xff", b"\xed\xa0\x80", b"\xc0\xaf",
        rng.randbytes(rng.randint(2, 60)) + b"\xff",
    )  # fmt: skip
    return rng.choice(kinds)


class _Touch:
    """An object whose pickle makes a file when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


def pickle_that_touches(path: Path, rng: random.Random) -> bytes:
    """A pickle that makes the file `path` if anybody opens it, bare or as torch.save writes it."""
    if rng.random() < 0.5:
        return pickle.dumps(_Touch(path))
    import io

    import torch

    file = io.BytesIO()
    torch.save({"weight": _Touch(path)}, file)
    return file.getvalue()


def difference(whole: bytes, bent: bytes) -> str:
    """Where the damage begins and what stands there, for a report from which it can be repeated."""
    at = next((n for n, (a, b) in enumerate(zip(whole, bent, strict=False)) if a != b), min(len(whole), len(bent)))
    return f"{len(bent)} bytes of {len(whole)}, other from {at}: {bent[at : at + 60]!r}"
