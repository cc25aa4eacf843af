"""The same cases through transformers' LLaMA in eager mode, on the machine that has both: python3 bench/Torch/eager.py

Random bf16 weights of LLaMA 2 7B's shape; prints the columns of torch-bench that both know."""
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

CONTEXT, WARM_UPS, STEPS, PREFILL_ROWS = 128, 8, 64, 2048
NAME = "synthetic:2-7b"

config = LlamaConfig(hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32,
                     num_key_value_heads=32, vocab_size=32000, max_position_embeddings=4096, attn_implementation="sdpa")
with torch.device("cuda"):
    torch.set_default_dtype(torch.bfloat16)
    model = LlamaForCausalLM(config).eval()


@torch.no_grad()
def step(tokens, cache):
    torch.cuda.synchronize()
    start = time.perf_counter()
    out = model(tokens, past_key_values=cache, use_cache=True)
    tokens = out.logits[:, -1:].argmax(-1)
    tokens.cpu()
    return tokens, out.past_key_values, time.perf_counter() - start


print("model,dtype,case,batch,context,seconds,tokens_per_s")
for batch in (1, 8, 64):
    tokens, cache, _ = step(torch.ones(batch, CONTEXT, dtype=torch.long, device="cuda"), None)
    seconds = 0.0
    for i in range(WARM_UPS + STEPS):
        tokens, cache, elapsed = step(tokens, cache)
        seconds += elapsed if i >= WARM_UPS else 0
    print(f"{NAME},bf16,decode,{batch},{CONTEXT},{seconds / STEPS:.6g},{batch * STEPS / seconds:.1f}")
    del cache
prompt = torch.ones(1, PREFILL_ROWS, dtype=torch.long, device="cuda")
seconds = min(step(prompt, None)[2] for _ in range(3))
print(f"{NAME},bf16,prefill,1,{PREFILL_ROWS},{seconds:.6g},{PREFILL_ROWS / seconds:.1f}")
