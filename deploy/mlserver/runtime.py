"""A bundle as a model of MLServer: the runtime class that ``model-settings.json`` names.

``write_settings.py`` beside it makes those files (docs/remote-engine.md).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.errors import InferenceError, MLServerError
from mlserver.types import InferenceRequest, InferenceResponse

from cds.engine.bundles import Bundle
from cds.engine.served.model import ServedModel
from cds.engine.version_number import version_number
from cds.errors import RequestError


class BundleModel(MLModel):
    """The bundle in the directory ``parameters.uri``, which must be of the version ``parameters.version``."""

    async def load(self) -> bool:
        bundle = Bundle.load(Path(self.settings.parameters.uri))
        if version_number(bundle.version) != self.version:
            raise MLServerError(f"{self.name} is not of version {self.version}; write its settings anew")
        self._model = await asyncio.to_thread(ServedModel, bundle)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        inputs = {each.name: np.ascontiguousarray(NumpyCodec.decode_input(each)) for each in payload.inputs}
        try:
            self._model.check(inputs)
        except RequestError as refused:
            raise InferenceError(str(refused)) from None
        logits = await asyncio.to_thread(self._model.infer, inputs)
        return InferenceResponse(
            id=payload.id,
            model_name=self.name,
            model_version=self.version,
            outputs=[NumpyCodec.encode_output("logits", logits)],
        )
