"""sbatch, once for each token, and scancel."""

import fcntl
import json
import os
import shutil
import subprocess

PATH = "/usr/local/bin:/usr/bin:/bin"


class Commands:
    """Runs them with an environment that has nothing of the agent's."""

    def __init__(self, roots, account, settings):
        self._roots = roots
        self._environment = {
            "HOME": account.pw_dir,
            "USER": account.pw_name,
            "LOGNAME": account.pw_name,
            "SHELL": account.pw_shell,
            "PATH": PATH,
        }
        self._environment.update(settings)

    def sbatch(self, token_file, arguments, folder, timeout_s):
        """What it answered, which is also left in `{token_file}.reply`: it is heard of even if nobody listens now.

        The token is claimed for ever, and held as long as an sbatch lives that may create the job.
        """
        claim = self._roots.claim(token_file)
        if claim is None:
            return {"claimed": False}
        try:
            fcntl.flock(claim, fcntl.LOCK_EX)
            reply = self._run("sbatch", arguments, timeout_s, folder, (claim,))
            self._roots.write(token_file + ".reply", json.dumps(reply).encode(), 0o600)
        finally:
            os.close(claim)
        return dict(reply, claimed=True)

    def attempt(self, token_file):
        """What became of an sbatch; if it was never started it is now certain that it never will."""
        claim = self._roots.claim(token_file)
        if claim is not None:
            os.close(claim)
            return {"started": False}
        with self._roots.open_own(token_file) as stream:
            try:
                fcntl.flock(stream.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return {"started": True, "running": True}
        return {
            "started": True,
            "running": False,
            "reply": self._json(token_file + ".reply"),
            "job": self._text(token_file + ".job"),
        }

    def scancel(self, jobs, timeout_s):
        return self._run("scancel", ["--quiet", *jobs], timeout_s)

    def _run(self, name, arguments, timeout_s, folder="/", descriptors=()):
        command = shutil.which(name, path=PATH)
        if command is None:
            return {"status": 127, "stdout": "", "stderr": "%s is not in %s" % (name, PATH)}
        try:
            done = subprocess.run(
                [command, *arguments],
                check=False,
                env=self._environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=timeout_s,
                pass_fds=descriptors,
            )
        except subprocess.TimeoutExpired as error:
            words = (error.stderr or b"").decode("utf-8", "replace")
            return {"status": None, "stdout": "", "stderr": words or "no answer within %s s" % timeout_s}
        return {
            "status": done.returncode,
            "stdout": done.stdout.decode("utf-8", "replace"),
            "stderr": done.stderr.decode("utf-8", "replace"),
        }

    def _text(self, path):
        try:
            with self._roots.open_own(path) as stream:
                return stream.read(65536).decode("utf-8", "replace").strip() or None
        except FileNotFoundError:
            return None

    def _json(self, path):
        text = self._text(path)
        return json.loads(text) if text else None
