"""Sightline: imaging decision support at the moment of ordering."""
