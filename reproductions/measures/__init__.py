"""Measures of video: exact ones for the known worlds, statistics, trivial baselines. Imports no torch."""
