"""A computer's part in the swarm: what it serves, when, for whom, and who may know."""
