import gc
import json
import subprocess
import sys

import torch  # noqa: F401

from mmrec.cli.start import imports

SCRIPT = """
import gc, json, sys
from mmrec.cli.main import main
try:
    main(["lightning", "fit", "--help"])
except SystemExit:
    pass
assert gc.isenabled() and gc.get_freeze_count() > 100_000
from torchmetrics import Metric
from torchmetrics.classification import BinaryAccuracy
print(json.dumps(sorted({"torchvision", "transformers", "scipy.signal", "matplotlib"} & set(sys.modules))))
"""


def test_help_imports_nothing_that_it_does_not_use() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert "--trainer.max_epochs" in done.stdout
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_what_was_there_before_stays_with_the_collector() -> None:
    with imports():  # PyTorch is loaded
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_a_library_user_keeps_torchmetrics_whole() -> None:
    script = "import mmrec.models.sasrec, torchmetrics, sys; print('transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_lightning_starts_without_the_compiler_and_still_knows_compiled_models() -> None:
    code = """
import sys
from mmrec.cli.start import import_lightning
import_lightning()
from mmrec.cli import lightning as lightning_cli
assert "torch._dynamo" not in sys.modules, "loaded"
import torch
import pytorch_lightning as pl
from pytorch_lightning.utilities.compile import from_compiled

class Line(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
    def training_step(self, batch, _):
        loss = self.layer(batch[0]).square().mean()
        self.log("loss", loss, on_epoch=True)
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

model = Line()
compiled = torch.compile(model, backend="eager")
assert isinstance(compiled, torch._dynamo.OptimizedModule)
assert from_compiled(compiled) is model
batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(6, 1)), batch_size=2)
trainer = pl.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
                     enable_progress_bar=False, enable_model_summary=False)
trainer.fit(compiled, batches)
assert trainer.callback_metrics["loss_epoch"] > 0
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
