"""The record: jobs, transitions and deliveries, in SQLite or PostgreSQL."""
