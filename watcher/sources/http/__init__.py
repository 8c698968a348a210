"""Any service that answers a GET with JSON: where its values stand is said by the settings."""
