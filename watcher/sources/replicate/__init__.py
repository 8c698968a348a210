"""Replicate: trainings."""
