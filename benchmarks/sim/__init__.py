"""A swarm in one process: the real machines, virtual time, a thin network between them.

`benchmarks/swarm_sim.py` runs its sections and prints what they found.
"""
