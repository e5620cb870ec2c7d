"""A bundle opened: its checksums verified, the model built from plain values and tensors. Nothing is unpickled."""

from __future__ import annotations

from pathlib import Path

from mmrec.errors import UserError
from mmrec.inference.bundle.data import DATA, BundleCatalog, BundleData
from mmrec.inference.bundle.index import VectorIndex, read_index
from mmrec.inference.bundle.manifest import ADVICE, BundleManifest, read_bundle_manifest, verify_files
from mmrec.inference.bundle.state import read_tensors, restore
from mmrec.models.recommender import Recommender
from mmrec.training.instantiate import find_class

INDEX, WEIGHTS, ATTACHED = "index.faiss", "weights.safetensors", "attached.safetensors"


def load_bundle(folder: Path) -> tuple[Recommender, BundleData, VectorIndex | None]:
    """Open a bundle.

    Args:
        folder: the bundle.

    Returns:
        the model in evaluation mode, its data, and its index if that is an approximate one: an exact one has nothing
        to add to the item vectors.

    Raises:
        UserError: a file is missing or damaged, or the bundle is of another version of mmrec.
    """
    manifest = read_bundle_manifest(folder)
    verify_files(folder, manifest.files)
    data = BundleData(
        BundleCatalog(folder / DATA, manifest.newest),
        None if manifest.features is None else folder / manifest.features,
        manifest.encoder,
        max_length=manifest.max_length,
        mask_history=manifest.mask_history,
    )
    model = _build_model(folder, manifest)
    if type(model).__module__.startswith("mmrec."):
        restore(model, data.features, read_tensors(folder / ATTACHED))
    else:  # a model of the user's own may keep more than buffers of its data
        model.attach(data.catalog, data.features)
    model.data_hash, model.mask_history = manifest.data_hash, manifest.mask_history
    index = None
    if manifest.index is not None and manifest.index["kind"] != "exact":
        index = read_index(folder / INDEX, manifest.index["kind"], manifest.index["k"])
    return model.eval(), data, index


def _build_model(folder: Path, manifest: BundleManifest) -> Recommender:
    path = manifest.model["class_path"]
    cls = find_class(path)
    if not (isinstance(cls, type) and issubclass(cls, Recommender)):
        raise UserError(f"{folder}: {path} is not a model of mmrec; {ADVICE}")
    try:
        model = cls(**manifest.model["init_args"])
        model.load_state_dict(read_tensors(folder / WEIGHTS))
    except (TypeError, RuntimeError) as error:  # an argument or a parameter that this version does not have
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"{folder}: written by mmrec {manifest.mmrec_version}, does not fit ({reason}); {ADVICE}"
        ) from None
    return model
