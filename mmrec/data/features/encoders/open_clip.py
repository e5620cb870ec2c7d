"""Text and image vectors of one space by OpenCLIP (https://github.com/mlfoundations/open_clip)."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from mmrec.data.features.encoders.base import MODALITIES, Modality
from mmrec.data.features.encoders.neural import BatchSize, Network, NeuralEncoder, Precision, checkpoint_hash, one_line
from mmrec.errors import InvalidArgument, UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PREPROCESSING = "upright rgb-on-white, validation transform"
WAY_OUT = (
    "download the weights elsewhere and give the encoder checkpoint FILE, "
    "or choose a precomputed or handcrafted encoder"
)


class OpenClipEncoder(NeuralEncoder):
    """CLIP vectors of length 1. Texts are cut at the architecture's context length; unreadable images are missing.

    Args:
        architecture: one of `open_clip.list_models()`.
        pretrained: tag of the weights, which also decides the preprocessing and activation. Null for weights of your
            own, which need `checkpoint` and get the architecture's defaults.
        checkpoint: local file with the weights (.pt, .bin, .safetensors); nothing is downloaded.
        batch_size: items per batch, at most 128; halved when a GPU's memory is exceeded. "auto" is 128 on a GPU and 32
            on a CPU.
        device: "auto" (a GPU if there is one), or a torch device such as "cuda:1".
        precision: "auto" is bf16 autocast on a GPU (fp16 where it has no bf16) and fp32 elsewhere.

    Raises:
        InvalidArgument: no weights are named, or the batch size is out of range.
    """

    def __init__(
        self,
        architecture: str = "ViT-B-32",
        pretrained: str | None = "laion2b_s34b_b79k",
        checkpoint: str | None = None,
        batch_size: BatchSize = "auto",
        device: str = "auto",
        precision: Precision = "auto",
    ) -> None:
        super().__init__(batch_size, device, precision)
        if pretrained is None and checkpoint is None:
            raise InvalidArgument("checkpoint", "checkpoint must be a weights file where pretrained is null")
        self.architecture = architecture
        self.pretrained = pretrained
        self.checkpoint = None if checkpoint is None else Path(checkpoint).expanduser()
        self.name = re.sub(r"[^\w.-]", "-", f"openclip-{architecture}-{pretrained or 'own'}")

    def options(self) -> dict[str, object]:
        """Return architecture, tag and precision; the checkpoint is in the revision."""
        return {"architecture": self.architecture, "pretrained": self.pretrained, "precision": self.precision}

    def revision(self) -> str:
        """Return weights (architecture, tag, the checkpoint's sha256), preprocessing and open_clip version."""
        weights = f"{self.architecture}/{self.pretrained or 'own'}"
        if self.checkpoint is not None:
            weights += f"@{checkpoint_hash(self.checkpoint, type(self).__name__)}"
        return f"{weights}; {PREPROCESSING}; open_clip {version('open_clip_torch')}"

    def modalities(self) -> tuple[Modality, ...]:
        """Return text and image."""
        return MODALITIES

    def load(self, device: torch.device) -> Network:
        """Return the text and image networks.

        Raises:
            UserError: unknown architecture or tag, weights that cannot be fetched or do not fit the architecture.
        """
        import torch

        model, preprocess, tokenize = self._load(device)

        def embed(modality: Modality, batch: list[Any]) -> Tensor:
            if modality == "text":
                vectors: Tensor = model.encode_text(tokenize(batch).to(device), normalize=True)
            else:
                vectors = model.encode_image(torch.stack(batch).to(device), normalize=True)
            return vectors

        return Network(embed, preprocess)

    def _config(self) -> dict[str, Any]:
        import open_clip

        config: dict[str, Any] | None = open_clip.get_model_config(self.architecture)
        if config is None:
            raise UserError(
                f"OpenClipEncoder: unknown architecture {self.architecture!r}; choose one of: "
                + ", ".join(open_clip.list_models())
            )
        return config

    def _load(self, device: torch.device) -> tuple[Any, Callable[[Image.Image], Tensor], Callable[[list[str]], Tensor]]:
        """Return model, image transform and tokenizer.

        Weights always come from a file, downloaded by tag or given, with the tag's settings: open_clip itself uses the
        default activation and normalisation for a file, which is silently wrong for OpenAI's weights, for example.
        """
        import open_clip

        self._config()
        settings = self._tag_settings()
        weights = self.checkpoint or self._download(settings)
        try:
            model, preprocess = open_clip.create_model_from_pretrained(
                self.architecture,
                pretrained=str(weights),
                device=device,
                force_quick_gelu=settings.get("quick_gelu", False),
                image_mean=settings.get("mean"),
                image_std=settings.get("std"),
                image_interpolation=settings.get("interpolation"),
                image_resize_mode=settings.get("resize_mode"),
            )
        except Exception as error:  # a wrong weights file raises errors of unpickling, keys or shapes
            raise UserError(
                f"{weights}: cannot be loaded as {self.architecture} ({one_line(error)}); give weights of this "
                "architecture"
            ) from error
        try:
            tokenizer = open_clip.get_tokenizer(self.architecture)
        except Exception as error:  # some architectures keep their vocabulary on the Hugging Face hub
            raise UserError(f"OpenClipEncoder: cannot get the tokenizer of {self.architecture}: {WAY_OUT}") from error
        return model.eval(), preprocess, tokenizer

    def _tag_settings(self) -> dict[str, Any]:
        """Return the tag's address, normalisation and activation; empty for your own weights."""
        import open_clip

        if self.pretrained is None:
            return {}
        settings: dict[str, Any] = open_clip.get_pretrained_cfg(self.architecture, self.pretrained)
        if not settings:
            tags = ", ".join(open_clip.list_pretrained_tags_by_model(self.architecture)) or "null, with a checkpoint"
            raise UserError(f"OpenClipEncoder: {self.architecture} has no weights {self.pretrained!r}; choose: {tags}")
        return settings

    def _download(self, settings: dict[str, Any]) -> Path:
        import open_clip

        try:
            return Path(open_clip.download_pretrained(settings))
        except Exception as error:  # the hub, its HTTP library and urllib each have their own errors for no network
            hub = settings.get("hf_hub")
            address = f"https://huggingface.co/{hub.rstrip('/')}" if hub else settings.get("url")
            raise UserError(
                f"OpenClipEncoder: cannot fetch {self.architecture}/{self.pretrained} from {address}: {WAY_OUT}"
            ) from error
