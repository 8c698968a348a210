"""LocalAI's experimental fine-tuning API."""
