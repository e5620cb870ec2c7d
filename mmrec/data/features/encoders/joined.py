"""Texts by one encoder, pictures by another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from mmrec.data.features.encoders.base import Block, FeatureEncoder, Modality, Part, class_path
from mmrec.errors import UserError


class JoinedEncoder(FeatureEncoder):
    """Takes the text vectors of one encoder and the image vectors of another.

    Args:
        text: encodes the texts; whatever else it can do is not used.
        image: encodes the pictures, likewise.

    Raises:
        UserError: an encoder does not make the vectors that it is named for.
    """

    def __init__(self, text: FeatureEncoder, image: FeatureEncoder) -> None:
        self.encoders: dict[Modality, FeatureEncoder] = {"text": text, "image": image}
        for modality, encoder in self.encoders.items():
            if modality not in encoder.modalities():
                raise UserError(
                    f"JoinedEncoder: {type(encoder).__name__} makes no {modality} vectors; name another encoder in "
                    f"data.encoder.init_args.{modality}"
                )
        self.name = f"{text.name}+{image.name}"

    def options(self) -> dict[str, object]:
        """Return class and options of both."""
        return {name: [class_path(encoder), encoder.options()] for name, encoder in self.encoders.items()}

    def revision(self) -> str:
        """Return both revisions."""
        return " + ".join(f"{name}: {encoder.revision()}" for name, encoder in self.encoders.items())

    def modalities(self) -> tuple[Modality, ...]:
        """Return both."""
        return tuple(self.encoders)

    def encode(self, parts: Sequence[Part]) -> Iterator[Block]:
        """Yield one block for each part; the network of the texts is dropped before that of the pictures is loaded."""
        for modality, group in groupby(parts, key=lambda part: part.modality):
            yield from self.encoders[modality].encode(list(group))
