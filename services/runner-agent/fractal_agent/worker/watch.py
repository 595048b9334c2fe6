"""What the units use of memory, so that one that takes more than its share ends alone."""

import os
import time

INTERVAL_S = 0.25
MAX_SHARE = 0.02
"""Of one core that looking may cost: a node with many processes is looked at less often."""
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


class MemoryWatch:
    """Looks at process groups from time to time; `peak_kb` is the most that all of them held at once."""

    def __init__(self, limit_kb):
        self.limit_kb = limit_kb
        self.peak_kb = 0
        self._next = 0.0

    def excess(self, groups):
        """Of these process groups those that hold more than the limit, with what they hold, in kB."""
        start = time.monotonic()
        if not groups or start < self._next:
            return {}
        held = usage(groups)
        self.peak_kb = max(self.peak_kb, sum(kb for kb, _ in held.values()))
        found = {}
        for group, (kb, pids) in held.items():
            if kb > self.limit_kb:
                exact = proportional(pids, kb)
                if exact > self.limit_kb:
                    found[group] = exact
        end = time.monotonic()
        self._next = end + max(INTERVAL_S, (end - start) / MAX_SHARE)
        return found


def usage(groups):
    """For each group what its processes have in memory, in kB, pages that they share counted for each; and who."""
    held = {group: (0, []) for group in groups}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as stream:
                fields = stream.read().rpartition(b")")[2].split()
        except OSError:
            continue
        group = int(fields[2])
        if group in held:
            kb, pids = held[group]
            pids.append(name)
            held[group] = (kb + int(fields[21]) * PAGE_KB, pids)
    return held


def proportional(pids, otherwise):
    """What they hold in kB with shared pages divided among those that share them; costs more to know."""
    total = 0
    for pid in pids:
        try:
            with open("/proc/%s/smaps_rollup" % pid, "rb") as stream:
                total += sum(int(line.split()[1]) for line in stream if line.startswith(b"Pss:"))
        except OSError:
            return otherwise  # an older kernel, or gone
    return total


def more_likely_killed():
    """Of this process group the kernel takes the tasks first when memory runs out, not the worker."""
    try:
        with open("/proc/self/oom_score_adj", "w") as stream:
            stream.write("500")
    except OSError:
        pass
