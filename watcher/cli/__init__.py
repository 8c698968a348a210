"""The command line: one module per verb. Each parses, calls and returns an exit code."""
