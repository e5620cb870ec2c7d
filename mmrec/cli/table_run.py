"""The process of one run of a table: `python -m mmrec.cli.table_run ORDER` continues it and finishes it.

It refuses if code, data or configs no longer match the run's key, so that a finished run is what its key says. It holds
the run's lock: if the runner is killed and started again while this process is alive, the new process waits for it and
finds the run finished.
"""

from __future__ import annotations

import sys
from time import perf_counter

from mmrec.cli.main import lightning
from mmrec.cli.run_identity import identify
from mmrec.reproduce.run import Run
from mmrec.results.load import read_result
from mmrec.utils.lock import locked


def main() -> None:
    """Finish the run and mark it, unless another process already has.

    Raises:
        SystemExit: the run's key does not match the code, data and configs of now.
    """
    run = Run.of_order(sys.argv[1])
    with locked(run.folder):
        if run.state == "done":
            return
        start = perf_counter()
        if identify(run.args).key != run.key:
            sys.exit("mmrec: code, data or configs have changed since this table was started: start it again")
        lightning(run.next_args())
        # A resumed fit counts the seconds before the interruption, too.
        training = read_result(run.folder / "result.json")["training"]
        run.mark(max(perf_counter() - start, training["seconds"]))


if __name__ == "__main__":
    main()
