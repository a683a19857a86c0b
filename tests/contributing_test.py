# SPDX-License-Identifier: Apache-2.0
"""What CONTRIBUTING.md names is there, files, folders and names of code, and so is what any page links to."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
CODE = {".cc", ".h", ".py", ".inc", ".cmake", ".txt", ".sh"}
FILE = re.compile(r"[\w<>./-]*(/[\w<>.-]*|\.(cc|h|py|md|inc|txt|yaml))")
NAME = re.compile(r"@?[A-Za-z_][\w:]*")  # of a class, function, macro or target
SPEECH = re.compile(r"make [\w-]+|comm|namespace \w+|Make\.\.\.|GRADWIRE_\.\.\.|Operator<Itself>")


def named(text):
    """What stands in single backticks outside of indented blocks."""
    lines = [line for line in text.splitlines() if not line.startswith("    ")]
    return re.findall(r"`([^`]+)`", "\n".join(lines))


def find_missing(root, text):
    """What `text` names and the tree at `root` does not have."""
    folders = ("include", "src", "hooks", "train", "tests")
    code = "\n".join(f.read_text() for top in folders for f in (root / top).rglob("*") if f.suffix in CODE)
    missing = []
    for word in named(text):
        first = next((part for part in word.split() if FILE.fullmatch(part)), None)
        if SPEECH.fullmatch(word):
            continue
        if first:
            found = "<name>" in first or "*" in first or (root / first).exists() or any(root.glob("**/" + first))
        elif NAME.fullmatch(word):
            found = re.search(rf"\b{word.lstrip('@').split('::')[-1]}\b", code) is not None
        else:
            found = False
        if not found and not word.startswith("build/"):
            missing.append(word)
    return missing


class ContributingTest(unittest.TestCase):
    def test_all_that_it_names_is_there(self):
        text = (ROOT / "CONTRIBUTING.md").read_text()
        self.assertGreater(len(named(text)), 80)
        self.assertEqual(find_missing(ROOT, text), [])

    def test_links_of_all_pages_lead_somewhere(self):
        pages = [f for top in ("", "configs/", "hooks/", "src/", "tests/", "train/") for f in ROOT.glob(top + ("**/*.md" if top else "*.md"))]
        links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)", page.read_text()) if "://" not in link]
        self.assertGreater(len(links), 10)
        self.assertEqual([(str(page), link) for page, link in links if not (page.parent / link).exists()], [])

    def test_what_is_not_there_is_found(self):
        for wrong in ("src/compress/no_such.cc", "no_such_test.cc", "src/no_such/", "NoSuch" + "Name", "tests/nets/compare_builds.py OLD NEW", "tests/wire"):
            self.assertEqual(find_missing(ROOT, f"a `{wrong}`"), [] if wrong == "tests/wire" else [wrong])


if __name__ == "__main__":
    unittest.main()
