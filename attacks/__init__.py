"""Attacks on kiloframe: odd input, kills, full disks, places that cannot be written; what they met is counted.

    python -m attacks --minutes 8

leaves one record per attack in build/under_fire/, which notebooks/under_fire.py draws. Every attack is seeded. What a
user may see is an answer or one sentence; a traceback, a file that is neither the former nor the new one, and an end
that never comes are counted as faults of kiloframe, with an example of each.
"""
