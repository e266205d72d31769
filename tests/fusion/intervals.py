"""A table of intervals that go a tenth beyond their bins."""

from __future__ import annotations

from cds.findings import ModelVersion
from cds.fusion.confidence import Confidence

KNOWN = ModelVersion("image", "m", "1", "1" * 64)
"""A model that the table was made with."""


def confidence(*findings: str) -> Confidence:
    cuts = [place / 10 for place in range(1, 10)]
    low, high = [0.0, *(cut - 0.1 for cut in cuts)], [*(cut + 0.1 for cut in cuts), 1.0]
    ends = [[max(0.0, end) for end in low], [min(1.0, end) for end in high]]
    table = dict.fromkeys(findings, ends)
    stated = {"cuts": cuts, "both": table, "image": table, "note": table, "made_with": [KNOWN.digest]}
    return Confidence.from_manifest(stated, findings)
