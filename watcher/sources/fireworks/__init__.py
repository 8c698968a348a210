"""Fireworks AI: three kinds of jobs, each with a list of its own."""
