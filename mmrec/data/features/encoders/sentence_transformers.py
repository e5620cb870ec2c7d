"""Text vectors by Sentence Transformers (https://sbert.net)."""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrec.data.features.encoders.base import Modality
from mmrec.data.features.encoders.neural import BatchSize, Network, NeuralEncoder, Precision, one_line, optional_package
from mmrec.errors import InvalidArgument, UserError
from mmrec.utils.files import hash_file

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class SentenceTransformerEncoder(NeuralEncoder):
    """Sentence vectors of length 1. Texts are cut at the model's own limit. Image vectors are not made.

    Args:
        model: name on the Hugging Face hub, or a local folder in the format of Sentence Transformers. No code that
            comes with a model is run.
        batch_size: items per batch, at most 128; halved when a GPU's memory is exceeded. "auto" is 128 on a GPU and 32
            on a CPU.
        device: "auto" (a GPU if there is one), or a torch device such as "cuda:1".
        precision: "auto" is bf16 autocast on a GPU (fp16 where it has no bf16) and fp32 elsewhere.

    Raises:
        InvalidArgument: the batch size is out of range, or `model` is neither a folder nor a valid name.
    """

    def __init__(
        self,
        model: str = "sentence-transformers/all-MiniLM-L6-v2",
        batch_size: BatchSize = "auto",
        device: str = "auto",
        precision: Precision = "auto",
    ) -> None:
        super().__init__(batch_size, device, precision)
        path = Path(model).expanduser()
        self.folder = path if path.is_dir() else None
        if self.folder is None and not re.fullmatch(r"\w[\w.-]*(/[\w.-]+)?", model):
            raise InvalidArgument("model", f"model must be a folder or a name on the Hugging Face hub, but is {model}")
        self.model = model
        self.name = "sentence-" + re.sub(r"[^\w.-]", "-", path.resolve().name if self.folder else model.split("/")[-1])

    def options(self) -> dict[str, object]:
        """Return name and precision; the content of a local folder is in the revision."""
        return {"model": None if self.folder else self.model, "precision": self.precision}

    def revision(self) -> str:
        """Return the name or the sha256 of the folder's files, and the package's version."""
        optional_package("sentence_transformers", type(self).__name__)
        weights = self.model if self.folder is None else f"own@{_hash_folder(self.folder)}"
        return f"{weights}; sentence-transformers {version('sentence-transformers')}"

    def modalities(self) -> tuple[Modality, ...]:
        """Return text."""
        return ("text",)

    def load(self, device: torch.device) -> Network:
        """Return the model.

        Raises:
            UserError: the package is not installed, or the model cannot be fetched or loaded.
        """
        package = optional_package("sentence_transformers", type(self).__name__)
        try:
            model = package.SentenceTransformer(str(self.folder or self.model), device=str(device))
        except Exception as error:  # the hub, its HTTP library, JSON and weights files: each has its own errors
            where = (
                f"{self.folder}: cannot be loaded"
                if self.folder
                else f"SentenceTransformerEncoder: cannot get {self.model} from the Hugging Face hub"
            )
            raise UserError(f"{where} ({one_line(error)}); give the encoder the folder of a model") from error

        def embed(modality: Modality, batch: list[Any]) -> Tensor:
            vectors: Tensor = model.encode(
                batch,
                batch_size=len(batch),
                convert_to_tensor=True,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
            return vectors

        return Network(embed)


def _hash_folder(folder: Path) -> str:
    """Return the sha256 of names and contents of all files that are neither hidden nor Markdown."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and path.suffix != ".md" and not any(part.startswith(".") for part in name.parts):
            digest.update(f"{name.as_posix()}\0{hash_file(path)}\n".encode())
    return digest.hexdigest()
