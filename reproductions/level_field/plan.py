"""Who competes in which world, under which settings, and what decides each outcome. Imports no torch."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import reproductions
from kiloframe.errors import UserError
from kiloframe.sources import checkout, imported

__all__ = [
    "FIELD", "MAIN", "TRIVIAL", "Contender", "Entrant", "Settings", "absent", "code_hash", "contenders", "costed",
    "entrants",
    "key_of", "paradigm", "trivial",
]  # fmt: skip

FIELD: dict[str, tuple[str, ...]] = {
    "shapes": ("fdm", "nuwa_xl", "tats", "phenaki", "pvdm"),
    "timelapse": ("fdm", "stylegan_v"),
    "rooms": ("fdm", "look_outside_the_room"),
}
"""The methods that compete in each world; fdm is the common yardstick."""

MAIN = {"digits": "identity", "shapes": "identity", "timelapse": "clock_rate", "rooms": "walls"}
"""The exact measure of each world that drift is told by: a share, higher is better."""

TRIVIAL = ("real", "freeze", "repeat", "shuffle", "noise")
"""What needs no training; real is other real video, the level that nobody passes."""

_SHORT = 16
"""Frames of the short training clips that a hierarchy is put to the test with."""


@dataclass(frozen=True)
class Settings:
    """What one field is run with.

    budget: seconds of training per method, on `device`; preset: of the methods; trainings: seeds of training;
    seeds: of sampling; videos: per seed; lengths: in frames; costed: those whose cost is measured, always on the CPU;
    context: real frames that a method, freeze, repeat and noise begin with where anything begins with real frames, and
    that nothing is judged on; timed: steps timed before training; reference: real clips that distances are taken from;
    worlds: those of FIELD, in order; methods: None for all that are here.
    """

    budget: float = 600.0
    device: Literal["cpu", "cuda"] = "cpu"
    preset: Literal["smoke", "toy", "gpu"] = "toy"
    trainings: tuple[int, ...] = (0,)
    seeds: tuple[int, ...] = (0, 1, 2)
    videos: int = 4
    lengths: tuple[int, ...] = (16, 128, 1024)
    costed: tuple[int, ...] = (16, 128, 1024)
    context: int = 8
    timed: int = 20
    reference: int = 256
    worlds: tuple[str, ...] = tuple(FIELD)
    methods: tuple[str, ...] | None = None

    @classmethod
    def smoke(cls) -> Settings:
        """A field of two methods for tests: seconds, and nothing to conclude from."""
        others = [slug for slug in FIELD["shapes"] if slug != "fdm" and slug in reproductions.names()]
        return cls(
            budget=0.5, preset="smoke", seeds=(0, 1), videos=2, lengths=(16, 32), costed=(32,), timed=1,
            reference=16, worlds=("shapes",), methods=("fdm", *others[:1]),
        )  # fmt: skip

    def __post_init__(self) -> None:
        """Raises UserError for numbers that make no field."""
        if not self.budget > 0:
            raise UserError(f"the budget is a number of seconds above 0, not {self.budget:g}")
        if self.device not in ("cpu", "cuda"):
            raise UserError(f"methods are trained on cpu or cuda, not on {self.device}")
        unknown = set(self.methods or ()) - set(_all())
        if unknown:
            raise UserError(f"{', '.join(sorted(unknown))} is not in the field; it has: {', '.join(_all())}")
        if min(self.lengths) < 2 * self.context or self.videos < 1 or not self.seeds or not self.trainings:
            raise UserError(f"a field needs videos, seeds, and lengths of at least {2 * self.context} frames")


@dataclass(frozen=True)
class Entrant:
    """A method that is trained in a world, maybe with some fields of its config changed."""

    slug: str
    world: str
    changes: tuple[tuple[str, Any], ...] = ()

    @property
    def id(self) -> str:
        """For file names: `fdm-shapes`, `fdm-shapes-horizon16`."""
        return "-".join([self.slug, self.world, *(f"{name}{value}" for name, value in self.changes)])

    @property
    def variant(self) -> str | None:
        """The variant of the method that is trained in this world; None where the method is at home there.

        Raises UserError for a world that the method does not know.
        """
        kind = reproductions.method(self.slug)
        if kind.world == self.world:
            return None
        kind.changes(self.world)
        return self.world

    def fields(self, preset: str) -> dict[str, Any]:
        """The fields of the preset's config that are changed for it: the variant's (of the small preset only the world,
        for its sizes are its own), then its own.
        """
        fields = reproductions.method(self.slug).changes(self.variant) if self.variant else {}
        if preset == "smoke" and "world" in fields:
            fields = {"world": fields["world"]}
        return {**fields, **dict(self.changes)}

    def config(self, preset: str) -> Any:
        """The config it is trained with."""
        from dataclasses import replace

        return replace(getattr(reproductions.method(self.slug).Config, preset)(), **self.fields(preset))


@dataclass(frozen=True)
class Contender:
    """What is measured: an entrant with an order of its frames, or a trivial video where `entrant` is None."""

    name: str
    world: str
    entrant: Entrant | None = None
    schedule: str | None = None

    @property
    def id(self) -> str:
        """For file names."""
        parts = [self.entrant.id if self.entrant else f"{self.name}-{self.world}", self.schedule]
        return "-".join(part for part in parts if part)


def entrants(settings: Settings) -> list[Entrant]:
    """Every method of the field that is here, world by world, then fdm taught by short clips alone."""
    here = set(reproductions.names()) & set(settings.methods or reproductions.names())
    found = [Entrant(slug, world) for world in settings.worlds for slug in FIELD[world] if slug in here]
    if "fdm" in here and "shapes" in settings.worlds:
        found.append(Entrant("fdm", "shapes", (("horizon", _SHORT),)))
    return found


def absent() -> list[str]:
    """Methods of the field that have no reproduction yet."""
    return [slug for slug in _all() if slug not in reproductions.names()]


def _all() -> list[str]:
    return list(dict.fromkeys(slug for slugs in FIELD.values() for slug in slugs))


def contenders(entrant: Entrant) -> list[Contender]:
    """One per order of frames that the field compares; a single one for methods with one order only."""
    kind = reproductions.method(entrant.slug)
    taught = ", short clips" if entrant.changes else ""
    orders: tuple[str, ...] = getattr(kind, "orders", ())
    if not orders:
        return [Contender(entrant.slug + taught, entrant.world, entrant)]
    return [Contender(f"{entrant.slug}, {order}{taught}", entrant.world, entrant, order) for order in orders]


def costed(contender: Contender, frames: int, settings: Settings) -> bool:
    """Whether it is measured what a video of so many frames costs.

    Not where only training was changed: the same network costs the same. And fdm, the yardstick of every world, has
    its longest videos costed in the first world alone; it hardly differs in the others, and takes long.
    """
    entrant = contender.entrant
    if entrant is None or entrant.changes or frames not in settings.costed:
        return False
    return entrant.slug != "fdm" or contender.world == settings.worlds[0] or frames < max(settings.costed)


def trivial(settings: Settings) -> list[Contender]:
    """The trivial videos of every world."""
    return [Contender(name, world) for world in settings.worlds for name in TRIVIAL]


def paradigm(contender: Contender) -> str | None:
    """ "divide-and-conquer", "temporal-autoregressive", or None where the editors say both, or it is no method.

    An order of frames decides where the method has several; else the record's reading by the editors.
    """
    import kiloframe

    if contender.entrant is None:
        return None
    if contender.schedule is not None:
        ahead = any(word in contender.schedule for word in ("hierarch", "interpol", "key"))
        return "divide-and-conquer" if ahead else "temporal-autoregressive"
    value = kiloframe.load().methods[contender.entrant.slug].paradigm.editors.value
    return value if value in ("divide-and-conquer", "temporal-autoregressive") else None


# --- what decides an outcome --------------------------------------------------------------------------------------


def key_of(inputs: Mapping[str, Any]) -> str:
    """One hash over all that decides a task's outcome."""
    return hashlib.sha256(json.dumps(dict(inputs), sort_keys=True, default=str).encode()).hexdigest()


def code_hash(starts: Iterable[str], folders: Iterable[str], root: Path | None = None) -> str:
    """One hash over the code of these files and of what they import within `folders` (all below reproductions/).

    Comments, docstrings and the way lines are broken do not count: what takes hours is not thrown away for a word.
    """
    return _code_hash(tuple(starts), tuple(folders), checkout() if root is None else root)


@cache
def _code_hash(starts: tuple[str, ...], folders: tuple[str, ...], root: Path) -> str:
    home, first = root / "reproductions", [root / "reproductions" / name for name in starts]
    within = [home / folder for folder in folders]
    files = [f for f in imported(first, root) if f in first or any(f.is_relative_to(folder) for folder in within)]
    return key_of({file.relative_to(root).as_posix(): _meaning(file) for file in files})


def settings_of(text: str) -> Settings:
    """The settings in JSON, as `asdict` gives them."""
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in json.loads(text).items()}
    return Settings(**values)


def as_json(settings: Settings) -> str:
    """The settings as JSON."""
    return json.dumps(asdict(settings), indent=1) + "\n"


def _meaning(file: Path) -> str:
    tree = ast.parse(file.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            del node.body[0]
    return hashlib.sha256(_plain(tree).encode()).hexdigest()


def _plain(part: object) -> str:
    """A piece of syntax in words, without the fields that are empty: newer Pythons have more of those."""
    if isinstance(part, list):
        return f"[{','.join(_plain(one) for one in part)}]"
    if isinstance(part, ast.AST):
        fields = [(name, value) for name, value in ast.iter_fields(part) if value is not None and value != []]
        return f"{type(part).__name__}({','.join(f'{name}={_plain(value)}' for name, value in fields)})"
    return repr(part)
