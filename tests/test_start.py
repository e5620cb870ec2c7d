import json
import subprocess
import sys

SCRIPT = """
import json, sys
from mmrec.cli import main
try:
    main(["lightning", "fit", "--help"])
except SystemExit:
    pass
from torchmetrics import Metric
from torchmetrics.classification import BinaryAccuracy
print(json.dumps(sorted({"torchvision", "transformers", "scipy.signal", "matplotlib"} & set(sys.modules))))
"""


def test_help_imports_nothing_that_it_does_not_use() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert "--trainer.max_epochs" in done.stdout
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_a_library_user_keeps_torchmetrics_whole() -> None:
    script = "import mmrec.models.sasrec, torchmetrics, sys; print('transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
