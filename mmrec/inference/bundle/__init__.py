"""Trained models as folders that need neither raw data nor this package's training code to answer."""

from mmrec.inference.bundle.index import VectorIndex
from mmrec.inference.bundle.manifest import is_bundle
from mmrec.inference.bundle.read import load_bundle

__all__ = ["VectorIndex", "is_bundle", "load_bundle"]
