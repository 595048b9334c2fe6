"""Whether the kernel killed something of ours for want of memory."""


def killed_for_memory():
    """How many processes of our control group (either version) the kernel has killed so; 0 if nobody counts."""
    for path in candidates():
        try:
            with open(path) as stream:
                for line in stream:
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        except (OSError, ValueError):
            continue
    return 0


def candidates():
    """Files with the counter, the most specific first. In a container the group's own path may not be visible."""
    version_1, version_2 = [], []
    try:
        with open("/proc/self/cgroup") as stream:
            for line in stream:
                number, controllers, path = line.rstrip("\n").split(":", 2)
                if "memory" in controllers.split(","):
                    version_1 = ["/sys/fs/cgroup/memory" + path.rstrip("/"), "/sys/fs/cgroup/memory"]
                elif number == "0":
                    version_2 = ["/sys/fs/cgroup" + path.rstrip("/"), "/sys/fs/cgroup"]
    except (OSError, ValueError):
        return []
    return [one + "/memory.oom_control" for one in version_1] + [one + "/memory.events" for one in version_2]
