#!/usr/bin/env python3
"""Measures the exported checkpoint on unseen problems, greedy.

The forward pass is numpy in float32 and reads only the exported files (config.json,
model.safetensors, tokenizer.model), so it also checks the export itself.

    python3 evaluate.py [--count 500]     # accuracies, samples
    python3 evaluate.py --reference       # also writes reference.json (--count 0: only that)
"""
from __future__ import annotations

import argparse
import json
import random
import struct
from collections import defaultdict
from pathlib import Path

import numpy as np
import sentencepiece as spm

from generate import ALPACA_TASKS, DEMO, GSM_TASKS, SHIPPED_ALPACA, draw, unique

MODEL = DEMO / "model"
REFERENCE = Path(__file__).resolve().parent / "reference.json"


def load_safetensors(path: Path) -> dict[str, np.ndarray]:
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    out = {}
    for name, info in json.loads(raw[8:8 + size]).items():
        if name == "__metadata__":
            continue
        assert info["dtype"] == "BF16"
        begin, end = info["data_offsets"]
        half = np.frombuffer(raw[8 + size + begin:8 + size + end], "<u2")
        out[name] = (half.astype(np.uint32) << 16).view(np.float32).reshape(info["shape"])
    return out


class Model:
    def __init__(self, folder: Path = MODEL) -> None:
        self.cfg = json.loads((folder / "config.json").read_text())
        self.w = load_safetensors(folder / "model.safetensors")
        self.sp = spm.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        scale = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(self.cfg["rms_norm_eps"]))
        return x * scale * self.w[name + ".weight"]

    def rope(self, x: np.ndarray, at: np.ndarray) -> np.ndarray:
        d = self.cfg["head_dim"]
        angle = (at[:, None] * self.cfg["rope_theta"] ** (-np.arange(0, d, 2) / d))[:, None, :]
        cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        a, b = x[..., :d // 2], x[..., d // 2:]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    def forward(self, ids: list[int], cache: list[list[np.ndarray]]) -> np.ndarray:
        """Logits after the last of `ids`; the keys and values go to the cache."""
        c, w = self.cfg, self.w
        nq, nk, d = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        past = cache[0][0].shape[0] if cache else 0
        at = np.arange(past, past + len(ids))
        mask = np.where(np.arange(past + len(ids))[None, :] <= at[:, None], 0, -np.inf).astype(np.float32)
        x = w["model.embed_tokens.weight"][ids]
        for i in range(c["num_hidden_layers"]):
            p = f"model.layers.{i}."
            h = self.norm(x, p + "input_layernorm")
            q = self.rope((h @ w[p + "self_attn.q_proj.weight"].T).reshape(-1, nq, d), at)
            k = self.rope((h @ w[p + "self_attn.k_proj.weight"].T).reshape(-1, nk, d), at)
            v = (h @ w[p + "self_attn.v_proj.weight"].T).reshape(-1, nk, d)
            if past:
                k, v = np.concatenate([cache[i][0], k]), np.concatenate([cache[i][1], v])
                cache[i] = [k, v]
            else:
                cache.append([k, v])
            k, v = np.repeat(k, nq // nk, 1), np.repeat(v, nq // nk, 1)
            s = q.transpose(1, 0, 2) @ k.transpose(1, 2, 0) / np.float32(np.sqrt(d)) + mask
            s = np.exp(s - s.max(-1, keepdims=True))
            y = (s / s.sum(-1, keepdims=True)) @ v.transpose(1, 0, 2)
            x = x + y.transpose(1, 0, 2).reshape(len(ids), -1) @ w[p + "self_attn.o_proj.weight"].T
            h = self.norm(x, p + "post_attention_layernorm")
            g = h @ w[p + "mlp.gate_proj.weight"].T
            x = x + (g / (1 + np.exp(-g)) * (h @ w[p + "mlp.up_proj.weight"].T)) @ w[p + "mlp.down_proj.weight"].T
        return self.norm(x[-1], "model.norm") @ w["model.embed_tokens.weight"].T

    def greedy(self, prompt: str, most: int = 160) -> tuple[list[int], list[int], float]:
        """Prompt ids (with BOS), output ids (with EOS), smallest gap of the two best logits."""
        bos, eos = self.cfg["bos_token_id"], self.cfg["eos_token_id"]
        ids = [bos] + self.sp.encode(prompt)
        most = min(most, self.cfg["max_position_embeddings"] - len(ids))
        cache: list[list[np.ndarray]] = []
        out: list[int] = []
        logits, gap = self.forward(ids, cache), np.inf
        while True:
            second, first = np.argsort(logits)[-2:]
            gap = min(gap, float(logits[first] - logits[second]))
            out.append(int(first))
            if first == eos or len(out) >= most:
                return ids, out, gap
            logits = self.forward(out[-1:], cache)

    def text(self, prompt_ids: list[int], out: list[int]) -> str:
        """Only the new text, its leading space kept."""
        return self.sp.decode(prompt_ids + out)[len(self.sp.decode(prompt_ids)):]


def final_number(text: str) -> str:
    return text.rpartition("####")[2].strip() if "####" in text else ""


def measure(m: Model, name: str, problems: list, shots: int = 0) -> None:
    rng = random.Random(7)
    exact: dict[str, list[int]] = defaultdict(list)
    number: list[int] = []
    for ex in problems:
        before = [draw(rng, GSM_TASKS, False) for _ in range(shots)]
        prompt = "".join(f.prompt() + f.completion() + "\n\n" for f in before) + ex.prompt()
        ids, out, _ = m.greedy(prompt)
        text = m.text(ids, out)
        exact[ex.task].append(text == ex.completion())
        number.append(final_number(text) == final_number(ex.completion()))
    hits = [x for v in exact.values() for x in v]
    line = f"{name}: exact answer {sum(hits)}/{len(hits)} = {100 * np.mean(hits):.1f} %"
    if "GSM8K" in name:
        line += f", final number {sum(number)}/{len(number)} = {100 * np.mean(number):.1f} %"
    print(line)
    print("   " + ", ".join(f"{k} {sum(v)}/{len(v)}" for k, v in sorted(exact.items())))


def samples(m: Model, problems: list) -> None:
    for ex in problems:
        ids, out, gap = m.greedy(ex.prompt())
        text = m.text(ids, out)
        ask = ex.question if hasattr(ex, "question") else f"{ex.instruction}" + (f" [{ex.input}]" if ex.input else "")
        print(f"  {'ok ' if text == ex.completion() else 'BAD'} {ask}\n      {text.strip()!r} ({len(out)} tokens, gap {gap:.2f})")


def write_reference(m: Model) -> None:
    """Three unseen prompts of each form, answered rightly and without a close call, of differing tasks."""
    items = []
    for tasks, wanted in ((ALPACA_TASKS, {"capital", "sort", "definition"}),
                          (GSM_TASKS, {"add", "change", "add, subtract"})):
        wanted = set(wanted)
        for ex in unique(104, tasks, True, 300):
            if ex.task not in wanted:
                continue
            ids, out, gap = m.greedy(ex.prompt())
            if gap > 0.3 and m.text(ids, out) == ex.completion():
                wanted.remove(ex.task)
                items.append({"prompt": ex.prompt(), "prompt_ids": ids, "output_ids": out})
                print(f"reference: {ex.task}, {len(ids)} + {len(out)} tokens, smallest gap {gap:.2f}")
        assert not wanted, f"no fitting prompt for {wanted}"
    REFERENCE.write_text("[\n" + ",\n".join("  " + json.dumps(i) for i in items) + "\n]\n")


def main() -> None:
    p = argparse.ArgumentParser()
    p.add_argument("--count", type=int, default=500)
    p.add_argument("--reference", action="store_true")
    args = p.parse_args()
    m = Model()
    print(f"{sum(t.size for t in m.w.values())} parameters in {len(m.w)} tensors")
    if args.reference:
        write_reference(m)
    if args.count == 0:
        return
    measure(m, "Alpaca, unseen", unique(105, ALPACA_TASKS, True, args.count))
    measure(m, "GSM8K form, unseen", unique(106, GSM_TASKS, True, args.count))
    for shots in (1, 3):
        measure(m, f"GSM8K form, unseen, {shots}-shot", unique(107, GSM_TASKS, True, args.count // 5), shots)
    shipped_a, shipped_g = unique(101, SHIPPED_ALPACA, True, 48, even=True), unique(102, GSM_TASKS, True, 48, even=True)
    measure(m, "alpaca.json", shipped_a)
    measure(m, "gsm8k.jsonl (GSM8K form)", shipped_g)
    samples(m, shipped_a[:20] + shipped_g[:12])


if __name__ == "__main__":
    main()
