"""How the bundles under ``models/`` were made. Nothing of the running service imports this package."""
