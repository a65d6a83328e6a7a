"""Endless, seeded video with exact truth for every frame, at 10 frames per second. Imports no torch."""
