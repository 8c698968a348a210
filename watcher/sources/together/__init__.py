"""Together AI: its own API for fine-tuning."""
