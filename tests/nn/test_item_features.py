from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmrec.errors import UserError
from mmrec.nn.item_features import ItemFeatures

FEATURES = SimpleNamespace(
    text=np.array([[0, 0], [3, 1], [1, 3], [0, 0]], dtype=np.float16),
    text_present=np.array([False, True, True, False]),
    image=np.array([[0.0], [np.nan], [2], [4]], dtype=np.float16),
    image_present=np.array([False, False, True, True]),
)


def test_rows_are_centred_and_of_length_one_and_missing_ones_zero() -> None:
    features = ItemFeatures(4, 2, 1, text=True, image=True)
    features.attach(FEATURES)
    half = 0.5**0.5
    expected = torch.tensor([[0, 0, 0], [half, -half, 0], [-half, half, -1], [0, 0, 1]])
    torch.testing.assert_close(features(torch.arange(4)), expected)
    assert features.width == 3
    assert not features.state_dict()


def test_what_cannot_be_had_is_said() -> None:
    with pytest.raises(UserError, match="text or image"):
        ItemFeatures(4, 2, 1, text=False, image=False)
    with pytest.raises(UserError, match=r"wants image features but the data has none .*image: false$"):
        ItemFeatures(4, 2, 0, text=True, image=True)
    with pytest.raises(UserError, match=r"image: false and text: true if the items have one$"):
        ItemFeatures(4, 2, 0, text=False, image=True)
    absent = SimpleNamespace(text=FEATURES.text, text_present=FEATURES.text_present & False)
    with pytest.raises(UserError, match="no item of the data has a text"):
        ItemFeatures(4, 2, 0, text=True, image=False).attach(absent)
