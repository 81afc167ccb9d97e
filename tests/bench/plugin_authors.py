#!/usr/bin/env python3
"""What a plugin author waits for, and what it costs to build all of this. Prints one JSON line.

    python3 tests/bench/plugin_authors.py [--clean-build]

kit_all_packs_seconds      `mortise plugin check` over every pack of build/packs and build/example_packs,
                           one after another (must: <= 60)
plugin_new_to_check_seconds  `plugin new metric`, configure and build against a fresh install of the SDK
                           without a compiler cache, `plugin check` (must: <= 60)
clean_build_seconds        with --clean-build: configure and build this tree in a folder of its own,
                           without a compiler cache (must: <= 900 on 2 cores)
busy_share                 the share of all cores that was busy in the second before: above 0.1 the
                           figures are of a shared machine

The exit status is 1 when a check fails or a bound is not kept.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
MORTISE = BUILD / "bin" / "mortise"
NO_CACHE = dict(os.environ, CCACHE_DISABLE="1")


def run(*words, **more):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def seconds_of(work):
    begun = time.monotonic()
    work()
    return round(time.monotonic() - begun, 1)


def busy_share():
    def jiffies():
        times = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
        return sum(times), times[3] + times[4]

    before = jiffies()
    time.sleep(1)
    after = jiffies()
    return round(1 - (after[1] - before[1]) / max(after[0] - before[0], 1), 2)


def check_all_packs():
    packs = sorted(p.parent for folder in ("packs", "example_packs")
                   for p in (BUILD / folder).glob("*/pack.json"))
    for pack in packs:
        run(MORTISE, "plugin", "check", pack, "--json")
    return len(packs)


def new_plugin(folder):
    run("cmake", "--install", BUILD, "--component", "sdk", "--prefix", folder / "sdk")

    def author():
        plugin = folder / "plugin"
        run(MORTISE, "plugin", "new", "metric", "com.example.f1", "--out", plugin)
        run("cmake", "-S", plugin, "-B", plugin / "build",
            f"-DCMAKE_PREFIX_PATH={folder / 'sdk'}", env=NO_CACHE)
        run("cmake", "--build", plugin / "build", env=NO_CACHE)
        run(MORTISE, "plugin", "check", plugin / "build" / "pack", "--json")

    return seconds_of(author)


def clean_build(folder):
    def build():
        run("cmake", "--preset", "release", "-B", folder / "build", cwd=ROOT, env=NO_CACHE)
        run("cmake", "--build", folder / "build", f"-j{os.cpu_count()}", env=NO_CACHE)

    return seconds_of(build)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--clean-build", action="store_true", help="takes about a quarter of an hour")
    wants = arguments.parse_args()
    figures = {"bench": "plugin_authors", "cores": os.cpu_count(), "busy_share": busy_share()}
    with tempfile.TemporaryDirectory(prefix="mortise-bench-") as name:
        folder = Path(name)
        os.environ["MORTISE_HOME"] = str(folder / "home")
        packs = []
        figures["kit_all_packs_seconds"] = seconds_of(lambda: packs.append(check_all_packs()))
        figures["packs"] = packs[0]
        figures["plugin_new_to_check_seconds"] = new_plugin(folder)
        if wants.clean_build:
            figures["clean_build_seconds"] = clean_build(folder)
    print(json.dumps(figures))
    bounds = {"kit_all_packs_seconds": 60, "plugin_new_to_check_seconds": 60, "clean_build_seconds": 900}
    late = [name for name, most in bounds.items() if figures.get(name, 0) > most]
    for name in late:
        print(f"{name} is {figures[name]}, {bounds[name]} is allowed", file=sys.stderr)
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
