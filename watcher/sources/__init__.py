"""Where jobs live: the fine-tuning API, and what its answers mean."""
