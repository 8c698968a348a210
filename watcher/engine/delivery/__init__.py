"""Delivery: claim, send, settle."""
