import pytest

from mmrec.data.catalog import Catalog
from mmrec.data.datamodule import RecDataModule
from mmrec.data.schema import Split
from mmrec.errors import UserError
from tests.contracts.conftest import build


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_scores_that_are_not_finite_are_an_error(bad: float, toy: RecDataModule) -> None:
    model = build("popularity", toy)
    model.counts[3] = bad
    with pytest.raises(UserError, match="training has diverged"):
        model.ranks(next(iter(toy.test_dataloader())))


def test_nothing_to_train_on_is_said(toy: RecDataModule) -> None:
    data = RecDataModule(toy.source, prepare=toy.options, root=str(toy.root))
    catalog = Catalog(toy.catalog.folder)
    catalog.split.fill_(int(Split.VALID))
    data.__dict__["catalog"] = catalog
    with pytest.raises(UserError, match="no user has two training interactions"):
        data.train_dataloader()
