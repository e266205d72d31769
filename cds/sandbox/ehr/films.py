"""The films in the chart: asked of our own PACS over DICOMweb, as any viewer would."""

from __future__ import annotations

from typing import Any

import httpx

from cds.errors import Unknown
from cds.sandbox.access import AccessTokens

SIDE = 900
"""Pixels: no picture is longer on either side."""


class Films:
    """Renders the first image of a study; ``root`` is the PACS's DICOMweb root and its tokens' audience."""

    def __init__(self, root: str, tokens: AccessTokens, http: httpx.Client) -> None:
        self._root = root
        self._tokens = tokens
        self._http = http

    def jpeg(self, study: dict[str, Any]) -> bytes:
        """A picture of an ImagingStudy; :class:`Unknown` where the PACS gives none."""
        token = self._tokens.issue(
            subject="ehr", client_id="ehr", scopes=["system/ImagingStudy.r"], audience=self._root, lifetime_s=60
        )
        answer = self._http.get(
            f"{self._root}/{_place(study)}/rendered",
            params={"viewport": f"{SIDE},{SIDE}"},
            headers={"Accept": "image/jpeg", "Authorization": f"Bearer {token}"},
        )
        if answer.status_code != 200:
            raise Unknown(f"the PACS answered {answer.status_code}")
        return answer.content


def _place(study: dict[str, Any]) -> str:
    """The DICOMweb path of the study's first image (PS3.18 10.4.1.1)."""
    uids = (one.get("value", "") for one in study.get("identifier", ()) if one.get("system") == "urn:dicom:uid")
    try:
        series = study["series"][0]
        uid, image = next(uids).removeprefix("urn:oid:"), series["instance"][0]["uid"]
        return f"studies/{uid}/series/{series['uid']}/instances/{image}"
    except (KeyError, IndexError, StopIteration):
        raise Unknown("the study lists no images") from None
