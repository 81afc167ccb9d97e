"""HTTP to one server: JSON in and out, files up and down, events. Used by hub and trainer."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, BinaryIO, Iterator, Mapping

from .errors import MortiseError

_TIMEOUT_S = 600
_PIECE_BYTES = 4 << 20  # of one PATCH; kept whole or not at all
_PATIENCE_S = 120  # how long a transfer may stand still


def _may_help(failure: MortiseError) -> bool:
    """Whether the same request may go well later: no answer, offset or lock of another, 460, 5xx."""
    again = (0, 409, 423, 429, 460, 500, 502, 503, 504)
    return failure.code != "DATA_LOSS" and failure.status in again


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token is sent to one server only, whatever that server says."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


# No proxy, whatever the environment says: rows and tokens go to the server and nowhere else.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


def home_folder() -> Path:
    """$MORTISE_HOME, else ~/.local/share/mortise."""
    home = os.environ.get("MORTISE_HOME")
    return Path(home) if home else Path.home() / ".local/share/mortise"


class Server:
    """A server by address and token.

    url: "http://127.0.0.1:7474"; absent: MORTISE_URL, else the private server of MORTISE_HOME, which
    is started when it does not run (needs the program `mortise` on PATH or in `programs`).
    """

    def __init__(self, url: str | None = None, token: str | None = None,
                 programs: str | os.PathLike[str] | None = None) -> None:
        named = url or os.environ.get("MORTISE_URL")
        self.url = (named or self._private_url(programs)).rstrip("/")
        self._token = token or os.environ.get("MORTISE_TOKEN") or ""
        host = urllib.parse.urlsplit(self.url).hostname or ""
        if not self._token and host in ("localhost", "127.0.0.1", "::1"):
            self._token = self._token_of_home()  # the owner's token is not for others

    @staticmethod
    def _private_url(programs: str | os.PathLike[str] | None) -> str:
        program = str(Path(programs) / "mortise") if programs else shutil.which("mortise")
        if program is None:
            raise MortiseError({"detail": "No server is known and `mortise` is not on PATH.",
                                "hint": "Set MORTISE_URL, or install the programs.",
                                "code": "UNAVAILABLE"})
        done = subprocess.run([program, "up", "--json"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MortiseError({"detail": done.stderr.strip(), "code": "UNAVAILABLE"})
        return str(json.loads(done.stdout)["url"])

    @staticmethod
    def _token_of_home() -> str:
        path = home_folder() / "token"
        return path.read_text(encoding="utf-8").strip() if path.exists() else ""

    def _open(self, method: str, path: str, body: Any = None, kind: str = "application/json",
              headers: Mapping[str, str] | None = None) -> Any:
        request = urllib.request.Request(self.url + path, data=body, method=method,
                                         headers=dict(headers or {}))
        request.add_header("Authorization", "Bearer " + self._token)
        if body is not None:
            request.add_header("Content-Type", kind)
        try:
            return _OPENER.open(request, timeout=_TIMEOUT_S)
        except urllib.error.HTTPError as failure:
            text = failure.read().decode("utf-8", "replace")
            try:
                problem = json.loads(text)
            except ValueError:
                problem = {"detail": text}
            if isinstance(problem.get("error"), dict):  # OpenAI's shape
                problem = {"detail": problem["error"].get("message"),
                           "code": problem["error"].get("code")}
            raise MortiseError(problem, failure.code) from None
        except (OSError, http.client.HTTPException) as failure:
            reason = failure.reason if isinstance(failure, urllib.error.URLError) else failure
            raise MortiseError({"detail": f"The server at {self.url} cannot be reached: "
                                          f"{reason}.",
                                "hint": "Start it with `mortise up`.",
                                "code": "UNAVAILABLE"}) from None

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Sends JSON, returns JSON (None for an empty answer). Raises MortiseError."""
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8")
        with self._open(method, path, data) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def get(self, path: str, **query: Any) -> Any:
        return self.request("GET", path + _query(query))

    def lines(self, path: str, **query: Any) -> Iterator[Any]:
        """Each value of an answer of JSON lines, as it comes."""
        with self._open("GET", path + _query(query)) as answer:
            for raw in answer:
                yield json.loads(raw)

    def items(self, path: str, **query: Any) -> Iterator[Any]:
        """Each item of a list, page by page."""
        cursor = None
        while True:
            page = self.get(path, cursor=cursor, **query)
            yield from page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def post(self, path: str, body: Any = None) -> Any:
        return self.request("POST", path, {} if body is None else body)

    def send_file(self, file: str | os.PathLike[str], **metadata: str) -> str:
        """Sends a file by tus, in pieces with a SHA-256 each. When the connection breaks, the
        server is asked what it holds and the rest follows, for two minutes without progress at
        most. Returns the path of the transfer; the file is on the server's disk then."""
        pairs = (f"{key} {base64.b64encode(value.encode('utf-8')).decode('ascii')}".strip()
                 for key, value in metadata.items())
        with open(file, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            with self._tus("POST", "/api/v1/uploads", b"", {
                    "Upload-Length": str(size), "Upload-Metadata": ",".join(pairs)}) as made:
                path = str(made.headers["Location"])
            offset, pause_s, moved = 0, 0.1, time.monotonic()
            while offset < size:
                try:
                    offset = self._send_piece(path, stream, offset)
                    pause_s, moved = 0.1, time.monotonic()
                    continue
                except MortiseError as failure:
                    if not _may_help(failure) or time.monotonic() - moved > _PATIENCE_S:
                        raise
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, 5.0)
                try:
                    with self._tus("HEAD", path) as answer:
                        offset = int(answer.headers["Upload-Offset"])
                except MortiseError as failure:
                    if not _may_help(failure):
                        raise
        return path

    def _send_piece(self, path: str, stream: BinaryIO, offset: int) -> int:
        """One PATCH; the new offset."""
        stream.seek(offset)
        piece = stream.read(_PIECE_BYTES)
        if not piece:
            raise MortiseError({"detail": "The file became shorter while it was sent.",
                                "code": "DATA_LOSS"})
        digest = base64.b64encode(hashlib.sha256(piece).digest()).decode("ascii")
        with self._tus("PATCH", path, piece, {"Upload-Offset": str(offset),
                                              "Upload-Checksum": "sha256 " + digest}) as answer:
            return int(answer.headers["Upload-Offset"])

    def _tus(self, method: str, path: str, body: bytes | None = None,
             headers: Mapping[str, str] | None = None) -> Any:
        return self._open(method, path, body, "application/offset+octet-stream",
                          {"Tus-Resumable": "1.0.0", **(headers or {})})

    def download(self, path: str, file: str | os.PathLike[str]) -> None:
        with self._open("GET", path) as answer, open(file, "wb") as out:
            shutil.copyfileobj(answer, out)

    def events(self, path: str, body: Any = None) -> Iterator[tuple[str, Any]]:
        """Server-sent events as (type, data) until the stream ends; of a POST when there is a
        body. The "[DONE]" of OpenAI's streams comes as None."""
        kind = "message"
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8")
        with self._open("GET" if data is None else "POST", path, data) as answer:
            for raw in answer:
                line = raw.decode("utf-8").rstrip("\n")
                if line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    yield kind, (json.loads(line[6:]) if line != "data: [DONE]" else None)

    def wait(self, job_id: str, poll_s: float = 0.1) -> Mapping[str, Any]:
        """The job once it is over. Raises MortiseError when it did not end well."""
        while True:
            job = self.get(f"/api/v1/jobs/{job_id}")
            if job["state"] in ("done", "failed", "cancelled"):
                break
            time.sleep(poll_s)
        if job["state"] != "done":
            problem = job.get("error") or {"detail": f"The job {job_id} was {job['state']}."}
            raise MortiseError(problem)
        return job


def _query(query: Mapping[str, Any]) -> str:
    """?name=value...; None is left out, a list is repeated."""
    kept = {key: value for key, value in query.items() if value is not None}
    return "?" + urllib.parse.urlencode(kept, doseq=True) if kept else ""


def quote(text: str) -> str:
    return urllib.parse.quote(text, safe="/@")
