"""A bundle as a model of Triton's Python backend; ``write_repository.py`` puts it into the folder of each version.

What comes together is scored together; Triton waits for nobody (docs/remote-engine.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as triton

from cds.engine.network import Inputs, Logits
from cds.engine.served.catalogue import Catalogue
from cds.engine.served.model import ServedModel
from cds.errors import RequestError

DEVICES = {"CPU": "cpu", "GPU": "cuda:{}"}


class TritonPythonModel:
    """The bundle of the model's name and version in the directory ``models_dir`` of ``config.pbtxt``."""

    def initialize(self, args: Mapping[str, str]) -> None:
        parameters = json.loads(args["model_config"])["parameters"]
        catalogue = Catalogue(Path(parameters["models_dir"]["string_value"]))
        device = DEVICES[args["model_instance_kind"]].format(args["model_instance_device_id"])
        self._model = ServedModel(catalogue.find(args["model_name"], args["model_version"]), device)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One answer for each; what the network does not read is refused by itself."""
        asked = [{each.name(): each.as_numpy() for each in request.inputs()} for request in requests]
        refused = [self._refusal(inputs) for inputs in asked]
        scored = iter(self._model.infer_all([a for a, why in zip(asked, refused, strict=True) if not why]))
        return [_refused(why) if why else _answered(next(scored)) for why in refused]

    def _refusal(self, inputs: Inputs) -> str:
        """Why these cannot be scored; empty where they can."""
        try:
            self._model.check(inputs)
        except RequestError as refused:
            return str(refused)
        return ""


def _answered(logits: Logits) -> Any:
    return triton.InferenceResponse([triton.Tensor("logits", logits)])


def _refused(why: str) -> Any:
    return triton.InferenceResponse(error=triton.TritonError(why, triton.TritonError.INVALID_ARG))
