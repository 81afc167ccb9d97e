"""An object that the store sealed is restored by a program that was written from the format's page.

    read_store_test.py MAKE_STORE PACKAGES
PACKAGES is a folder into which cryptography and zstandard are installed when they are not there.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

READER = Path(__file__).with_name("read_store.py")
WANTED = ("cryptography", "zstandard")


def has_packages(environment):
    return subprocess.run([sys.executable, "-c", "import " + ", ".join(WANTED)], env=environment,
                          check=False, capture_output=True).returncode == 0


def main(make_store, packages):
    environment = dict(os.environ, PYTHONPATH=packages, PYTHONDONTWRITEBYTECODE="1")
    if not has_packages(environment):
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", packages, *WANTED],
                       check=False)
    if not has_packages(environment):
        print("SKIPPED: the Python packages cryptography and zstandard cannot be installed here")
        return 0
    with tempfile.TemporaryDirectory(prefix="mortise_store_") as folder:
        subprocess.run([make_store, folder], check=True)

        def read(reference):
            return subprocess.run([sys.executable, READER, f"{folder}/home", "films", reference],
                                  env=environment, capture_output=True, check=False)

        references = sorted(Path(folder).glob("*.ref"))
        assert len(references) == 5
        for path in references:
            done = read(path.read_text())
            assert done.returncode == 0, f"{path.stem}: {done.stderr.decode()}"
            assert done.stdout == path.with_suffix(".bytes").read_bytes(), path.stem
            file = Path(folder) / "home/jobs" / path.stem
            done = read(str(file))
            assert done.returncode == 0, f"{file}: {done.stderr.decode()}"
            assert done.stdout == path.with_suffix(".bytes").read_bytes(), file
        cut = Path(folder) / "home/jobs/media"
        cut.write_bytes(cut.read_bytes()[:128 + 3 * 16400])
        assert read(str(cut)).returncode != 0, "a file that was cut was believed"
        segment = next(Path(folder).glob("home/segments/films/*.seg"))
        data = bytearray(segment.read_bytes())
        data[300] ^= 1  # inside a record
        data[-70] ^= 1  # and an entry
        segment.write_bytes(data)
        assert read(references[0].read_text()).returncode != 0, "a damaged segment was believed"
        print(f"{len(references)} objects and {len(references)} files came back equal")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
