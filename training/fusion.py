"""Write the late-fusion bundle: ``python -m training.fusion --out models/late-fusion``.

The weights of this first version are set by hand, and its card says so: no set of real images with notes under
usable terms was at hand to fit them on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from cds.findings import FINDINGS

IMAGE, NOTE, INTERCEPT = 0.7, 0.5, 0.0
"""Agreement strengthens (0.7 + 0.5 > 1); the image counts for more than the note."""
LIMITS = {"image": [0.01, 0.99], "note": [0.05, 0.99]}
"""A note that does not speak of a finding is weak evidence against it."""
DISAGREEMENT = 0.6
THRESHOLDS = {"high": 0.85, "review": [0.35, 0.85]}

CARD = f"""# late-fusion 1.0.0

Makes one probability per finding of the image's and the note's calibrated ones: log-odds pooling,
`logit(p) = {IMAGE} logit(p_image) + {NOTE} logit(p_note) + {INTERCEPT}`.

- **The weights are set by hand**, not fitted, and no accuracy is claimed for them: no set of real radiographs with
  notes under usable terms was at hand. They are the same for every finding.
- The image's probability counts as {LIMITS["image"][0]} at least and {LIMITS["image"][1]} at most, the note's as
  {LIMITS["note"][0]} at least and {LIMITS["note"][1]} at most: no part silences the other.
- A missing part leaves the other's calibrated score as it is.
- A note never hides a finding that the image alone shows at or above {THRESHOLDS["high"]}.
- Where the parts differ by {DISAGREEMENT} or more, the finding is marked "needs manual review".

Intended use: demonstration. Not a medical device.
"""


def write(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "card.md").write_text(CARD)
    manifest = {
        "name": "late-fusion",
        "version": "1.0.0",
        "kind": "fusion",
        "findings": list(FINDINGS),
        "weights": {key: {"image": IMAGE, "note": NOTE, "intercept": INTERCEPT} for key in FINDINGS},
        "thresholds": dict.fromkeys(FINDINGS, THRESHOLDS),
        "limits": LIMITS,
        "disagreement": DISAGREEMENT,
        "licence": "Apache-2.0",
        "intended_use": "Demonstration only; not a medical device.",
        "files": {"card.md": hashlib.sha256(CARD.encode()).hexdigest()},
    }
    (directory / "bundle.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("models/late-fusion"))
    write(parser.parse_args().out)
