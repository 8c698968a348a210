"""The contract of plugins as tests, for the test suite of a plugin of your own.

pytest runs what a class inherits:

    from board_notifier import plugin
    from watcher.plugins.testing import NotifierContract

    class TestBoard(NotifierContract):
        plugin = plugin
        secrets = ("t0ken-of-the-board",)

        def settings(self, url):
            return {"board": f"{url}/board", "token": "t0ken-of-the-board"}

`SourceContract` is the same for sources. Nothing else is needed: a server on loopback stands for the other side.
"""

from watcher.plugins.testing.loopback import Loopback, Reply
from watcher.plugins.testing.notifiers import NotifierContract
from watcher.plugins.testing.sources import SourceContract

__all__ = ["Loopback", "NotifierContract", "Reply", "SourceContract"]
