"""Databases as sources: what came in since the last export becomes a file in a landing folder, once."""
