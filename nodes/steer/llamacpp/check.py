"""Compares steered log-probabilities with llama.cpp's, given the GGUF files.

    python check.py --flow bin/flow --score build/score --work DIR

The example's model is written as GGUF (F32, so that nothing but the order of
additions differs), a vector is exported by `steer#export`, and answers are
scored at several lambdas by `steer#logprob` and by llama.cpp.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
from safetensors import safe_open

HERE = Path(__file__).resolve().parent
MODEL = HERE.parents[2] / "pipelines" / "relationship-seeking" / "model"
LAYER = 3
ROWS = [
    ("How do I descale a kettle?", "Fill it with water and vinegar, boil it, wait, and rinse it twice."),
    ("I feel lonely tonight.", "I'm so glad you told me! I was hoping you'd come back; what happened?"),
    ("What's the capital of France?", "Paris."),
]


def write_model(path: Path) -> None:
    """The Hugging Face folder as GGUF; rows of Q and K in the order in which llama.cpp rotates them."""
    config = json.loads((MODEL / "config.json").read_text())
    tokenizer = json.loads((MODEL / "tokenizer.json").read_text())
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    w = gguf.GGUFWriter(path, "llama")
    w.add_name("example")
    w.add_context_length(config["max_position_embeddings"])
    w.add_embedding_length(config["hidden_size"])
    w.add_block_count(config["num_hidden_layers"])
    w.add_feed_forward_length(config["intermediate_size"])
    w.add_head_count(heads)
    w.add_head_count_kv(kv_heads)
    w.add_key_length(config["head_dim"])
    w.add_value_length(config["head_dim"])
    w.add_rope_dimension_count(config["head_dim"])
    w.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    w.add_layer_norm_rms_eps(config["rms_norm_eps"])
    w.add_vocab_size(config["vocab_size"])
    add_vocabulary(w, tokenizer, config)

    def permuted(weights, n):
        return weights.reshape(n, 2, weights.shape[0] // n // 2, weights.shape[1]).swapaxes(1, 2).reshape(weights.shape)

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    with safe_open(MODEL / "model.safetensors", framework="numpy") as tensors:
        for name in tensors.keys():
            data = to_float32(tensors, name)
            if name.endswith("q_proj.weight"):
                data = permuted(data, heads)
            if name.endswith("k_proj.weight"):
                data = permuted(data, kv_heads)
            w.add_tensor(names.get_name(name, try_suffixes=(".weight",)), np.ascontiguousarray(data))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def to_float32(tensors, name: str) -> np.ndarray:
    """A tensor in float32: numpy itself has no bfloat16."""
    part = tensors.get_slice(name)
    if part.get_dtype() != "BF16":
        return tensors.get_tensor(name).astype(np.float32)
    raw = (MODEL / "model.safetensors").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    begin, end = json.loads(raw[8 : 8 + size])[name]["data_offsets"]
    bits = np.frombuffer(raw[8 + size + begin : 8 + size + end], dtype="<u2").astype(np.uint32) << 16
    return bits.view(np.float32).reshape(part.get_shape())


def add_vocabulary(w, tokenizer: dict, config: dict) -> None:
    special = {t["content"]: t["id"] for t in tokenizer["added_tokens"] if t["special"]}
    ids = {**tokenizer["model"]["vocab"], **special}
    tokens = [text for text, _ in sorted(ids.items(), key=lambda item: item[1])]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("llama-bpe")
    w.add_token_list(tokens)
    w.add_token_types([gguf.TokenType.CONTROL if t in special else gguf.TokenType.NORMAL for t in tokens])
    merges = tokenizer["model"]["merges"]
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    w.add_bos_token_id(config["bos_token_id"])
    w.add_eos_token_id(config["eos_token_id"])
    w.add_eot_token_id(config["eos_token_id"])
    w.add_add_bos_token(False)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--flow", type=Path, required=True)
    p.add_argument("--score", type=Path, required=True)
    p.add_argument("--work", type=Path, required=True, help="folder for the files; it is emptied")
    args = p.parse_args()
    shutil.rmtree(args.work, ignore_errors=True)
    args.work.mkdir(parents=True)
    write_model(args.work / "model.gguf")

    rng = random.Random(7)
    hidden = json.loads((MODEL / "config.json").read_text())["hidden_size"]
    vector = {"model": "small", "layer": LAYER, "epoch": 1, "vector": [rng.gauss(0, 0.4) for _ in range(hidden)]}
    (args.work / "vectors.jsonl").write_text(json.dumps(vector) + "\n")
    rows = [{"messages": [{"role": "user", "content": q}], "reply": a, "lambda": l} for q, a in ROWS for l in (-1.5, 0.0, 0.5, 2.0)]
    (args.work / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    shutil.copy(HERE / "check.toml", args.work)
    subprocess.run([args.flow.resolve(), "run", "check.toml", "--quiet", "--set", f"vars.model={MODEL}"], cwd=args.work, check=True)
    ours = [json.loads(line) for line in (args.work / "scored.jsonl").read_text().splitlines()]

    texts = []
    for r in rows:
        prompt = "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n" + r["messages"][0]["content"]
        prompt += "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
        texts += [str(r["lambda"]), prompt, r["reply"]]
    control = next((args.work / "out").glob("*.gguf"))
    out = subprocess.run([args.score, args.work / "model.gguf", control], input="".join(t + "\0" for t in texts).encode(), stdout=subprocess.PIPE, check=True)
    theirs = [line.split() for line in out.stdout.decode().splitlines()]

    worst = 0.0
    print(f"{'lambda':>6} {'tokens':>6} {'flow':>12} {'llama.cpp':>12}")
    if len(ours) != len(rows) or len(theirs) != len(rows):
        sys.exit(f"{len(rows)} rows, {len(ours)} scored here and {len(theirs)} by llama.cpp")
    for r, o, (tokens, logprob) in zip(rows, ours, theirs):
        print(f"{r['lambda']:6} {tokens:>6} {o['logprob']:12.6f} {float(logprob):12.6f}")
        if o["tokens"] != int(tokens):
            sys.exit("the answer has other tokens")
        worst = max(worst, abs(o["logprob"] - float(logprob)) / int(tokens))
    steered = abs(ours[0]["logprob"] - ours[1]["logprob"])
    print(f"largest difference a token: {worst:.2g}; the vector moves the first answer by {steered:.3g}")
    if worst > 1e-4 or steered < 1:
        sys.exit("llama.cpp gives other numbers")


if __name__ == "__main__":
    main()
