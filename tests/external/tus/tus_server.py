"""A mortised of its own for the tests of uploads: started, killed and started again at one address."""

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = Path(os.environ.get("MORTISE_PROGRAMS", ROOT / "build/bin"))


class TusServer:
    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="mortise_tus_")
        self.home = Path(self._folder.name)
        self._port = 0
        self.start()

    def start(self):
        (self.home / "run/address").unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [str(PROGRAMS / "mortised"), "--listen", f"127.0.0.1:{self._port}"],
            env={"MORTISE_HOME": str(self.home), "LOG_LEVEL": "error"})
        deadline = time.monotonic() + 30
        while not (self.home / "run/address").exists():
            assert time.monotonic() < deadline and self._process.poll() is None, "it does not start"
            time.sleep(0.01)
        self.url = (self.home / "run/address").read_text().strip()
        self._port = int(self.url.rpartition(":")[2])
        self.token = (self.home / "token").read_text().strip()

    @property
    def port(self):
        return self._port

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def close(self):
        self._process.terminate()
        self._process.wait(30)
        self._folder.cleanup()

    def request(self, method, path, body=None, headers=None):
        """(status, headers, body); errors of HTTP are answers, too."""
        request = urllib.request.Request(self.url + path, data=body, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers, refused.read()

    def json(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        status, _, text = self.request(method, path, data, {"Content-Type": "application/json"})
        assert status < 300, (status, text)
        return json.loads(text)

    def content(self, upload_url):
        """The bytes of a transfer that belongs to no data set, read back as OpenAI's file."""
        name = upload_url.rpartition("/")[2]
        status, _, body = self.request("GET", f"/v1/files/file-{name}/content")
        assert status == 200, (status, body)
        return body

    def stored_bytes(self):
        return sum(file.stat().st_size for file in (self.home / "store").rglob("*")
                   if file.is_file())
