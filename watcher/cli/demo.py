"""`watcher demo`."""


def demo() -> None:
    """x"""
