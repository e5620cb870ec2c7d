import pytest
import yaml

from mmrec.data.datamodule import RecDataModule
from mmrec.errors import UserError
from mmrec.models.shipped import shipped_model
from mmrec.training.run_folder import model_from
from mmrec.utils.shipped import configs_folder

SECTIONS = {file.stem: yaml.safe_load(file.read_text()) for file in (configs_folder() / "model").glob("*.yaml")}


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_a_saved_section_of_every_shipped_model_can_be_opened(name: str, toy: RecDataModule) -> None:
    section = SECTIONS[name] | {"class_path": f"mmrec.{SECTIONS[name]['class_path']}"}
    assert model_from(section, toy).hparams == shipped_model(name, toy).hparams


@pytest.mark.parametrize("section", [{}, {"class_path": "mmrec.NoSuchModel"}])
def test_a_section_without_a_known_class_is_refused(section: dict[str, str], toy: RecDataModule) -> None:
    with pytest.raises(UserError, match="cannot be imported"):
        model_from(section, toy)
