"""Requests in, answers out, until the agent is gone."""

import base64
import os
import pwd
import sys
import threading

from fractal_agent.delegate import archive, following, framing
from fractal_agent.delegate.commands import Commands
from fractal_agent.delegate.confinement import Roots

MAX_READ_BYTES = 256 * 1024
SLOW = ("sbatch", "scancel", "archive")
"""In threads of their own: a scheduler that does not answer keeps nobody else waiting."""


class Service:
    """`{"id": n, "do": name, …}` is answered by `{"id": n, "value": …}` or `{"id": n, "error": text}`, in any order."""

    def __init__(self, streams_in, streams_out):
        self._in = streams_in
        self._out = streams_out
        self._lock = threading.Lock()
        self._threads = []
        account = pwd.getpwuid(os.geteuid())
        hello = framing.read(self._in)
        if hello is None:
            raise SystemExit(0)
        self._roots = Roots([account.pw_dir + root[1:] if root.startswith("~") else root for root in hello["roots"]])
        self._commands = Commands(self._roots, account, hello["environment"])
        self._send({"id": 0, "value": {"user": account.pw_name, "uid": account.pw_uid, "roots": self._roots.roots}})

    def run(self):
        while True:
            request = framing.read(self._in)
            if request is None:
                break
            if request["do"] in SLOW:
                thread = threading.Thread(target=self._answer, args=(request,))
                thread.start()
                self._threads = [one for one in self._threads if one.is_alive()] + [thread]
            else:
                self._answer(request)
        for thread in self._threads:
            thread.join()  # an sbatch under way still leaves its reply

    def _send(self, message):
        data = framing.pack(message)
        with self._lock:
            try:
                self._out.write(data)
                self._out.flush()
            except OSError:
                pass  # the agent is gone

    def _answer(self, request):
        try:
            value = getattr(self, "do_" + request["do"])(request)
        except Exception as error:
            self._send({"id": request["id"], "error": str(error), "kind": type(error).__name__})
        else:
            self._send({"id": request["id"], "value": value})

    def do_prepare(self, request):
        """Make folders, then write files; what is there already is replaced by the same."""
        for path, mode in request["folders"]:
            with self._roots.folder(path, create_mode=mode):
                pass
        for path, text, mode in request["files"]:
            self._roots.write(path, text.encode(), mode)

    def do_install(self, request):
        """A file whose name tells its content: written unless it is there."""
        try:
            self._roots.open_own(request["path"]).close()
        except FileNotFoundError:
            self._roots.write(request["path"], base64.b64decode(request["data"]), request["mode"])

    def do_follow(self, request):
        return following.look(self._roots, request["batches"])

    def do_errors(self, request):
        return following.errors(self._roots, request["path"])

    def do_read(self, request):
        try:
            stream = self._roots.open_own(request["path"])
        except FileNotFoundError:
            return None
        with stream:
            size = stream.seek(0, 2)
            stream.seek(request["offset"])
            data = stream.read(min(request["length"], MAX_READ_BYTES))
        return {"size": size, "data": base64.b64encode(data).decode()}

    def do_archive(self, request):
        def send(data):
            self._send({"id": request["id"], "part": base64.b64encode(data).decode()})

        return archive.write(self._roots, request["folder"], request["extra"], send)

    def do_sbatch(self, request):
        return self._commands.sbatch(request["token"], request["arguments"], request["folder"], request["timeout_s"])

    def do_attempt(self, request):
        return self._commands.attempt(request["token"])

    def do_scancel(self, request):
        return self._commands.scancel(request["jobs"], request["timeout_s"])


def main():
    """Whatever is printed by mistake goes to standard error: standard output is for answers alone."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    Service(os.fdopen(0, "rb"), answers).run()
    sys.stderr.flush()
