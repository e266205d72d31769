"""Model bundles, and the place where they run."""
