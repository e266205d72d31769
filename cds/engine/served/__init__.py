"""What the servers of the Open Inference Protocol v2 have in common that we ship (``deploy/ray``, ``deploy/mlserver``)."""
