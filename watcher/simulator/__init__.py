"""A scripted fine-tuning API and a webhook receiver, on loopback: for `watcher demo` and for tests."""
