"""How services are spoken to: each turns the same script into the answers of its service."""
