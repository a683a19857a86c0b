# SPDX-License-Identifier: Apache-2.0
"""The tree keeps the layer rule, and the checker sees each way of breaking it."""

import pathlib
import tempfile
import unittest

import layers

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"


def check(files):
    """The violations in a tree made of {path: text after the SPDX line}."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            once = "#pragma once\n" if path.endswith(".h") else ""
            (root / path).write_text(SPDX + once + text)
        return layers.violations(root)


class LayersTest(unittest.TestCase):
    def test_this_tree_keeps_the_rule(self):
        root = pathlib.Path(__file__).resolve().parents[1]
        self.assertEqual(layers.violations(root), [])

    def test_the_checker_reads_this_tree(self):
        root = pathlib.Path(__file__).resolve().parents[1]
        self.assertEqual(layers.resolve(root, "src/base/philox.cc", "gradwire/error.h"), "include/gradwire/error.h")
        self.assertEqual(layers.layer_of("include/gradwire/error.h"), "base")

    def test_layers_below_and_own_headers_may_be_included(self):
        files = {
            "src/wire/wire.h": '#include "gradwire/piece.h"\n#include <vector>\n',
            "include/gradwire/piece.h": "",
            "src/link/link.cc": '#include "compress/sign.h"\n#include "own.h"\n#include "wire/wire.h"\n',
            "src/link/own.h": "",
            "src/compress/sign.h": '#include "kernels/sign.h"\n',
            "src/kernels/sign.h": "",
            "src/c10d/torch_compat.h": "#include <torch/version.h>\n#if TORCH_VERSION_MINOR >= 12\n#endif\n",
            "train/main.cc": '#include "gradwire/ddp.h"\n#include "train/list.h"\n#include <torch/torch.h>\n',
            "train/list.h": "",
            "train/list.cc": '#include <fmt/format.h>\n#include "train/run/trainer.h"\n',
            "train/run/trainer.h": "#include <torch/torch.h>\n",
            "include/gradwire/ddp.h": '#include "gradwire/piece.h"\n',
            "tests/link/link_test.cc": '#include "train/list.h"\n#include "c10d/torch_compat.h"\n',
        }
        self.assertEqual(check(files), [])

    def assert_reported(self, files, path, words):
        found = check(files)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(path + ": "), found[0])
        self.assertIn(words, found[0])

    def test_a_layer_above_is_reported(self):
        above = {"src/link/link.h": ""}
        for include in ('"link/link.h"', '"../link/link.h"', "<link/link.h>"):
            files = {**above, "src/wire/frame.cc": f"#include {include}\n"}
            self.assert_reported(files, "src/wire/frame.cc", "link/link.h, but wire may include only base, kernels")

    def test_collective_and_compress_do_not_know_each_other(self):
        files = {"src/compress/sign.h": "", "src/collective/threads.cc": '# include "compress/sign.h"\n'}
        self.assert_reported(files, "src/collective/threads.cc", "src/compress/sign.h")
        files = {"src/collective/threads.h": "", "src/compress/sign.cc": '#include "collective/threads.h"\n'}
        self.assert_reported(files, "src/compress/sign.cc", "src/collective/threads.h")

    def test_public_headers_keep_the_rule(self):
        files = {"include/gradwire/piece.h": '#include "gradwire/exchange.h"\n', "include/gradwire/exchange.h": ""}
        self.assert_reported(files, "include/gradwire/piece.h", "include/gradwire/exchange.h")

    def test_the_hooks_do_not_know_the_program(self):
        files = {"train/report/report.h": "", "hooks/hook.cc": '#include "train/report/report.h"\n'}
        self.assert_reported(files, "hooks/hook.cc", "train/report/report.h")

    def test_the_folders_of_the_program_are_layers(self):
        files = {"train/report/report.h": "", "train/config/config.cc": '#include "train/report/report.h"\n'}
        self.assert_reported(files, "train/config/config.cc", "train/report/report.h")
        files = {"train/list.h": "", "train/run/trainer.cc": '#include "train/list.h"\n'}
        self.assert_reported(files, "train/run/trainer.cc", "train/list.h")
        self.assert_reported({"train/misc/misc.h": ""}, "train/misc/misc.h", "no layer")

    def test_torch_and_fmt_never_meet(self):
        self.assert_reported({"train/convex/convex.cc": "#include <torch/torch.h>\n"}, "train/convex/convex.cc", "torch")
        for path in ("train/run/trainer.cc", "train/main.cc", "hooks/hook.cc", "src/c10d/watch.cc"):
            self.assert_reported({path: "#include <fmt/format.h>\n"}, path, "ships another fmt")
        self.assert_reported({"train/report/report.h": "#include <spdlog/spdlog.h>\n"}, "train/report/report.h", "only a .cc")

    def test_installed_headers_include_installed_ones_only(self):
        files = {"include/gradwire/exchange.h": '#include "base/text.h"\n', "src/base/text.h": ""}
        self.assert_reported(files, "include/gradwire/exchange.h", "not installed")

    def test_torch_in_the_core_is_reported(self):
        for header in ("torch/torch.h", "ATen/ATen.h", "c10/util/BFloat16.h"):
            files = {"src/method/methods.cc": f"#include <{header}>\n"}
            self.assert_reported(files, "src/method/methods.cc", header)

    def test_an_unlisted_public_header_or_folder_is_reported(self):
        self.assert_reported({"include/gradwire/misc.h": ""}, "include/gradwire/misc.h", "no layer")
        self.assert_reported({"src/util/misc.cc": ""}, "src/util/misc.cc", "no layer")

    def test_version_ifs_elsewhere_are_reported(self):
        files = {"hooks/hook.cc": "#if TORCH_VERSION_MINOR < 12\n#endif\n"}
        self.assert_reported(files, "hooks/hook.cc", "src/c10d/torch_compat.h")

    def test_rapidcheck_in_a_test_with_other_tests_is_reported(self):
        include = "#include <rapidcheck/gtest.h>\n"
        self.assert_reported({"tests/wire/frame_test.cc": include}, "tests/wire/frame_test.cc", "_property_test.cc")
        self.assertEqual(check({"tests/wire/frame_property_test.cc": include}), [])

    def test_a_mode_that_is_asked_for_by_name_is_reported(self):
        for text in ('if (config.train.mode == "local") return;', 'mode != "sync"'):
            self.assert_reported({"train/main.cc": text}, "train/main.cc", "train/config/modes.cc")
        self.assertEqual(check({"train/config/modes.cc": 'mode == "sync"', "train/main.cc": 'config.train.mode = "sync";'}), [])

    def test_a_missing_license_line_or_pragma_is_reported(self):
        with tempfile.TemporaryDirectory() as folder:
            header = pathlib.Path(folder, "tests/support/ranks.h")
            header.parent.mkdir(parents=True)
            header.write_text("int x;\n")
            found = layers.violations(pathlib.Path(folder))
        self.assertEqual(len(found), 2, found)
        self.assertIn("SPDX", found[0])
        self.assertIn("#pragma once", found[1])

    def test_sections_of_notes_elsewhere_are_reported(self):
        for note in ("METHODS" + " O5", "HOUSE.md" + " 3", "KERNELS," + "\n// 2.1"):
            self.assert_reported({"src/link/link.cc": f"// As in {note}.\n"}, "src/link/link.cc:2", "outside of the tree")
            self.assert_reported({"src/wire/FORMAT.md": f"As in {note}.\n"}, "src/wire/FORMAT.md:2", "outside of the tree")
        self.assertEqual(check({"src/link/link.cc": "// Methods 2 and 3; arXiv 1610.02132, section 3.1.\n"}), [])


if __name__ == "__main__":
    unittest.main()
