import pytest
import torch

from mmrec.metrics.means import SampleMeans


def test_means_are_over_samples_and_not_over_steps() -> None:
    means = SampleMeans()
    assert means.compute() == {}
    means.add({"loss": torch.tensor(1.0, requires_grad=True), "gate": torch.tensor(0.0)}, 3)
    means.add({"loss": torch.tensor(5.0), "gate": torch.tensor(1.0)}, 1)
    assert {name: value.item() for name, value in means.compute().items()} == {"loss": 2.0, "gate": 0.25}
    with pytest.raises(ValueError, match="gate"):
        means.add({"loss": torch.tensor(5.0)}, 1)
