"""What authors of plugins import, and the registry of installed plugins."""
