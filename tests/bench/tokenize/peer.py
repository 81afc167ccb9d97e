"""tiktoken and tokenizers on the documents of bench_tokenize: peer.py TOKENIZER_JSON FOLDER KIND...

FOLDER/KIND.txt holds documents with a zero byte between them, FOLDER/KIND.ids our ids as int32 with
-1 behind each document. Prints one JSON line; mb_s counts the processor time of the best of three.
"""
import array
import json
import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tiktoken
import tokenizers


def tiktoken_of(path):
    parts = json.load(open(path, encoding="utf-8"))
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {chr(b): b for b in plain}
    table.update({chr(256 + i): b for i, b in enumerate(sorted(set(range(256)) - set(plain)))})
    ranks = {bytes(table[c] for c in t): i for t, i in parts["model"]["vocab"].items()}
    pattern = parts["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    return tiktoken.Encoding("qwen2", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def main():
    path, folder, *kinds = sys.argv[1:]
    fast, tik = tokenizers.Tokenizer.from_file(path), tiktoken_of(path)
    engines = {"tokenizers": lambda d: fast.encode_batch_fast(d, add_special_tokens=False),
               "tiktoken": lambda d: [tik.encode_ordinary(t) for t in d]}
    out = {"tiktoken_version": tiktoken.__version__, "tokenizers_version": tokenizers.__version__}
    spent, size, same, count = dict.fromkeys(engines, 0.0), 0, 0, 0
    for kind in kinds:
        text = open(f"{folder}/{kind}.txt", "rb").read().decode()
        documents = text.split("\0")
        size += len(text.encode())
        for name, encode in engines.items():
            best = 1e9
            for _ in range(3):
                begin = time.process_time()
                encode(documents)
                best = min(best, time.process_time() - begin)
            spent[name] += best
            out[f"{name}_{kind}_mb_s"] = round(len(text.encode()) / best / 1e6, 2)
        ours = array.array("i", open(f"{folder}/{kind}.ids", "rb").read()).tolist()
        at = 0
        for document in documents:
            end = ours.index(-1, at)
            same += ours[at:end] == fast.encode(document, add_special_tokens=False).ids
            count += 1
            at = end + 1
    for name in engines:
        out[f"{name}_mb_s"] = round(size / spent[name] / 1e6, 2)
    out["documents"], out["documents_alike"] = count, same
    print(json.dumps(out))


main()
