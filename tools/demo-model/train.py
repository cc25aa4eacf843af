#!/usr/bin/env python3
"""Trains the demo checkpoint: tokenizer, model, export (Hugging Face layout, BF16).

    python3 train.py tokenizer      # tokenizer.model
    python3 train.py train          # trains, saves checkpoints under build/, exports at the end
    python3 train.py export         # exports the last checkpoint under build/
"""
from __future__ import annotations

import argparse
import json
import math
import random
import struct
import time
from pathlib import Path
from typing import Iterator

import numpy as np
import sentencepiece as spm
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F
from torch import Tensor, nn

from generate import DEMO, training_stream

MODEL = DEMO / "model"
BUILD = Path(__file__).resolve().parent / "build"
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 512,
    "hidden_size": 128,
    "intermediate_size": 352,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 16,
    "hidden_act": "silu",
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-05,
    "rope_theta": 10000.0,
    "rope_scaling": None,
    "tie_word_embeddings": True,
    "attention_bias": False,
    "mlp_bias": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "bfloat16",
}
BOS, EOS = 1, 2
PROMPT_WEIGHT = 0.1  # loss weight of the prompt's own tokens


# ----------------------------------------------------------------------------- tokenizer

def train_tokenizer() -> None:
    stream = training_stream(1)
    lines = [line for _ in range(20000) for line in "".join(t for t, _ in next(stream)).split("\n") if line]
    MODEL.mkdir(parents=True, exist_ok=True)
    with open(MODEL / "tokenizer.model", "wb") as out:
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=out, model_type="bpe", vocab_size=CONFIG["vocab_size"],
            byte_fallback=True, split_digits=True, add_dummy_prefix=True, normalization_rule_name="identity",
            remove_extra_whitespaces=False, character_coverage=1.0, unk_id=0, bos_id=BOS, eos_id=EOS, pad_id=-1,
            num_threads=1, minloglevel=1)


def load_tokenizer() -> spm.SentencePieceProcessor:
    return spm.SentencePieceProcessor(model_file=str(MODEL / "tokenizer.model"))


def encode(sp: spm.SentencePieceProcessor, doc: list[tuple[str, bool]], alpaca_weight: float = 1.0,
           ) -> tuple[list[int], list[float]]:
    """Ids of BOS + text + EOS and the loss weight of each; the text is encoded as a whole, and the borders
    between prompt and answer must be token borders, as at inference the prompt is encoded alone."""
    ids, weights, text = [BOS], [0.0], ""
    answer_weight = alpaca_weight if doc[0][0].startswith("Below") else 1.0
    for part, is_answer in doc:
        text += part
        now = sp.encode(text)
        assert now[:len(ids) - 1] == ids[1:], "answer does not begin at a token border"
        new = now[len(ids) - 1:]
        ids += new
        weights += [answer_weight if is_answer else PROMPT_WEIGHT] * len(new)
    return ids + [EOS], weights + [answer_weight]


# ----------------------------------------------------------------------------- model

class Norm(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + CONFIG["rms_norm_eps"]) * self.weight


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)  # Hugging Face's rotate-half form
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Layer(nn.Module):
    """q, k, v and gate, up are kept as one matrix each for speed; the export splits them."""

    def __init__(self) -> None:
        super().__init__()
        h, i = CONFIG["hidden_size"], CONFIG["intermediate_size"]
        self.nq, self.nk, self.d = CONFIG["num_attention_heads"], CONFIG["num_key_value_heads"], CONFIG["head_dim"]
        self.n1, self.n2 = Norm(h), Norm(h)
        self.qkv = nn.Linear(h, (self.nq + 2 * self.nk) * self.d, bias=False)
        self.o = nn.Linear(self.nq * self.d, h, bias=False)
        self.gate_up = nn.Linear(h, 2 * i, bias=False)
        self.down = nn.Linear(i, h, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        b, t, _ = x.shape
        q, k, v = self.qkv(self.n1(x)).view(b, t, -1, self.d).transpose(1, 2).split((self.nq, self.nk, self.nk), 1)
        q, k = rotate(q, cos, sin) * self.d ** -0.5, rotate(k, cos, sin)
        rep = self.nq // self.nk
        q = q.reshape(b, self.nk, rep * t, self.d)  # query heads of one group share their key head
        att = (q @ k.transpose(2, 3)).view(b, self.nk, rep, t, t) + mask
        y = att.softmax(-1).view(b, self.nk, rep * t, t) @ v
        y = y.view(b, self.nq, t, self.d).transpose(1, 2).reshape(b, t, -1)
        x = x + self.o(y)
        g, u = self.gate_up(self.n2(x)).chunk(2, -1)
        return x + self.down(F.silu(g) * u)


class Llama(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(CONFIG["vocab_size"], CONFIG["hidden_size"])
        self.layers = nn.ModuleList(Layer() for _ in range(CONFIG["num_hidden_layers"]))
        self.norm = Norm(CONFIG["hidden_size"])
        deep = 1 / math.sqrt(2 * CONFIG["num_hidden_layers"])
        for name, p in self.named_parameters():
            if p.dim() == 2:
                std = 0.02 if "embed" in name else p.shape[1] ** -0.5
                nn.init.normal_(p, std=std * (deep if name.endswith(("o.weight", "down.weight")) else 1))
        d, n = CONFIG["head_dim"], CONFIG["max_position_embeddings"]
        freq = CONFIG["rope_theta"] ** (-torch.arange(0, d, 2).float() / d)
        angle = torch.arange(n).float()[:, None] * freq
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        self.register_buffer("mask", torch.full((n, n), -1e9).triu(1), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Final hidden states."""
        t = ids.shape[1]
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x, self.cos[:t], self.sin[:t], self.mask[:t, :t])
        return self.norm(x)


# ----------------------------------------------------------------------------- training

def batches(sp: spm.SentencePieceProcessor, seed: int, args: argparse.Namespace, chunk: int = 2048,
            ) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of about `args.tokens` tokens; documents of like length are put together."""
    stream, rng, tokens = training_stream(seed, args.gsm_share), random.Random(seed), args.tokens
    limit = CONFIG["max_position_embeddings"]
    while True:
        docs = [d for d in (encode(sp, next(stream), args.alpaca_weight) for _ in range(chunk)) if len(d[0]) <= limit]
        docs.sort(key=lambda d: len(d[0]))
        groups, i = [], 0
        while i < len(docs):
            n = 1
            while i + n < len(docs) and (n + 1) * len(docs[i + n][0]) <= tokens:
                n += 1
            groups.append(docs[i:i + n])
            i += n
        rng.shuffle(groups)
        for group in groups:
            width = max(len(d[0]) for d in group)
            ids = torch.zeros(len(group), width, dtype=torch.long)
            weights = torch.zeros(len(group), width)
            for row, (a, w) in enumerate(group):
                ids[row, :len(a)] = torch.tensor(a)
                weights[row, :len(a)] = torch.tensor(w)
            yield ids, weights


def worker(rank: int, args: argparse.Namespace, grads: Tensor, progress: Tensor, barrier) -> None:
    """One of `--workers` equal processes: each takes its own batches, the gradients are averaged."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    sp, model = load_tokenizer(), Llama()
    if args.resume:
        model.load_state_dict(torch.load(BUILD / "last.pt"))
    params = list(model.parameters())
    if rank == 0:
        print(f"{sum(p.numel() for p in params)} parameters", flush=True)
    opt = torch.optim.AdamW([{"params": [p for p in params if p.dim() == 2], "weight_decay": 0.05},
                             {"params": [p for p in params if p.dim() == 1], "weight_decay": 0.0}],
                            lr=args.lr, betas=(0.9, 0.98))
    sizes = [p.numel() for p in params]
    start, seen, mean, step = time.time(), 0, 0.0, 0
    for ids, weights in batches(sp, args.seed + rank, args):
        hidden, w = model(ids[:, :-1]).flatten(0, 1), weights[:, 1:].flatten()
        used = w > 0
        losses = F.cross_entropy(hidden[used] @ model.embed.weight.T, ids[:, 1:].flatten()[used], reduction="none")
        w = w[used]
        opt.zero_grad(set_to_none=True)
        ((losses * w).sum() / w.sum()).backward()
        grads[rank] = torch.cat([p.grad.flatten() for p in params])
        if rank == 0:  # the schedule follows the steps, or the clock where that is further on
            progress[0] = max(step / args.steps, (time.time() - start) / (60 * args.minutes))
        barrier.wait()
        grad, done = grads.mean(0), progress.item()
        barrier.wait()
        if done >= 1:
            break
        grad *= min(1.0, 1.0 / (grad.norm().item() + 1e-6))
        for p, g in zip(params, grad.split(sizes)):
            p.grad = g.view_as(p)
        for group in opt.param_groups:
            group["lr"] = args.lr * min(1.0, (step + 1) / 200) * (0.01 + 0.495 * (1 + math.cos(math.pi * done)))
        opt.step()
        step, seen = step + 1, seen + ids.numel()
        answer = losses.detach()[w >= 1].mean().item()
        mean = answer if step == 1 else 0.98 * mean + 0.02 * answer
        if rank == 0 and step % 100 == 0:
            spent = time.time() - start
            print(f"step {step} answer loss {mean:.4f} progress {done:.3f} "
                  f"{args.workers * seen / spent:.0f} tokens/s {spent:.0f} s", flush=True)
        if rank == 0 and step % 500 == 0:
            torch.save(model.state_dict(), BUILD / "last.pt")
    if rank == 0:
        torch.save(model.state_dict(), BUILD / "last.pt")
        print(f"{step} steps, about {args.workers * seen} tokens, {time.time() - start:.0f} s", flush=True)


def train(args: argparse.Namespace) -> None:
    BUILD.mkdir(exist_ok=True)
    count = sum(p.numel() for p in Llama().parameters())
    grads, progress = torch.zeros(args.workers, count).share_memory_(), torch.zeros(1).share_memory_()
    barrier = mp.get_context("spawn").Barrier(args.workers)
    mp.spawn(worker, (args, grads, progress, barrier), nprocs=args.workers)
    export()


# ----------------------------------------------------------------------------- export

def hf_tensors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    nq, nk, d = CONFIG["num_attention_heads"], CONFIG["num_key_value_heads"], CONFIG["head_dim"]
    out = {"model.embed_tokens.weight": state["embed.weight"], "model.norm.weight": state["norm.weight"]}
    for i in range(CONFIG["num_hidden_layers"]):
        src, dst = f"layers.{i}.", f"model.layers.{i}."
        q, k, v = state[src + "qkv.weight"].split((nq * d, nk * d, nk * d))
        gate, up = state[src + "gate_up.weight"].chunk(2)
        out |= {
            dst + "input_layernorm.weight": state[src + "n1.weight"],
            dst + "self_attn.q_proj.weight": q,
            dst + "self_attn.k_proj.weight": k,
            dst + "self_attn.v_proj.weight": v,
            dst + "self_attn.o_proj.weight": state[src + "o.weight"],
            dst + "post_attention_layernorm.weight": state[src + "n2.weight"],
            dst + "mlp.gate_proj.weight": gate,
            dst + "mlp.up_proj.weight": up,
            dst + "mlp.down_proj.weight": state[src + "down.weight"],
        }
    return out


def bf16_bytes(t: Tensor) -> bytes:
    """Round to nearest even by torch, then take the upper halves of the floats."""
    bits = t.to(torch.bfloat16).float().contiguous().numpy().view(np.uint32)
    return (bits >> 16).astype("<u2").tobytes()


def export() -> None:
    state = torch.load(BUILD / "last.pt", map_location="cpu")
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, t in sorted(hf_tensors(state).items()):
        raw = bf16_bytes(t)
        header[name] = {"dtype": "BF16", "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    MODEL.mkdir(parents=True, exist_ok=True)
    (MODEL / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + data)
    (MODEL / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    print(f"wrote {MODEL / 'model.safetensors'}")


def main() -> None:
    p = argparse.ArgumentParser()
    p.add_argument("what", choices=["tokenizer", "train", "export"])
    p.add_argument("--steps", type=int, default=7000)
    p.add_argument("--tokens", type=int, default=1536)
    p.add_argument("--lr", type=float, default=2.5e-3)
    p.add_argument("--seed", type=int, default=1234)
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--gsm-share", type=float, default=0.48, help="share of documents in GSM8K form")
    p.add_argument("--alpaca-weight", type=float, default=1.0, help="loss weight of Alpaca answers")
    p.add_argument("--resume", action="store_true", help="begin with build/last.pt (weights only)")
    p.add_argument("--minutes", type=float, default=28)
    args = p.parse_args()
    {"tokenizer": train_tokenizer, "train": lambda: train(args), "export": export}[args.what]()


if __name__ == "__main__":
    main()
