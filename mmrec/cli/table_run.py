"""The process of one run: `python -m mmrec.cli.table_run ORDER` takes it on from where it was left.

It refuses if code, data or configs are no longer those of the run's key: what is marked as done must be what the key
says. It holds the run's lock. Should the runner be killed and started again while this process lives on, the new one
waits for it and finds the run finished.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter

from mmrec.cli.main import lightning
from mmrec.cli.run_identity import identify
from mmrec.reproduce.run import Run
from mmrec.utils.lock import locked


def main() -> None:
    """Finish the run and mark it, unless another process has meanwhile.

    Raises:
        SystemExit: the run's key is not that of what would be run now.
    """
    run = Run.of_order(sys.argv[1])
    with locked(run.folder):
        if run.state == "done":
            return
        start = perf_counter()
        if identify(run.args).key != run.key:
            sys.exit("mmrec: code, data or configs have changed since this table was started: start it again")
        lightning(run.next_args())
        # A fit that went on from a checkpoint knows the seconds before it, too.
        training = json.loads((run.folder / "result.json").read_text(encoding="utf-8"))["training"]
        run.mark(max(perf_counter() - start, training["seconds"]))


if __name__ == "__main__":
    main()
