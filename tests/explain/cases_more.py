"""Five more recommendations, of catalogues that the verifier was not made on; they have no slots for false texts."""

from pathlib import Path

import yaml

from tests.explain.cases import Case

_CASES = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
MORE_CASES = {
    name: Case(name, [tuple(item) for item in case["items"]], case["history"], case["neighbours"], {})
    for name, case in _CASES.items()
}
