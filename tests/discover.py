# SPDX-License-Identifier: Apache-2.0
"""`discover.py BINARY FILE TIMEOUT [EMULATOR...]`: writes into FILE the tests of a GoogleTest binary, for CTest to include.

One entry is a suite (of all types), or of a suite with parameters one test with all of them: a process for each of 2,700 tests
costs more than most of them. An entry has at most MOST tests, so that two cores share them evenly. What fails, and in
what a hang was ended, is in its output, which GoogleTest flushes when a test begins.
"""

import pathlib
import re
import subprocess
import sys

MOST = 40


def list_tests(command):
    """{entry: its tests' full names}."""
    lines = subprocess.run([*command, "--gtest_list_tests"], capture_output=True, text=True, check=True).stdout.splitlines()
    entries, suite = {}, ""
    for line in lines:
        name = line.split("#")[0].rstrip()
        if not line.startswith(" "):
            suite = name if name.endswith(".") else ""  # else main's own line
        elif suite:
            test = name.strip()
            typed = re.fullmatch(r"(.+)/\d+\.", suite)
            entry = typed[1] if typed else suite + test.split("/")[0] if "/" in test else suite.rstrip(".")
            entries.setdefault(entry.lstrip("/"), []).append(suite + test)
    return entries


def shares(entries):
    for entry, tests in entries.items():
        count = -(-len(tests) // MOST)
        for i in range(count):
            yield f"{entry} {i + 1} of {count}" if count > 1 else entry, tests[i::count]


def main(binary, file, timeout, *emulator):
    command = [*emulator, binary]
    words = " ".join(f"[=[{word}]=]" for word in command)
    text = ""
    layer = pathlib.Path(binary).name.removeprefix("gradwire_").removesuffix("_tests")
    for name, tests in shares(list_tests(command)):
        text += f'add_test([=[{layer}/{name}]=] {words} [=[--gtest_filter={":".join(tests)}]=])\n'
        text += f"set_tests_properties([=[{layer}/{name}]=] PROPERTIES TIMEOUT {timeout})\n"
    pathlib.Path(file).write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
