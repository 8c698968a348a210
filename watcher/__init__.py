"""finetune-watcher: every status change of a fine-tuning job, delivered."""

__version__ = "0.1.0"
