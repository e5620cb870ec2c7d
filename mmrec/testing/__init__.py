"""Tests that every model must pass, to be inherited in three lines; they need pytest.

from mmrec.testing import TrainedModelContract

class TestBPRMF(TrainedModelContract):
model = BPRMF
"""

from importlib.util import find_spec

if find_spec("pytest") is None:
    raise ImportError("mmrec.testing needs pytest: pip install 'mmrec[testing]'")

from mmrec.testing.build import build_model
from mmrec.testing.data import toy_data
from mmrec.testing.model_contract import ModelContract, SequenceModelContract, TrainedModelContract

__all__ = ["ModelContract", "SequenceModelContract", "TrainedModelContract", "build_model", "toy_data"]
