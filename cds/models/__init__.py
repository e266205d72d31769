"""Models of your own: added as bundles, measured on your data, and put to use (``cds models``)."""
