"""Speed, side by side: our parts and methods against what a user would otherwise install. `make bench` runs it all.

The libraries compared with live in an environment of their own (.venv-bench, requirements.txt here); kiloframe never
needs them, and nothing here imports one before a row that compares with it is measured.
"""
