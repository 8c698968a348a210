"""Long versions of the end-to-end proofs: a crash storm, API faults and a steady load, for any length of time."""
