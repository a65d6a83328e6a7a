"""One file per method: what is peculiar to it, and nothing else."""
