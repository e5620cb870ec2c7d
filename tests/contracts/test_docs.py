"""What docs/adding-a-model.md shows does what it says."""

import re
from pathlib import Path

import torch

from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-model.md"


def test_the_model_of_the_page_trains_and_scores(toy: RecDataModule) -> None:
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    namespace: dict[str, object] = {}
    exec(compile(code[1], str(PAGE), "exec"), namespace)
    torch.manual_seed(0)
    model = namespace["BPRMF"](toy.n_users, toy.n_items, lr=0.01)
    optimizer, losses = model.configure_optimizers(), []
    for _ in range(3):
        for batch in toy.train_loader(model.trains_on):
            losses.append(model.losses(batch)["loss"])
            optimizer.zero_grad()
            losses[-1].backward()
            optimizer.step()
    assert losses[-1] < 0.9 * losses[0]
    batch = next(iter(toy.eval_dataloader(Split.VALID)))
    assert model.score(batch).shape == (len(batch.user), toy.n_items)
