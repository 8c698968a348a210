"""OpenAI's fine-tuning API, and services that speak it."""
