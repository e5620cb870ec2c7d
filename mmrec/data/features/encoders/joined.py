"""Texts by one encoder, images by another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from mmrec.data.features.encoders.base import Block, FeatureEncoder, Modality, Part, class_path
from mmrec.errors import InvalidArgument


class JoinedEncoder(FeatureEncoder):
    """Text vectors of one encoder and image vectors of another.

    Args:
        text: encodes the texts; its image vectors, if it makes any, are not used.
        image: encodes the images; its text vectors are not used.

    Raises:
        InvalidArgument: an encoder does not make the vectors of its modality.
    """

    def __init__(self, text: FeatureEncoder, image: FeatureEncoder) -> None:
        self.encoders: dict[Modality, FeatureEncoder] = {"text": text, "image": image}
        for modality, encoder in self.encoders.items():
            if modality not in encoder.modalities():
                words = f"an encoder of {modality} vectors, but {type(encoder).__name__} makes none"
                raise InvalidArgument(modality, f"{modality} must be {words}")
        self.name = f"{text.name}+{image.name}"

    def options(self) -> dict[str, object]:
        """Return class and options of both encoders."""
        return {name: [class_path(encoder), encoder.options()] for name, encoder in self.encoders.items()}

    def revision(self) -> str:
        """Return both revisions."""
        return " + ".join(f"{name}: {encoder.revision()}" for name, encoder in self.encoders.items())

    def modalities(self) -> tuple[Modality, ...]:
        """Return text and image."""
        return tuple(self.encoders)

    def encode(self, parts: Sequence[Part]) -> Iterator[Block]:
        """Yield one block per part; the network of the texts is freed before that of the images is loaded."""
        for modality, group in groupby(parts, key=lambda part: part.modality):
            yield from self.encoders[modality].encode(list(group))
