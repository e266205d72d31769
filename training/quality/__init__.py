"""Makes the bundle ``models/film-quality``: whether a film is one that an image model can be asked about."""
