"""Polling: which jobs are due, what their sources answer."""
