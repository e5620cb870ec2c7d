"""Replicas of the server on a Ray cluster: `serve run mmrec.inference.serve.ray:build model=/shared/bundle replicas=4`.

Ray Serve shares requests out among the replicas, restarts those that end, and its proxy is what clients talk to. Each
replica is the application of `mmrec serve`: same routes, same limits, same exchange of a bundle that is replaced.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mmrec.errors import UserError
from mmrec.inference.serve.options import ServeOptions


def build(arguments: dict[str, str]) -> Any:
    """Return the application that `serve run` starts.

    Args:
        arguments: `model`, a bundle where every node can read it; `replicas`, their number, 2 by default; `host`, the
            address of Ray's proxy, which is 127.0.0.1 unless Ray was started with another; `threads` and `runtime` of
            each replica. The environment variable MMREC_TOKEN holds the bearer token, if there is one.

    Raises:
        UserError: Ray Serve is not installed, an argument is unknown, or the bundle does not exist.
    """
    try:
        from ray import serve
    except ImportError:
        raise UserError("Ray Serve is not installed: pip install 'mmrec[serve]' 'ray[serve]'") from None
    given = {"replicas": "2", "host": "127.0.0.1", "threads": "1", "runtime": "torch", **arguments}
    unknown = sorted(given.keys() - {"model", "replicas", "host", "threads", "runtime"})
    if unknown or "model" not in given:
        raise UserError(
            f"{unknown[0] if unknown else 'model'}: the arguments are model=, replicas=, host=, threads= and runtime="
        )
    model = Path(given["model"]).absolute()
    if not model.exists():
        raise UserError(f"model={model}: no such folder; name a bundle of `mmrec export`, or a run")
    options = ServeOptions(
        model=str(model), host=given["host"], threads=int(given["threads"]), token=os.environ.get("MMREC_TOKEN"),
        runtime=given["runtime"],  # type: ignore[arg-type]  # what the user wrote, checked by the options
    )  # fmt: skip

    def application() -> Any:
        from mmrec.inference.serve.app import build_app

        return build_app(options)

    deployment: Any = serve.deployment(serve.ingress(application)())
    resources = {"num_cpus": options.threads}
    return deployment.options(name="mmrec", num_replicas=int(given["replicas"]), ray_actor_options=resources).bind()
