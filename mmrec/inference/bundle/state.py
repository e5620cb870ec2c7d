"""What a model has learned, and what it has made of its data, as named tensors in safetensors files.

A model takes features, graphs and counts from its data in `attach`. In a bundle the results are stored, so that opening
it takes no neighbour search and no matrix inverse. Features are the exception: they are in the bundle's feature folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from mmrec.data.features.store import Features
from mmrec.errors import UserError
from mmrec.models.recommender import Recommender
from mmrec.nn.item_features import ItemFeatures
from mmrec.nn.kernels.sparse import csr
from mmrec.utils.files import write_whole

SPARSE = ("crow", "col", "value", "shape")
"""Suffixes of the tensors that make up a sparse one."""
ONLY_TRAINING = "mmrec.data.loaders."
"""Package of the samplers of negatives, whose buffers hold training pairs that answers do not need."""


def attached_tensors(model: Recommender) -> dict[str, Tensor]:
    """Return the buffers that `attach` has filled, without features and training pairs, by name."""
    tensors: dict[str, Tensor] = {}
    for name, buffer in _attached(model):
        if buffer.layout == torch.sparse_csr:
            parts = (buffer.crow_indices(), buffer.col_indices(), buffer.values(), torch.tensor(buffer.shape))
            tensors |= {f"{name}:{suffix}": part for suffix, part in zip(SPARSE, parts, strict=True)}
        else:
            tensors[name] = buffer
    return tensors


def restore(model: Recommender, features: Features | None, tensors: dict[str, Tensor]) -> None:
    """Give a new model its features, and the buffers of a model that was attached."""
    for module in model.modules():
        if isinstance(module, ItemFeatures):
            module.attach(features)
    for name, _ in list(_attached(model)):
        owner, _, leaf = name.rpartition(".")
        if f"{name}:crow" in tensors:
            crow, col, value, shape = (tensors[f"{name}:{suffix}"] for suffix in SPARSE)
            buffer = csr(crow.diff(), col, value, int(shape[1]))
        else:
            buffer = tensors[name]
        setattr(model.get_submodule(owner), leaf, buffer)


def write_tensors(file: Path, tensors: dict[str, Tensor]) -> None:
    """Write a safetensors file."""
    from safetensors.torch import save_file

    whole = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}

    def save(path: Path) -> None:
        save_file(whole, path)
        path.chmod(0o644)  # the library makes files that their owner alone can read

    write_whole(file, save)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        UserError: the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found: dict[str, Tensor] = load_file(file)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file}: cannot be read ({error}); export the run again") from None
    return found


def _attached(model: Recommender) -> Iterator[tuple[str, Tensor]]:
    kept = model.state_dict().keys()
    for name, buffer in model.named_buffers():
        owner: nn.Module = model.get_submodule(name.rpartition(".")[0])
        for_training = type(owner).__module__.startswith(ONLY_TRAINING)
        if name not in kept and not isinstance(owner, ItemFeatures) and not for_training:
            yield name, buffer
