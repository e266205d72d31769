"""SMART App Launch 2.2: the app that a clinician opens from a card."""
