"""The store: jobs, transitions and deliveries, in SQLite or PostgreSQL."""
