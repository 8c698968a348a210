"""Destinations. Each module is a plugin of its own; `plugin.py` is all that it needs to know of the watcher."""
