"""What the watcher costs, beside what people would use instead: `python -m tests.benchmarks`."""
