import pytest

from mmrec.data.datamodule import RecDataModule
from mmrec.errors import InvalidArgument
from mmrec.models.shipped import shipped_model


def test_a_name_has_the_options_of_its_file_unless_others_are_given(toy: RecDataModule) -> None:
    model = shipped_model("gsasrec", toy, hidden_dim=16)
    assert (model.hparams["loss"], model.hparams["hidden_dim"]) == ("gbce", 16)


def test_an_unknown_name_lists_the_known_ones(toy: RecDataModule) -> None:
    with pytest.raises(InvalidArgument, match=r"one of .*mm_racl_kal_id"):
        shipped_model("sasrek", toy)
