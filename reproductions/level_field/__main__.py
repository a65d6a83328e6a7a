"""`python -m reproductions.level_field`: run the whole field, in the background if you like, in as many sittings.

nohup make level-field > field.log 2>&1 &
tail -f field.log            # tasks done, time left
kill %1                      # stops; the same command goes on
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from kiloframe.errors import UserError
from kiloframe.stopping import status_of
from kiloframe.swap import locked


def main(arguments: list[str] | None = None) -> int:
    """Run the field; returns the exit status: 0 done, 2 a mistake in the arguments, 130 interrupted."""
    from reproductions.level_field import field
    from reproductions.level_field.plan import FIELD, Settings, absent

    usual = Settings()
    parser = argparse.ArgumentParser(prog="python -m reproductions.level_field", description=field.__doc__)
    parser.add_argument(
        "--budget", type=float, metavar="SECONDS", help=f"training per method; default {usual.budget:g}"
    )
    parser.add_argument("--seeds", type=int, metavar="N", help=f"seeds of sampling; default {len(usual.seeds)}")
    parser.add_argument("--videos", type=int, metavar="N", help=f"videos per seed; default {usual.videos}")
    parser.add_argument("--trainings", type=int, metavar="N", help=f"trainings; default {len(usual.trainings)}")
    parser.add_argument("--smoke", action="store_true", help="a tiny field, to see that all of it works")
    parser.add_argument(
        "--only", action="append", metavar="METHOD", help="this method alone, in its worlds; repeatable"
    )
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), help="what methods are trained on; default cpu. Costs are always the CPU's"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="tasks at once; default 1")
    parser.add_argument("--dask", metavar="ADDRESS", help="on a Dask cluster: the address of its scheduler")
    parser.add_argument("--task", metavar="ID", help="this task alone, by the settings in the folder; for workers")
    parser.add_argument("--folder", type=Path, metavar="FOLDER", help="default: build/level_field")
    given = parser.parse_args(arguments)
    changes = {
        "budget": given.budget,
        "videos": given.videos,
        "seeds": None if given.seeds is None else tuple(range(given.seeds)),
        "trainings": None if given.trainings is None else tuple(range(given.trainings)),
        "device": given.device,
        "methods": tuple(slug.replace("-", "_") for slug in given.only) if given.only else None,
    }

    def work() -> None:
        if given.task is not None:
            field.run_one(given.task, given.folder or field.default_folder())
            return
        if given.jobs < 1:
            raise UserError(f"--jobs must be at least 1, not {given.jobs}")
        if given.dask is not None and given.jobs != 1:
            raise UserError("--jobs is for this machine; how many tasks a cluster does at a time, its workers decide")
        settings = Settings.smoke() if given.smoke else usual
        settings = dataclasses.replace(settings, **{k: v for k, v in changes.items() if v is not None})
        if given.only:  # in the worlds where these compete
            worlds = tuple(name for name, slugs in FIELD.items() if set(slugs) & set(settings.methods or ()))
            settings = dataclasses.replace(settings, worlds=worlds)
        folder = given.folder or field.default_folder().with_name("level_field_smoke" if given.smoke else "level_field")
        if absent():
            print(f"not here yet: {', '.join(absent())}", file=sys.stderr)
        with locked(folder, "level-field"):
            if given.dask is not None:
                new, every = field.run_spread(settings, folder, given.dask)
            else:
                new, every = field.run(settings, folder, jobs=given.jobs)
        print(f"{every} tasks, {new} of them done now; the records are in {folder}")

    return status_of(work, "level field", "the same command goes on where it was")


if __name__ == "__main__":
    sys.exit(main())
