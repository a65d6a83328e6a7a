"""The survey's figures, drawn from the facts: what each shows is computed here, how it looks stands in templates/.

lengths     Figure 1: who calls what long
timeline    Figure 2: the methods in order of their appearance, by paradigm and generator; lineage: who builds on whom
paradigms   Figure 3: which frame is computed when and from what, from the schedules of the reproductions
contest     the moving picture of the front page: one world made by two paradigms, and what was measured
Importing any of them imports neither torch nor a drawing library.
"""
