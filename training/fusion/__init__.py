"""Fits the late-fusion bundle: weights, and how far a probability can be off."""
