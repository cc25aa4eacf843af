"""The same cases through transformers' LLaMA in eager mode, on the machine that has both: python3 bench/Torch/eager.py

Random weights of LLaMA 2 7B's shape, or of another: see --help. Prints the columns of torch-bench that both know."""
import argparse
import inspect
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

CONTEXT, WARM_UPS, STEPS, PREFILL_ROWS = 128, 8, 64, 2048

options = argparse.ArgumentParser()
options.add_argument("--name", default="synthetic:2-7b", help="for the first column alone")
options.add_argument("--dtype", default="bf16", choices=["f32", "bf16", "f16"])
for name, value in (("layers", 32), ("hidden", 4096), ("feed-forward", 11008), ("heads", 32), ("key-value-heads", 32), ("vocabulary", 32000)):
    options.add_argument(f"--{name}", type=int, default=value)
options = options.parse_args()

device = "cuda" if torch.cuda.is_available() else "cpu"
config = LlamaConfig(hidden_size=options.hidden, intermediate_size=options.feed_forward, num_hidden_layers=options.layers,
                     num_attention_heads=options.heads, num_key_value_heads=options.key_value_heads, vocab_size=options.vocabulary,
                     max_position_embeddings=4096, attn_implementation="sdpa")
with torch.device(device):
    torch.set_default_dtype({"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[options.dtype])
    model = LlamaForCausalLM(config).eval()
# As in a generation: the head's product for the last row of a prompt alone, where this version can leave out the others.
last = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}


def synchronize():
    if device == "cuda":
        torch.cuda.synchronize()


@torch.no_grad()
def step(tokens, cache):
    synchronize()
    start = time.perf_counter()
    out = model(tokens, past_key_values=cache, use_cache=True, **last)
    tokens = out.logits[:, -1:].argmax(-1)
    tokens.cpu()
    return tokens, out.past_key_values, time.perf_counter() - start


print("model,dtype,case,batch,context,seconds,tokens_per_s")
for batch in (1, 8, 64):
    tokens, cache, _ = step(torch.ones(batch, CONTEXT, dtype=torch.long, device=device), None)
    seconds = 0.0
    for i in range(WARM_UPS + STEPS):
        tokens, cache, elapsed = step(tokens, cache)
        seconds += elapsed if i >= WARM_UPS else 0
    print(f"{options.name},{options.dtype},decode,{batch},{CONTEXT},{seconds / STEPS:.6g},{batch * STEPS / seconds:.1f}", flush=True)
    del cache
prompt = torch.ones(1, PREFILL_ROWS, dtype=torch.long, device=device)
seconds = min(step(prompt, None)[2] for _ in range(3))
print(f"{options.name},{options.dtype},prefill,1,{PREFILL_ROWS},{seconds:.6g},{PREFILL_ROWS / seconds:.1f}")
