#!/usr/bin/env python3
"""Small files into a version: a folder of pictures of 3 KB and one file of rows, sent, sealed, decoded,
checked and versioned by `mortise dataset upload`, beside restic and borg where they are installed, which
only put the folder away. Prints one JSON line.

    python3 small_files.py [FILES [FOLDER]]      # 20000 files; FOLDER: on the disk to measure

MORTISE_PROGRAMS names the folder of the programs. wall_s is until the command returns, with what it made
durable; cpu_s is user and system time of all that took part; rss_mb the most that one process held. The
peers' figures are of their backup command and a sync behind it. Runs alternate twice, the best counts.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("MORTISE_PROGRAMS", ROOT / "build/bin"))
FILE_BYTES, PICTURES, ROUNDS = 3000, 50, 2


def chunk(kind, data):
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def picture(pick):
    """A PNG of 24 x 24 noisy pixels."""
    lines = b"".join(b"\0" + pick.randbytes(24 * 3) for _ in range(24))
    head = (24).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(lines)) +
            chunk(b"IEND", b""))


def make(folder, count):
    """`count` pictures, no two files alike, and rows.jsonl that names them all."""
    pick = random.Random(7)
    made = [picture(pick) for _ in range(PICTURES)]
    with open(folder / "rows.jsonl", "w", encoding="utf-8") as rows:
        for i in range(count):
            name = f"images/{i // 1000:04d}/{i:07d}.png"
            if i % 1000 == 0:
                (folder / name).parent.mkdir(parents=True)
            head, tail = made[i % PICTURES]
            text = pick.randbytes(FILE_BYTES - len(head) - len(tail) - 12)
            (folder / name).write_bytes(head + chunk(b"tEXt", text) + tail)
            rows.write(json.dumps({"image_path": name, "question": f"Which number is {i}?",
                                   "output": f"It is {pick.random()}."}) + "\n")


def processes(word):
    """The processes whose command holds the word: {pid: (seconds of CPU, most MB held)}."""
    tick, found = os.sysconf("SC_CLK_TCK"), {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() not in (folder / "environ").read_bytes():
                continue
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            peak = [line for line in (folder / "status").read_text().splitlines() if "VmHWM" in line]
        except OSError:
            continue
        found[int(folder.name)] = ((int(fields[11]) + int(fields[12])) / tick,
                                   int(peak[0].split()[1]) / 1000 if peak else 0)
    return found


def measured(command, env, mark, count):
    """Runs the command to its end; what its processes and its server's used meanwhile."""
    seen, began = {}, time.monotonic()
    before = {pid: cpu for pid, (cpu, _) in processes(mark).items()}
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        os.set_blocking(run.stderr.fileno(), False)
        while run.poll() is None:
            seen.update(processes(mark))
            run.stderr.read()
            time.sleep(0.05)
        assert run.returncode == 0, f"{command} ended with {run.returncode}"
    os.sync()
    wall = time.monotonic() - began
    return {"wall_s": round(wall, 2), "files_s": round(count / wall),
            "cpu_s": round(sum(cpu - before.get(pid, 0) for pid, (cpu, _) in seen.items()), 2),
            "rss_mb": round(max(peak for _, peak in seen.values()))}


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    place = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(prefix="mortise_small_", dir=place) as name:
        work = Path(name)
        files = work / "files"
        files.mkdir()
        make(files, count)
        env = dict(os.environ, MORTISE_HOME=str(work / "home"), RESTIC_PASSWORD="x", BORG_PASSPHRASE="x",
                   RESTIC_CACHE_DIR=str(work / "cache"), BORG_BASE_DIR=str(work / "borg_base"))
        figures = {}
        try:
            for turn in range(ROUNDS):
                runs = {"mortise": [PROGRAMS / "mortise", "dataset", "upload", f"set{turn}", files,
                                    "--task-type", "vqa", "--rows", "rows.jsonl"]}
                for peer, begin, act in (("restic", ["init", "-q", "-r"], ["backup", "-q", "-r"]),
                                         ("borg", ["init", "-e", "repokey-blake2"], ["create"])):
                    if shutil.which(peer):
                        where = str(work / f"{peer}{turn}")
                        subprocess.run([peer, *begin, where], env=env, check=True, capture_output=True)
                        runs[peer] = [peer, *act, where + ("::a" if peer == "borg" else ""), files]
                for who, command in runs.items():
                    found = measured(list(map(str, command)), env, str(work), count)
                    if found["wall_s"] < figures.get(who, {}).get("wall_s", float("inf")):
                        figures[who] = found
        finally:
            subprocess.run([PROGRAMS / "mortise", "down"], env=env, check=False, capture_output=True)
    print(json.dumps({"bench": "small_files", "files": count, "file_bytes": FILE_BYTES, **figures}))


if __name__ == "__main__":
    main()
