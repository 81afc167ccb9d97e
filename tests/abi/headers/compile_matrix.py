"""Compiles every header of the SDK alone, as each language and by each compiler it promises.

    compile_matrix.py INCLUDE_FOLDER

C headers: C99, C11, C++17, C++20 by gcc and clang. C++ headers: each alone as C++17 by gcc, and all
together as C++17 and C++20 by both. Warnings are errors. Prints each failure with its command.
"""
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys

FLAGS = ["-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]


def compilers():
    """[(C compiler, C++ compiler)]: gcc, and the first clang that is there."""
    pairs = [("gcc", "g++")]
    for suffix in ("-16", ""):
        if shutil.which("clang" + suffix):
            return pairs + [("clang" + suffix, "clang++" + suffix)]
    sys.exit("There is no clang here, which is half of the matrix: run `make setup`.")


def compile_one(job):
    compiler, standard, include, headers = job
    language = "c" if standard in ("c99", "c11") else "c++"
    command = [compiler, f"-std={standard}", "-x", language, f"-I{include}", *FLAGS, "-"]
    source = "".join(f"#include <{header}>\n" for header in headers)
    done = subprocess.run(command, input=source, capture_output=True, text=True)
    if done.returncode == 0:
        return None
    return f"{', '.join(headers)}: {' '.join(command)}\n{done.stderr}"


def main():
    include = pathlib.Path(sys.argv[1])
    c_headers = sorted(p.relative_to(include).as_posix() for p in include.rglob("*.h"))
    cpp_headers = sorted(p.relative_to(include).as_posix() for p in include.rglob("*.hpp"))
    if not c_headers or not cpp_headers:
        return f"there are no headers in {include}"
    jobs = []
    for c, cpp in compilers():
        for standard in ("c99", "c11", "c++17", "c++20"):
            compiler = c if standard in ("c99", "c11") else cpp
            jobs += [(compiler, standard, include, [header]) for header in c_headers]
        jobs += [(cpp, standard, include, cpp_headers) for standard in ("c++17", "c++20")]
    jobs += [("g++", "c++17", include, [header]) for header in cpp_headers]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        failures = [text for text in pool.map(compile_one, jobs) if text]
    for text in failures:
        print(text, file=sys.stderr)
    print(f"{len(jobs)} compilations, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
