"""Files below given directories, reached component by component: a link put in the way is an error, not a detour."""

import contextlib
import os
import stat


class Refused(Exception):
    """The path is not below a directory that was allowed, or is not what it should be."""


class Roots:
    """Directories below which this user's files are made and read."""

    def __init__(self, roots):
        self.roots = [os.path.realpath(root) for root in roots]

    def resolve(self, path):
        """The root and the components below it. Links that are there now are followed once, here."""
        if not os.path.isabs(path) or "\0" in path:
            raise Refused("%r is not an absolute path" % path)
        real = os.path.realpath(path)
        for root in self.roots:
            if real == root:
                return root, []
            if real.startswith(root.rstrip("/") + "/"):
                return root, real[len(root.rstrip("/")) + 1 :].split("/")
        raise Refused("%s is not below a directory of this user" % path)

    def path(self, path):
        """The same, as one path."""
        root, parts = self.resolve(path)
        return os.path.join(root, *parts)

    @contextlib.contextmanager
    def folder(self, path, create_mode=None):
        """A descriptor of a folder; with a mode it is made if it is missing, and its parents as the umask has it."""
        root, parts = self.resolve(path)
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for place, part in enumerate(parts):
                if create_mode is not None:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, create_mode if place == len(parts) - 1 else 0o777, dir_fd=descriptor)
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    def open_own(self, path):
        """A regular file that belongs to this user, for reading; raises FileNotFoundError and Refused."""
        with self.folder(os.path.dirname(path)) as folder:
            descriptor = os.open(os.path.basename(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
            os.close(descriptor)
            raise Refused("%s is not a file of this user" % path)
        return os.fdopen(descriptor, "rb")

    def write(self, path, data, mode):
        """Replace a file in one step, durably."""
        name = os.path.basename(path)
        draft = ".%s.%d.tmp" % (name, os.getpid())
        with self.folder(os.path.dirname(path)) as folder:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=folder)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=folder)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)

    def claim(self, path):
        """A descriptor of a new file; None if it exists. Whoever makes it is the only one, for ever."""
        with self.folder(os.path.dirname(path)) as folder:
            try:
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                return os.open(os.path.basename(path), flags, 0o600, dir_fd=folder)
            except FileExistsError:
                return None
