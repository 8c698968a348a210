"""The service over HTTP: probes, metrics, and the state of things."""
