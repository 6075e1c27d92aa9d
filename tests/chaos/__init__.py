"""Everything goes wrong, by a seed: real processes (`swarm.py`) and virtual time (`storms.py`)."""
