"""Proof that nothing is lost: what the script did, what was recorded and what a receiver accepted, reconciled."""
