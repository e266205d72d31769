"""What our servers of the Open Inference Protocol v2 (``deploy``) have in common."""
