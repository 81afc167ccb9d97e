"""make_abi.py itself: each kind of change that must be refused is refused, and growth is not.

Run by ctest as `python3 -m unittest`. Each test edits a copy of the real headers in a temporary
folder, so it also proves that the reader still understands them.
"""
import pathlib
import shutil
import tempfile
import unittest

import make_abi

INCLUDE = make_abi.ROOT / "sdk" / "include"


class Headers(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.include = pathlib.Path(self.folder.name) / "include"
        shutil.copytree(INCLUDE, self.include, ignore=shutil.ignore_patterns("cpp"))

    def edit(self, header, old, new):
        path = self.include / "mortise" / header
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new, 1))

    def changes(self):
        """What is refused when the SDK's headers become the edited ones."""
        return list(make_abi.grown(make_abi.model_of(INCLUDE), make_abi.model_of(self.include)))

    def broken(self):
        return list(make_abi.broken_rules(make_abi.model_of(self.include)))


class Growth(Headers):
    def test_accepts_a_new_slot_at_the_tail(self):
        self.edit("service/rng.h", "} mortise_rng_service;",
                  "  /* [any] */\n  void (*more)(void);\n} mortise_rng_service;")
        self.assertEqual(self.changes(), [])
        self.assertEqual(self.broken(), [])

    def test_refuses_a_slot_in_the_middle(self):
        self.edit("service/rng.h", "  /* Fills out[0..count)",
                  "  /* [any] */\n  void (*more)(void);\n  /* Fills out[0..count)")
        self.assertTrue(any("uniform_u64" in text for text in self.changes()))

    def test_refuses_another_type_tag_or_constant(self):
        self.edit("view.h", "uint64_t size_bytes;\n} mortise_text", "int64_t size_bytes;\n} mortise_text")
        self.edit("service/log.h", "kept, else 0. [any]", "kept, else 0. [serial]")
        self.edit("status.h", "NOT_FOUND INT32_C(5)", "NOT_FOUND INT32_C(55)")
        text = "\n".join(self.changes())
        for name in ("mortise_text.size_bytes", "mortise_log_service.is_enabled: thread", "was 5"):
            self.assertIn(name, text)

    def test_refuses_a_lost_struct_and_another_id(self):
        self.edit("service/log.h", "} mortise_log_field;", "} mortise_log_pair;")
        self.edit("service/log.h", "const mortise_log_field* fields", "const mortise_log_pair* fields")
        self.edit("service/rng.h", "mortise.rng/1", "mortise.rng/2")
        text = "\n".join(self.changes())
        self.assertIn("mortise_log_field is gone", text)
        self.assertIn("MORTISE_SERVICE_RNG", text)

    def test_refuses_a_frozen_struct_that_grows(self):
        self.edit("entry.h", "} mortise_hello;", "  uint64_t more;\n} mortise_hello;")
        self.assertIn("mortise_hello must not grow", self.changes())


class Rules(Headers):
    def test_the_real_headers_break_none(self):
        self.assertEqual(self.broken(), [])

    def test_names_a_slot_without_a_tag(self):
        self.edit("service/log.h", "kept, else 0. [any]", "kept, else 0.")
        self.assertTrue(any("is_enabled has no thread tag" in text for text in self.broken()))

    def test_names_a_type_that_is_not_fixed(self):
        self.edit("kind/format.h", "uint32_t shards_count;", "size_t shards_count;")
        self.assertTrue(any("shards_count" in text for text in self.broken()))

    def test_names_a_struct_without_size_and_flags(self):
        self.edit("kind/format.h", "typedef struct mortise_scan_options {\n  uint32_t struct_size;\n",
                  "typedef struct mortise_scan_options {\n")
        self.assertTrue(any("mortise_scan_options does not begin" in text for text in self.broken()))

    def test_names_a_slot_from_a_minor_that_is_not_here_yet(self):
        self.edit("service/log.h", "kept, else 0. [any]", "kept, else 0. [since 9] [any]")
        self.assertTrue(any("from minor 9" in text for text in self.broken()))


if __name__ == "__main__":
    unittest.main()
