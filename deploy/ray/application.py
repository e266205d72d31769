"""Sightline's models as a Ray Serve application that speaks the Open Inference Protocol v2.

``serve run`` with serve.yaml starts it (docs/remote-engine.md). Requests come in at the :class:`Gateway`, which
knows the protocol, and are scored by replicas of :class:`Scorer`, on any machine and GPU of the cluster.
"""

import asyncio
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from ray import serve
from ray.serve.handle import DeploymentHandle

from cds.engine.network import Inputs, Logits
from cds.engine.served import messages
from cds.engine.served.catalogue import Catalogue
from cds.engine.served.model import ServedModel
from cds.engine.served.tensors import check, inputs_of
from cds.errors import RequestError

MAX_BODY_BYTES = 64 * 1024 * 1024
BATCH = 16
"""Requests that go through a network at once, at most; nobody waits for others to come."""
VERSIONS = 4
"""Model versions that a replica holds in memory; of more, the one that was not asked for the longest is let go."""

api = FastAPI(openapi_url=None)


class Options(BaseModel):
    """``args`` in serve.yaml."""

    models_dir: Path
    """The same directory on each machine, in full: a replica starts in a folder of Ray's."""
    device: str = "auto"
    gpus: float = 0.0
    """Of each replica; a part of one lets several replicas share it."""
    cpus: float = 1.0
    min_replicas: int = 1
    max_replicas: int = 4
    ongoing_requests: int = 8
    """Of each replica, on average: with more there will be more replicas."""
    gateways: int = 2
    """On machines of their own, where there are so many: one that is lost is done without."""
    queued_requests: int = 64
    """Of each gateway: beyond these a request is answered 503 at once."""


@serve.deployment
class Scorer:
    """Holds the versions that are asked for, and scores requests for one of them together."""

    def __init__(self, models_dir: Path, device: str) -> None:
        self._catalogue = Catalogue(models_dir)
        self._device = device

    @serve.multiplexed(max_num_models_per_replica=VERSIONS)
    async def model(self, id: str) -> ServedModel:
        name, _, version = id.rpartition("/")
        bundle = self._catalogue.find(name, version)
        return await asyncio.to_thread(ServedModel, bundle, self._device)

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=0.0)
    async def infer(self, requests: list[Inputs]) -> list[Logits]:
        """Ray Serve puts requests for one version together."""
        model = await self.model(serve.get_multiplexed_model_id())
        return await asyncio.to_thread(model.infer_all, requests)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise RequestError(f"a request has {MAX_BODY_BYTES} bytes at most")
    return bytes(body)


@api.exception_handler(RequestError)
async def refused(request: Request, error: RequestError) -> Response:
    return JSONResponse({"error": str(error)}, error.status)


# Ray Serve keeps a copy of `api` as it is by now: what the routes use stands above.
@serve.deployment
@serve.ingress(api)
class Gateway:
    """The protocol's routes (Open Inference Protocol, "HTTP/REST")."""

    def __init__(self, models_dir: Path, scorer: DeploymentHandle) -> None:
        self._catalogue = Catalogue(models_dir)
        self._scorer = scorer

    @api.get("/v2")
    async def server(self) -> dict[str, object]:
        return messages.SERVER

    @api.get("/v2/health/live")
    async def live(self) -> dict[str, bool]:
        return {"live": True}

    @api.get("/v2/health/ready")
    async def ready(self) -> dict[str, bool]:
        return {"ready": True}

    @api.get("/v2/models/{name}")
    async def model(self, name: str) -> dict[str, object]:
        versions = self._catalogue.versions(name)
        return messages.metadata(self._catalogue.find(name, versions[-1]), versions)

    @api.get("/v2/models/{name}/versions/{version}")
    async def model_version(self, name: str, version: str) -> dict[str, object]:
        return messages.metadata(self._catalogue.find(name, version), self._catalogue.versions(name))

    @api.get("/v2/models/{name}/versions/{version}/ready")
    async def model_ready(self, name: str, version: str) -> dict[str, object]:
        self._catalogue.find(name, version)
        return {"name": name, "ready": True}

    @api.post("/v2/models/{name}/versions/{version}/infer")
    async def infer(self, name: str, version: str, request: Request) -> Response:
        bundle = self._catalogue.find(name, version)
        asked = messages.read(await _body(request), request.headers.get(messages.HEADER_LENGTH))
        check(asked.inputs, inputs_of(bundle))
        scorer = self._scorer.options(multiplexed_model_id=f"{name}/{version}")
        answer = messages.answer(bundle, asked, await scorer.infer.remote(asked.inputs))
        return Response(answer.body, headers=dict(answer.headers))


def build(options: Options) -> serve.Application:
    """The application as ``options`` ask for it."""
    scorer = Scorer.options(
        ray_actor_options={"num_cpus": options.cpus, "num_gpus": options.gpus},
        autoscaling_config={
            "min_replicas": options.min_replicas,
            "max_replicas": options.max_replicas,
            "target_ongoing_requests": options.ongoing_requests,
        },
        max_ongoing_requests=2 * BATCH,
        max_queued_requests=options.queued_requests,
    ).bind(options.models_dir, options.device)
    gateway = Gateway.options(
        num_replicas=options.gateways, ray_actor_options={"num_cpus": 0}, max_ongoing_requests=1000
    )
    return gateway.bind(options.models_dir, scorer)
