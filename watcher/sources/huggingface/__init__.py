"""Hugging Face Jobs: containers, and so also training scripts, of a user or an organization."""
