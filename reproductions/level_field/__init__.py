"""All methods on a level field: equal worlds, equal training seconds, equal clips, equal measures.

    python -m reproductions.level_field          # every task, one after the other, into build/level_field/
    kiloframe run level_field                    # the study notebooks/level_field.py, which reads those records

`plan` says who competes where and what decides each number; `trained`, `measured`, `cost` and `exchange` are the tasks;
`field` runs them, each once, and takes up what was interrupted; `records` reads what they left. Importing this package
imports no torch.
"""
