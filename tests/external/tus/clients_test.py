"""Other people's clients against a real mortised: tus-js-client 4.3.1 and tuspy 1.1.0 in their own
flows, OpenAI's Python client on /v1/files and /v1/uploads. They come from npm and PyPI into the folder of the first argument once; without them the
test is skipped.
"""

import json
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tus_server import TusServer

# Not whole chunks: tus-js-client does not see the end of such a stream whose length it does not know.
SIZE = (50 << 20) + 12345


def fetched(folder, command, proof):
    """Whether what the command fetches is there."""
    if (folder / proof).exists():
        return True
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError):
        return False
    return (folder / proof).exists()


class Clients(unittest.TestCase):
    deps = Path()

    @classmethod
    def setUpClass(cls):
        cls.server = TusServer()
        cls.addClassCleanup(cls.server.close)
        cls.folder = Path(tempfile.mkdtemp(prefix="mortise_tus_data_"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.file = cls.folder / "data.bin"
        cls.data = random.Random(7).randbytes(SIZE)
        cls.file.write_bytes(cls.data)

    def test_tus_js_client(self):
        folder = self.deps / "tus-js"
        if not shutil.which("node") or not shutil.which("npm") or not fetched(
                folder, ["npm", "install", "--silent", "--prefix", str(folder),
                         "tus-js-client@4.3.1"], "node_modules/tus-js-client"):
            self.skipTest("SKIPPED: no node, or tus-js-client cannot be fetched")
        done = subprocess.run(
            ["node", str(Path(__file__).with_name("flows.mjs")), str(folder), self.server.url,
             self.server.token, str(self.file)], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        urls = json.loads(done.stdout)
        ended = urls.pop("terminated")
        self.assertEqual(len(urls), 7)
        for name, url in urls.items():
            self.assertEqual(self.server.content(url), self.data, name)
            print(f"tus-js-client {name}: {SIZE} bytes are the same", flush=True)
        status, _, _ = self.server.request("HEAD", ended.removeprefix(self.server.url), None,
                                           {"Tus-Resumable": "1.0.0"})
        self.assertEqual(status, 410)

    def test_tuspy(self):
        folder = self.deps / "tus-python"
        if not fetched(folder, [sys.executable, "-m", "pip", "install", "-q", "--target",
                                str(folder), "tuspy==1.1.0"], "tusclient"):
            self.skipTest("SKIPPED: tuspy cannot be fetched")
        sys.path.insert(0, str(folder))
        from tusclient.client import TusClient  # noqa: PLC0415
        client = TusClient(self.server.url + "/api/v1/uploads",
                           headers={"Authorization": f"Bearer {self.server.token}"})
        for name, more in {"chunks": {}, "checksums": {"upload_checksum": True}}.items():
            uploader = client.uploader(str(self.file), chunk_size=4_000_000, retries=2,
                                       metadata={"filename": "py.bin"}, **more)
            uploader.upload()
            self.assertEqual(self.server.content(uploader.url), self.data, name)
            print(f"tuspy {name}: {SIZE} bytes are the same", flush=True)
        half = client.uploader(str(self.file), chunk_size=4_000_000)
        half.upload(stop_at=SIZE // 2)
        rest = client.uploader(str(self.file), chunk_size=4_000_000, url=half.url)
        self.assertEqual(rest.offset, half.offset)
        rest.upload()
        self.assertEqual(self.server.content(rest.url), self.data)

    def test_openai(self):
        folder = self.deps / "openai"
        if not fetched(folder, [sys.executable, "-m", "pip", "install", "-q", "--target",
                                str(folder), "openai==3.57.0"], "openai"):
            self.skipTest("SKIPPED: openai cannot be fetched")
        sys.path.insert(0, str(folder))
        import openai  # noqa: PLC0415
        client = openai.OpenAI(base_url=self.server.url + "/v1", api_key=self.server.token,
                               max_retries=0)
        small = self.data[:100_000]
        file = client.files.create(file=("rows.jsonl", small), purpose="fine-tune")
        self.assertEqual((file.bytes, file.filename, file.status),
                         (100_000, "rows.jsonl", "processed"))
        self.assertEqual(client.files.retrieve(file.id), file)
        self.assertIn(file.id, [one.id for one in client.files.list()])
        self.assertEqual(client.files.content(file.id).read(), small)
        whole = client.uploads.upload_file_chunked(
            file=self.data, filename="data.bin", bytes=SIZE, purpose="fine-tune",
            mime_type="application/octet-stream", part_size=16 << 20)
        self.assertEqual((whole.status, whole.file.bytes), ("completed", SIZE))
        self.assertEqual(client.files.content(whole.file.id).read(), self.data)
        print(f"openai {openai.__version__}: {SIZE} bytes are the same", flush=True)
        self.openai_refusals(openai, client, file.id)

    def openai_refusals(self, openai, client, file):
        """Errors arrive as the client's own kinds, with what to do."""
        begin = {"filename": "x", "mime_type": "text/plain", "purpose": "fine-tune"}
        half = client.uploads.create(bytes=10, **begin)
        part = client.uploads.parts.create(upload_id=half.id, data=b"12345")
        with self.assertRaisesRegex(openai.BadRequestError, "have 5 bytes.* made for 10"):
            client.uploads.complete(half.id, part_ids=[part.id])
        self.assertEqual(client.uploads.cancel(half.id).status, "cancelled")
        self.assertTrue(client.files.delete(file).deleted)
        with self.assertRaisesRegex(openai.NotFoundError, file):
            client.files.retrieve(file)
        stranger = openai.OpenAI(base_url=self.server.url + "/v1", api_key="no", max_retries=0)
        with self.assertRaisesRegex(openai.AuthenticationError, "token"):
            stranger.files.list()


if __name__ == "__main__":
    Clients.deps = Path(sys.argv.pop(1))
    unittest.main()
