"""Image vectors by the networks of timm (https://github.com/huggingface/pytorch-image-models)."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrec.data.features.encoders.base import Modality
from mmrec.data.features.encoders.neural import (
    BatchSize,
    Network,
    NeuralEncoder,
    Precision,
    checkpoint_hash,
    one_line,
    optional_package,
)
from mmrec.errors import UserError
from mmrec.utils.suggest import did_you_mean

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PREPROCESSING = "upright rgb-on-white, validation transform"


class TimmEncoder(NeuralEncoder):
    """Pooled features below a network's classifier, not scaled; no text vectors. Unreadable images are missing.

    Args:
        model: one of `timm.list_models()`, with or without a tag ("vit_base_patch16_224.augreg_in21k"). The tag decides
            the weights and the preprocessing.
        checkpoint: local file with the weights (.pth, .bin, .safetensors) under timm's names, with or without a
            classifier; nothing is downloaded.
        batch_size: items per batch, at most 128; halved when a GPU's memory is exceeded. "auto" is 128 on a GPU and 32
            on a CPU.
        device: "auto" (a GPU if there is one), or a torch device such as "cuda:1".
        precision: "auto" is bf16 autocast on a GPU (fp16 where it has no bf16) and fp32 elsewhere.

    Raises:
        InvalidArgument: the batch size is out of range.
    """

    def __init__(
        self,
        model: str = "vit_base_patch16_224.augreg2_in21k_ft_in1k",
        checkpoint: str | None = None,
        batch_size: BatchSize = "auto",
        device: str = "auto",
        precision: Precision = "auto",
    ) -> None:
        super().__init__(batch_size, device, precision)
        self.model = model
        self.checkpoint = None if checkpoint is None else Path(checkpoint).expanduser()
        self.name = re.sub(r"[^\w.-]", "-", f"timm-{model}")

    def options(self) -> dict[str, object]:
        """Return model and precision; the checkpoint is in the revision."""
        return {"model": self.model, "precision": self.precision}

    def revision(self) -> str:
        """Return weights (model, the checkpoint's sha256), preprocessing and timm version."""
        optional_package("timm", type(self).__name__)
        weights = self.model
        if self.checkpoint is not None:
            weights += f"@{checkpoint_hash(self.checkpoint, type(self).__name__)}"
        return f"{weights}; {PREPROCESSING}; timm {version('timm')}"

    def modalities(self) -> tuple[Modality, ...]:
        """Return image."""
        return ("image",)

    def load(self, device: torch.device) -> Network:
        """Return the network without its classifier.

        Raises:
            UserError: timm is not installed, the model is unknown, or its weights cannot be fetched or do not fit.
        """
        import torch

        timm: Any = optional_package("timm", type(self).__name__)
        model = self._network(timm).eval().to(device)
        prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)

        def embed(modality: Modality, batch: list[Any]) -> Tensor:
            vectors: Tensor = model(torch.stack(batch).to(device))
            return vectors

        return Network(embed, prepare)

    def _network(self, timm: Any) -> Any:
        if not timm.is_model(self.model):
            close = did_you_mean(self.model, timm.list_models())
            raise UserError(f"TimmEncoder: unknown model {self.model!r}{close}; timm.list_models() lists them all")
        try:
            network = timm.create_model(self.model, pretrained=self.checkpoint is None, num_classes=0)
        except Exception as error:  # unknown tags, the hub and its HTTP library: each has its own errors
            raise UserError(
                f"TimmEncoder: cannot get {self.model} ({one_line(error)}); choose another tag, or download the "
                "weights elsewhere and give the encoder checkpoint FILE"
            ) from error
        if self.checkpoint is not None:
            try:
                self._fill(network, timm)
            except Exception as error:  # a wrong weights file raises errors of unpickling, keys or shapes
                raise UserError(
                    f"{self.checkpoint}: cannot be loaded as {self.model} ({one_line(error)}); give weights of this "
                    "model under timm's names"
                ) from error
        return network

    def _fill(self, network: Any, timm: Any) -> None:
        """Load the whole checkpoint except the classifier; timm itself would ignore missing names."""
        weights = timm.models.load_state_dict(str(self.checkpoint), weights_only=True)
        classifier = network.pretrained_cfg.get("classifier") or ()
        heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
        kept = {key: value for key, value in weights.items() if not key.startswith(tuple(f"{head}." for head in heads))}
        network.load_state_dict(kept, strict=True)
