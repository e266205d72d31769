"""What our servers of the Open Inference Protocol v2 (``deploy/ray``, ``deploy/mlserver``) have in common."""
