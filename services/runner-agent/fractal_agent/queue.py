"""Answers to `queue`: what squeue said last."""

from fractal_common.messages import QueueRead, QueueSnapshot, RpcError

from fractal_agent.backends.slurm.queue import Snapshot

MAX_LINES = 5000


def answer_queue(snapshot: Snapshot | None, data: bytes) -> QueueSnapshot | RpcError:
    """Jobs that are not over, of one user or of some accounts if wanted, page by page."""
    if snapshot is None:
        return RpcError(error="squeue has not answered yet")
    request = QueueRead.model_validate_json(data)
    lines = [
        entry.line
        for entry in snapshot.entries
        if not entry.is_over
        and (request.username is None or entry.user == request.username)
        and (request.accounts is None or entry.account in request.accounts)
    ]
    first, count = max(0, request.offset), max(0, min(request.limit, MAX_LINES))
    return QueueSnapshot(
        taken_at=snapshot.taken_at, header=snapshot.header, lines=lines[first : first + count], total=len(lines)
    )
