"""The long versions of the proofs in `tests/e2e`: storms, faults and a steady load, for as long as you like."""
