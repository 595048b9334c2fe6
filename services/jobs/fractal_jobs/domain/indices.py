"""The range of workflow tasks that a submission selects."""


def task_range(first: int | None, last: int | None, num_tasks: int) -> tuple[int, int]:
    """First and last index, both inclusive.

    Raises:
        ValueError: with the contract's text.
    """
    first = 0 if first is None else first
    last = num_tasks - 1 if last is None else last
    if first < 0:
        raise ValueError(f"first_task_index={first} cannot be negative")
    if last < 0:
        raise ValueError(f"last_task_index={last} cannot be negative")
    if last > num_tasks - 1:
        raise ValueError(f"last_task_index={last} cannot be larger than (num_tasks-1)={num_tasks - 1}")
    if first > last:
        raise ValueError(f"first_task_index={first} cannot be larger than last_task_index={last}")
    return first, last
