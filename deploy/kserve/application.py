"""``python application.py BUNDLE... --http_port=8490``: bundles behind KServe's own model server.

It has one version of a model at a time. Its address is loopback alone; KServe's default is every interface.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
from pathlib import Path
from typing import Any

from kserve import InferOutput, InferRequest, InferResponse, Model, ModelRepository, model_server
from kserve.errors import InvalidInput
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.rest.server import RESTServer

from cds.engine.bundles import Bundle
from cds.engine.served.model import ServedModel
from cds.engine.served.tensors import inputs_of, output_of
from cds.engine.version_number import version_number
from cds.errors import RequestError

HOST = "127.0.0.1"


class BundleModel(Model):
    """One bundle, in memory."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle.version.name)
        self._bundle = bundle
        self._model = ServedModel(bundle)
        self.version = version_number(bundle.version)
        self.ready = True

    def get_input_types(self) -> list[dict[str, Any]]:
        return [tensor.as_json() for tensor in inputs_of(self._bundle)]

    def get_output_types(self) -> list[dict[str, Any]]:
        return [output_of(self._bundle).as_json()]

    async def predict(self, payload: InferRequest, headers: dict[str, str] | None = None) -> InferResponse:
        inputs = {each.name: each.as_numpy() for each in payload.inputs}
        try:
            self._model.check(inputs)
        except RequestError as refused:
            raise InvalidInput(str(refused)) from None
        logits = await asyncio.to_thread(self._model.infer, inputs)
        return InferResponse(
            response_id=payload.id or "",
            model_name=self.name,
            model_version=self.version,
            infer_outputs=[InferOutput("logits", list(logits.shape), "FP32", logits)],
            use_binary_outputs=payload.use_binary_outputs,
            requested_outputs=payload.request_outputs,
        )


class Told(DataPlane):
    """Says in its metadata what KServe does and does not say: the version, and that tensors may be binary."""

    def metadata(self) -> dict[str, Any]:
        told: dict[str, Any] = super().metadata()
        return told | {"extensions": [*told["extensions"], "binary_tensor_data"]}

    async def model_metadata(self, model_name: str) -> dict[str, Any]:
        told: dict[str, Any] = await super().model_metadata(model_name)
        return told | {"versions": [self.get_model_from_registry(model_name).version]}


def serve(bundles: list[Path], port: int) -> None:
    """Until it is told to end."""
    repository = ModelRepository()
    for directory in bundles:
        repository.update(BundleModel(Bundle.load(directory)))
    server = RESTServer(
        "kserve.model_server:app", Told(repository), ModelRepositoryExtension(repository), http_port=port
    )
    # A socket of ours: RESTServer would listen on every interface.
    with socket.create_server((HOST, port)) as listening:
        server.run(sockets=[listening])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    parser.add_argument("bundles", nargs="+", type=Path)
    arguments, _ = parser.parse_known_args()
    serve(arguments.bundles, arguments.http_port)
