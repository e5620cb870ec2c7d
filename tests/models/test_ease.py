import dataclasses

import numpy as np
import pytest
import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.errors import InvalidArgument
from mmrec.models.ease import EASE
from tests.contracts.conftest import build


def closed_form(data: RecDataModule, penalty: float) -> np.ndarray:
    """Return the weights by the listing of the paper, padding included."""
    x = np.zeros((data.n_users, data.n_items))
    x[data.catalog.train.users.numpy(), data.catalog.train.items.numpy()] = 1
    p = np.linalg.inv(x.T @ x + penalty * np.eye(data.n_items))
    b = p / -np.diag(p)
    np.fill_diagonal(b, 0)
    return b


def test_scores_are_the_closed_form_of_whole_histories(toy: RecDataModule) -> None:
    model, b = build("ease", toy, l2=20.0), closed_form(toy, 20.0)
    batch = next(iter(toy.eval_dataloader(Split.TEST)))
    assert len(batch.earlier)  # histories are longer than the windows
    x = np.zeros((len(batch.user), toy.n_items))
    for row, (user, instance) in enumerate(zip(batch.user.tolist(), batch.instance.tolist(), strict=True)):
        x[row, toy.catalog.items[toy.catalog.offsets[user] : instance].numpy()] = 1
    torch.testing.assert_close(model.score(batch), torch.tensor(x @ b, dtype=torch.float32), rtol=1e-4, atol=1e-5)


def test_a_repeated_item_counts_once(toy: RecDataModule) -> None:
    model, batch = build("ease", toy), next(iter(toy.eval_dataloader(Split.TEST)))
    repeated = dataclasses.replace(batch, items=torch.cat([batch.items, batch.items], dim=1))
    torch.testing.assert_close(model.score(repeated), model.score(batch))


def test_an_item_has_no_weight_for_itself_and_padding_none_for_any(toy: RecDataModule) -> None:
    weights = build("ease", toy).weights
    assert not weights.diagonal().any()
    assert not weights[0].any()
    assert not weights[:, 0].any()


def test_too_many_items_for_the_memory_are_refused() -> None:
    with pytest.raises(
        InvalidArgument, match=r"max_memory_gb is 8, .* of 59,999 items, which takes 90.0 GB: .*ItemKNN"
    ):
        EASE(60_000)
    with pytest.raises(InvalidArgument, match="l2 must be above 0"):
        EASE(10, l2=0.0)
