"""Mistral's fine-tuning API, which its vendor no longer supports."""
