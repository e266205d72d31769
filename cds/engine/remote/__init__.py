"""The models on other machines: any server of the Open Inference Protocol v2.

Triton, KServe, MLServer and our Ray Serve application (``deploy/ray``) are such. Only numbers go
there: the pixels of a framed picture, the tokens of de-identified text.
"""

from cds.engine.remote.configured import remote_networks

__all__ = ["remote_networks"]
