"""The profiles of what Sightline emits, and their examples."""
