"""The tokenizer packs against the libraries whose ids they must give, byte for byte, on random and
mixed-script text: tokenizers for Qwen2, GPT-2, CLIP and BERT, sentencepiece for Mistral's models.
The libraries come from MORTISE_PEERS_ENV or from PyPI into the folder of the first argument once;
without them, or without MORTISE_FIXTURES, the test is skipped.
"""
import array
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM, PACKS = os.environ["MORTISE_TOKENIZER_IDS"], Path(os.environ["MORTISE_PACKS"])
SEED = 20240607
WHEELS = ["tokenizers==0.23.3", "sentencepiece==0.2.3"]
SCRIPTS = [(0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF),
           (0x590, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x1E00, 0x1FFF),
           (0x2000, 0x206F), (0x20A0, 0x2BFF), (0x3000, 0x30FF), (0x3400, 0x4DBF),
           (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFE00, 0xFFEF),
           (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF)]
BITS = [" ", "  ", "\n", "\r\n", "\n\n  ", "\t", "'s", "'LL", "'re ", "'\u017f", "\u3000", "\u0085",
        "\u180e", "\u200b", "1234567", "3.14", "\u0663", "e\u0301", "\ud7b0", "\u1112\u1161\u11ab",
        "\u0130", "\u03a3", "\u1e9e", "hello world", " The quick", "print(x)", "\u6211\u60f3\u5728",
        "\U0001f468\u200d\U0001f469", "...", "!?", "/**/", "\u00bd", "aaaaaaaa", "======", "\ufffd",
        "\u2581", "\u2581\u2581", "<s>", "</s>", "<unk>"]


def documents(size, seed):
    """Texts of `size` bytes in all without zero bytes; a part is any character there is."""
    pick = random.Random(seed)
    while size > 0:
        parts = []
        low, high = pick.choice(SCRIPTS)
        for _ in range(pick.randint(1, 200)):
            kind = pick.random()
            if kind < 0.55:
                parts += [chr(pick.randint(low, high)) for _ in range(pick.randint(1, 9))]
            elif kind < 0.75:
                parts.append(pick.choice(BITS))
            elif kind < 0.85:
                low, high = pick.choice(SCRIPTS)
            elif kind < 0.95:
                parts.append(" ")
            else:
                code = pick.randint(1, 0x10FFFF)
                parts.append(chr(code) if not 0xD800 <= code < 0xE000 else "?")
        text = "".join(p for p in "".join(parts) if not 0xD800 <= ord(p) < 0xE000)
        size -= len(text.encode())
        yield text


class Peers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="mortise_ids_"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.fixtures = Path(os.environ["MORTISE_FIXTURES"]) / "tokenizers"

    def ours(self, pack, folder, uri, config, texts):
        (self.folder / "texts").write_bytes(b"".join(t.encode() + b"\0" for t in texts))
        subprocess.run([PROGRAM, str(PACKS / pack / "lib" / f"{pack}.so"), str(folder), uri,
                        json.dumps(config), str(self.folder / "texts"), str(self.folder / "ids")],
                       check=True)
        ids, one = [], []
        for i in array.array("i", (self.folder / "ids").read_bytes()):
            if i < 0:
                ids.append(one)
                one = []
            else:
                one.append(i)
        return ids

    def check(self, name, texts, ours, theirs):
        self.assertEqual(len(ours), len(texts))
        wrong = [i for i in range(len(texts)) if ours[i] != theirs[i]]
        size = sum(len(t.encode()) for t in texts)
        for i in wrong[:5]:
            at = next((k for k, (a, b) in enumerate(zip(ours[i], theirs[i])) if a != b),
                      min(len(ours[i]), len(theirs[i])))
            print(f"{name}: text {i} of seed {SEED} differs from token {at} on: "
                  f"{ours[i][at - 2:at + 8]} {theirs[i][at - 2:at + 8]}", file=sys.stderr)
        self.assertEqual(len(wrong), 0, f"{name}: {len(wrong)} of {len(texts)} texts differ")
        print(f"{name}: {size} bytes, {sum(map(len, ours))} ids are the same", flush=True)

    def against_tokenizers(self, name, pack, folder, uri, config, peer, size):
        texts = list(documents(size, SEED))
        theirs = [e.ids for e in peer.encode_batch_fast(texts, add_special_tokens=False)]
        self.check(name, texts, self.ours(pack, folder, uri, config, texts), theirs)

    def unzipped(self, name):
        folder = self.folder / name.replace("/", "_")
        folder.mkdir()
        (folder / "tokenizer.json").write_bytes(
            gzip.decompress((self.fixtures / name).read_bytes()))
        return folder

    def test_qwen2(self):
        from tokenizers import Tokenizer
        folder = self.unzipped("qwen2/tokenizer.assembled.json.gz")
        peer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        peer.encode_special_tokens = True
        self.against_tokenizers("qwen2", "tokenizer_bpe", folder, "tokenizer.json", {}, peer,
                                10_000_000)

    def test_gpt2(self):
        from tokenizers import Tokenizer, models, pre_tokenizers
        folder = self.fixtures / "gpt2"
        peer = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"),
                                              str(folder / "merges.txt")))
        peer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        self.against_tokenizers("gpt2", "tokenizer_bpe", folder, "vocab.json",
                                {"pattern": "gpt2"}, peer, 5_000_000)

    def test_clip(self):
        from tokenizers import Tokenizer
        folder = self.unzipped("clip/tokenizer.json.gz")
        peer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        peer.encode_special_tokens = True
        self.against_tokenizers("clip", "tokenizer_bpe", folder, "tokenizer.json", {}, peer,
                                2_000_000)

    def test_phi3(self):
        from tokenizers import Tokenizer
        folder = self.fixtures / "phi-3-mini"
        peer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        peer.encode_special_tokens = True
        self.against_tokenizers("phi-3", "tokenizer_bpe", folder, "tokenizer.json", {}, peer,
                                2_000_000)

    def test_bert(self):
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
        folder = self.fixtures / "bert-base-uncased"
        for lowercase in (True, False):
            peer = Tokenizer(models.WordPiece.from_file(str(folder / "vocab.txt"),
                                                        unk_token="[UNK]"))
            peer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
            peer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
            self.against_tokenizers(f"bert lowercase={lowercase}", "tokenizer_wordpiece", folder,
                                    "vocab.txt", {"lowercase": lowercase}, peer, 2_000_000)

    def test_sentencepiece(self):
        from sentencepiece import SentencePieceProcessor
        texts = list(documents(2_000_000, SEED))
        for path in ("mistral/tokenizer.model.v1", "mistral/mistral_instruct_tokenizer_240323.model.v3",
                     "tiny-torchtune/m.model"):
            peer = SentencePieceProcessor(model_file=str(self.fixtures / path))
            folder = self.folder / Path(path).name
            folder.mkdir()
            shutil.copyfile(self.fixtures / path, folder / "tokenizer.model")
            self.check(path, texts,
                       self.ours("tokenizer_sentencepiece", folder, "tokenizer.model", {}, texts),
                       peer.encode(texts, num_threads=1))


def main():
    deps = Path(sys.argv.pop(1)) / "tokenizers"
    if "MORTISE_FIXTURES" not in os.environ:
        print("SKIPPED: MORTISE_FIXTURES is not set")
        return
    python = Path(os.environ.get("MORTISE_PEERS_ENV", "/nowhere")) / "main/bin/python"
    wheels = WHEELS[1:] if python.exists() else WHEELS
    python = python if python.exists() else Path(sys.executable)
    if not (deps / "sentencepiece").exists():
        done = subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--target", str(deps),
                               *wheels], check=False)
        if done.returncode != 0:
            print("SKIPPED: the wheels cannot be fetched")
            return
    if python != Path(sys.executable):
        os.execv(str(python), [str(python), __file__, str(deps.parent), *sys.argv[1:]])
    sys.path.append(str(deps))
    unittest.main()


if __name__ == "__main__":
    main()
