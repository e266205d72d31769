"""How a bundle's version is told in the Open Inference Protocol, by whoever asks and by whoever runs it.

The protocol has a version in a model's address, in its metadata and in each answer. MLServer, KServe and our
own application take any word there, Triton whole numbers below 2**63 alone: so it is the number that the bundle's
digest begins with.
"""

from __future__ import annotations

from cds.findings import ModelVersion

HEX_DIGITS = 15
"""Of the SHA-256: 60 bits, which no two bundles share by chance."""


def version_number(version: ModelVersion) -> str:
    """The decimal number that the first 15 hexadecimal digits of the digest make."""
    return str(int(version.digest[:HEX_DIGITS], 16))
