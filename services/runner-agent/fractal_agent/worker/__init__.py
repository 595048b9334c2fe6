"""Runs the units of one batch inside its allocation.

Standard library only, Python 3.8 or newer: it runs with whatever interpreter the cluster has, started as
`python -I -S …/worker/__main__.py BATCH_DIRECTORY`.

The loss path that this package closes: the worker may be killed at any line while its tasks go on, and is then started
again on the same directory. Tasks are therefore run by keepers, forked copies of the worker in sessions of their own
that survive it, each running one task at a time:

    worker  takes a unit's lock, hands it to an idle keeper through a socket, goes on
    keeper  writes into the unit's file that it began, runs the task, waits, writes how it ended, tells the worker

The lock is that of an open file, so it is held without a gap: by the worker, by the message on its way, by the keeper.
A worker that starts again finds for every unit without a result one of: lock held (wait until it is not), its end
written (record it), its beginning alone (its keeper was killed with it: lost, never silently run again), or nothing
(run it). `results.jsonl` is appended before the unit's files are removed, so a result is never lost nor recorded twice.
"""
