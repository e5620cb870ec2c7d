"""What an input ablation removes, and what it must keep."""

import numpy as np
import pytest
import torch

from mmrec.batch import PAD
from mmrec.data.datamodule import RecDataModule
from mmrec.data.features.store import Features
from mmrec.data.loaders.ablation import ShuffledEvalLoader, ShuffledTrainLoader, ablate_features
from mmrec.data.loaders.evaluation import EvalLoader
from mmrec.data.loaders.indexing import EpochSeed
from mmrec.data.loaders.windows import TrainLoader
from mmrec.data.schema import Split
from mmrec.errors import UserError


def test_shuffled_features_are_those_of_another_item_with_the_same_modalities(toy: RecDataModule) -> None:
    real = toy.features
    assert isinstance(real, Features)
    made = ablate_features(real, "features_shuffled")
    assert ablate_features(real, None) is ablate_features(real, "order_shuffled") is real
    both = np.concatenate([real.text, real.image], axis=1)
    shuffled = np.concatenate([made.text, made.image], axis=1)
    assert sorted(map(bytes, shuffled)) == sorted(map(bytes, both))  # text and image stay together
    assert (shuffled[1:] != both[1:]).any(axis=1).mean() > 0.9
    for rows, present in ((made.text, made.text_present), (made.image, made.image_present)):
        assert not rows[~present].any()
        assert rows[present].any(axis=1).all()


def test_feature_ablation_without_an_encoder_is_refused(toy: RecDataModule) -> None:
    data = RecDataModule(toy.source, prepare=toy.options, root=str(toy.root), input_ablation="features_noise")
    with pytest.raises(UserError, match=r"input_ablation is features_noise, but the model reads no features"):
        _ = data.features


def test_noise_keeps_only_mean_and_deviation(toy: RecDataModule) -> None:
    real = toy.features
    assert isinstance(real, Features)
    made = ablate_features(real, "features_noise")
    there = real.image_present
    assert not made.image[~there].any()
    wanted, found = real.image[there].astype(np.float32), made.image[there].astype(np.float32)
    np.testing.assert_allclose(found.mean(axis=0), wanted.mean(axis=0), atol=5 * wanted.std() / len(wanted) ** 0.5)
    centred = [(rows - rows.mean(axis=0)).ravel() for rows in (found, wanted)]
    assert abs(np.corrcoef(*centred)[0, 1]) < 0.05
    again = ablate_features(real, "features_noise")
    assert np.array_equal(again.image, made.image)


def test_shuffled_training_windows_hold_the_same_events(toy: RecDataModule) -> None:
    options = {"max_length": 5, "batch_size": 7, "epoch_seed": EpochSeed(1, lambda: 0), "windows": "all"}
    moved = 0
    plain, shuffled = (cls(toy.catalog.train, **options) for cls in (TrainLoader, ShuffledTrainLoader))
    for one, other in zip(plain, shuffled, strict=True):
        assert torch.equal(one.items == PAD, other.items == PAD)
        for row, length in enumerate(one.lengths.tolist()):
            sequences, times = [], []
            for batch in (one, other):
                window, targets = batch.items[row, :length].tolist(), batch.targets[row, :length].tolist()
                assert window[1:] == targets[:-1]  # a target is the next input
                assert (
                    batch.clock.item_time[row, 1:length].tolist() == batch.clock.query_time[row, : length - 1].tolist()
                )
                sequences.append([*window, targets[-1]])
                last = batch.clock.query_time[row, length - 1].item()
                times.append(
                    dict(zip(sequences[-1], [*batch.clock.item_time[row, :length].tolist(), last], strict=True))
                )
            assert sorted(sequences[0]) == sorted(sequences[1])
            assert times[0] == times[1]
            moved += sequences[0] != sequences[1]
    assert moved > 0.9 * len(plain.user)


def test_shuffled_histories_do_not_depend_on_the_batch_size(toy: RecDataModule) -> None:
    rows = toy.catalog.instances(Split.TEST)
    found = []
    for size in (50, 7):
        loader = ShuffledEvalLoader(toy.catalog, rows, max_length=40, batch_size=size)  # so batches differ in width
        windows = {
            i: row.tolist() for batch in loader for i, row in zip(batch.instance.tolist(), batch.items, strict=True)
        }
        found.append({i: [item for item in row if item != PAD] for i, row in windows.items()})
    assert found[0] == found[1]
    plain = next(iter(EvalLoader(toy.catalog, rows, max_length=40, batch_size=len(rows))))
    for instance, items in zip(plain.instance.tolist(), plain.items.tolist(), strict=True):
        assert sorted(found[0][instance]) == sorted(item for item in items if item != PAD)
