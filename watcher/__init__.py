"""finetune-watcher: every status change of a fine-tuning job, delivered."""

from importlib.metadata import version

__version__ = version("finetune-watcher")
