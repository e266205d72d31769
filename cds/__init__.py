"""Sightline: imaging decision support at the moment of ordering. The service is built in :mod:`cds.app`."""
