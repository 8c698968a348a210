"""Google Vertex AI: tuning jobs of a project in a location."""
