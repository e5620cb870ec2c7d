from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.errors import InvalidArgument
from mmrec.nn.item_features import ItemFeatures
from tests.contracts.conftest import build

FEATURES = SimpleNamespace(
    transforms=None,
    text=np.array([[0, 0], [3, 1], [1, 3], [0, 0]], dtype=np.float16),
    text_present=np.array([False, True, True, False]),
    image=np.array([[0.0], [np.nan], [2], [4]], dtype=np.float16),
    image_present=np.array([False, False, True, True]),
)


def test_rows_are_centred_and_of_length_one_and_missing_ones_zero() -> None:
    features = ItemFeatures(4, text_dim=2, image_dim=1, text=True, image=True)
    features.attach(FEATURES)
    half = 0.5**0.5
    expected = torch.tensor([[0, 0, 0], [half, -half, 0], [-half, half, -1], [0, 0, 1]])
    torch.testing.assert_close(features(torch.arange(4)), expected)
    assert features.width == 3
    assert not features.state_dict()


def test_a_modality_that_the_data_lacks_is_refused() -> None:
    with pytest.raises(
        InvalidArgument, match=r"^image is true, but the data has no image features .* or image: false if"
    ):
        ItemFeatures(4, text_dim=2, image_dim=0, text=True, image=True)


def test_a_modality_that_is_not_in_use_needs_no_features() -> None:
    features = ItemFeatures(4, text_dim=0, image_dim=0, text=False, image=False)
    features.attach(None)
    assert features.width == 0
    assert not features.present("text").any()


@pytest.mark.parametrize("model", ["vbpr", "mmgcn"])
def test_a_model_of_item_features_needs_one(model: str, toy: RecDataModule) -> None:
    with pytest.raises(InvalidArgument, match=r"^text and image are both false, but .* needs item features"):
        build(model, toy, text=False, image=False)
