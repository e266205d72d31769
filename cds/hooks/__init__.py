"""CDS Hooks 2.0: one file per chapter of the specification."""
