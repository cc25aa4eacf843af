#!/usr/bin/env bash
# What this program does on a machine with an NVIDIA GPU and no network, in 8 minutes:
#   tests/gpu.sh --pack DIR          here, with the .NET SDK: a folder to carry there, and DIR.tar.gz
#   DIR/gpu.sh                       there (or tests/gpu.sh DIR [RESULTS]): a line for each question, raw output in RESULTS
# There it needs python3 and a libtorch: that of LIBTORCH=FOLDER, else that of python3's torch. A line is 'ok', 'FAILED' or 'not run'
# with figures or a reason; it ends with 0 if nothing failed. Without a GPU it runs to its end on the CPU at small shapes, and takes
# what time it needs.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
end() { echo "gpu.sh: $*" >&2; exit 1; }

pack() {
    local folder=$1 root stories text bytes
    root=$(cd "$here/.." && pwd) stories=$root/../shared/models/stories260K
    [ ! -e "$folder" ] || end "$folder exists; name a new folder, or delete it"
    mkdir -p "$folder/lib" || exit 1
    folder=$(cd "$folder" && pwd)
    for project in src/Harness bench/Torch; do
        dotnet publish "$root/$project" -c Release -r linux-x64 --self-contained -p:LibTorch= -o "$folder/bin" >"$folder.log" 2>&1 ||
            end "$project does not build, see $folder.log: $(grep -m 1 error "$folder.log")"
    done
    rm "$folder.log"
    cp "$here/gpu.sh" "$here/gpu/compare.py" "$here/gpu/text.txt" "$root/bench/Torch/eager.py" "$folder"
    if [ -f "$stories/reference.json" ]; then
        mkdir "$folder/stories260K"
        cp "$stories"/{config.json,model.safetensors,tokenizer.model,reference.json} "$folder/stories260K"
        chmod -R u+w "$folder/stories260K"
    else
        echo "shared/models/stories260K is not beside the repository: the line of the 199 ids will not run"
    fi
    # .NET's SHA-256 is OpenSSL's, which a machine whose Python brings its own may lack.
    for library in libssl.so.3 libcrypto.so.3; do
        cp "$(ldconfig -p | sed -n "s/.*$library .*x86-64.*=> //p" | head -n 1)" "$folder/lib" 2>/dev/null || echo "this machine has no $library to carry"
    done
    tar -C "$(dirname "$folder")" -czf "$folder.tar.gz" "$(basename "$folder")" || exit 1
    bytes=$(stat -c %s "$folder.tar.gz")
    text=$(awk "BEGIN { printf \"%.1f MB\", $bytes / 1e6 }")
    [ "$bytes" -lt 60000000 ] || end "$folder.tar.gz has $text, 60 MB is the limit"
    echo "$folder.tar.gz: $text; there: tar xzf $(basename "$folder").tar.gz && $(basename "$folder")/gpu.sh"
}

# say STATE NAME TEXT: each line of the text by itself.
say() {
    local line
    while IFS= read -r line; do printf '%-7s  %-10s  %s\n' "$1" "$2" "$line" | tee -a "$results/summary.txt"; done <<<"$3"
}

# step NAME FUNCTION…: what the function prints are its figures, or why it failed. A failure does not end the check.
step() {
    local name=$1 detail; shift
    if detail=$("$@"); then say ok "$name" "$detail"; else say FAILED "$name" "$detail"; return 1; fi
}

not_run() { say 'not run' "$1" "$2"; }

# logged NAME SECONDS COMMAND…: its output in NAME.out and NAME.err; where it fails, prints why. Ends when all time is over, too.
logged() {
    local name=$1 seconds=$(($2 * patience)) left=$((limit - SECONDS)) status; shift 2
    [ "$left" -gt 0 ] || { echo "the $limit s are over"; return 1; }
    [ "$seconds" -lt "$left" ] || seconds=$left
    timeout -k 5 "$seconds" "$@" </dev/null >"$results/$name.out" 2>"$results/$name.err"
    status=$?
    case $status in
        0) return 0 ;;
        124 | 137) echo "had not ended after $seconds s: $(last "$name")" ;;
        *) echo "exit code $status: $(last "$name")" ;;
    esac
    return "$status"
}

# A program's own last word: its one line of error, else the last line at all.
last() {
    grep -m 1 -E '^(harness|torch-bench): |^Unhandled exception' "$results/$1.err" || cat "$results/$1.out" "$results/$1.err" | grep -v '^ *$' | tail -n 1
}

compare() { python3 "$folder/compare.py" "$@" 2>>"$results/compare.err"; }

examine() {
    local line
    # Which of the shim's symbols this libtorch lacks, if any: the loader names only the first.
    LD_LIBRARY_PATH=$libtorch:${LD_LIBRARY_PATH:-} timeout 60 ldd -r "$folder/bin/libLibTorchSharp.so" >"$results/symbols.txt" 2>&1
    logged doctor 60 "${harness[@]}" doctor --libtorch "$libtorch" --out "$results" --format json || return 1
    if ! line=$(compare doctor "$results/doctor.out"); then
        echo "$line ($(grep -c 'undefined symbol' "$results/symbols.txt") symbols are missing, see symbols.txt)"
        return 1
    fi
    echo "$line"
    [ "$gpu" = no ] || [[ $line == *cuda:0* ]]
}

# 199 greedy tokens after beginning-of-text, in float32.
reference_ids() {
    echo '{"prompt": ""}' >"$results/beginning.jsonl"
    logged ids 60 "${harness[@]}" run --model "$model" --dtype f32 --data "$results/beginning.jsonl" --max-new-tokens 199 --ignore-eos --backend torch \
        --libtorch "$libtorch" --meter none --warmup 0 --out "$results" --name ids || return
    compare ids "$results/ids/responses.jsonl" "$folder/stories260K/reference.json"
}

# logits DTYPE COMPARISON…: of text.txt, by libtorch and by the CPU backend with the same weights and float32 activations.
logits() {
    local dtype=$1 command=$2 backend; shift 2
    for backend in cpu torch; do
        logged "$dtype-$backend" 60 "${harness[@]}" score --model "$model" --dtype "$dtype" --text "$folder/text.txt" --backend "$backend" \
            --libtorch "$libtorch" --out "$results/$dtype-$backend.jsonl" --logits "$results/$dtype-$backend.npy" || return
    done
    compare "$command" "$results/$dtype-torch.npy" "$results/$dtype-cpu.npy" "$@"
}

speed() {
    logged speed 150 "$bench" "$shape" bf16 "$libtorch" || return
    head -n 2 "$results/speed.err"
    compare speed "$results/speed.out"
}

eager() {
    logged eager 120 python3 "$folder/eager.py" --name "$shape" "${dimensions[@]}" || return
    compare eager "$results/speed.out" "$results/eager.out"
}

# metered NAME METER WATTS SWITCHES…: three repeats; the idle devices are watched first.
metered() {
    local name=$1 meter=$2 watts=$3; shift 3
    logged "$name" 120 "${harness[@]}" run --model "$shape" --dtype bf16 --libtorch "$libtorch" --batch 8 --ignore-eos --repeats 3 --warmup 1 \
        --meter "$meter" --out "$results" --name "$name" "$@" || return
    compare energy "$results/$name/summary.csv" "$watts"
}

# By NVML, while nvidia-smi, where there is one, reads the same board.
by_nvml() {
    local watcher='' status
    if command -v nvidia-smi >/dev/null; then
        nvidia-smi -i "${CUDA_VISIBLE_DEVICES:-0}" --query-gpu=power.draw --format=csv,noheader,nounits -lms 200 >"$results/watts.txt" 2>&1 &
        watcher=$!
    fi
    metered nvml nvml "$results/watts.txt" "$@"
    status=$?
    [ -z "$watcher" ] || kill "$watcher"
    return "$status"
}

verified() {
    logged "verify-$1" 30 "${harness[@]}" verify "$results/$1" || return
    local line; line=$(last "verify-$1"); echo "${line#*: }"
}

exhausted() {
    logged memory 60 "$bench" memory "$libtorch" || return
    cat "$results/memory.out"
}

# 20,000 sequences of synthetic:7b are 2.7 TB of keys and values: the run must end before it loads, with one line.
refused() {
    yes '{"prompt": "x"}' | head -n 20000 >"$results/many.jsonl"
    if logged refused 60 "${harness[@]}" run --model synthetic:7b --dtype bf16 --backend torch --libtorch "$libtorch" --data "$results/many.jsonl" \
        --batch 20000 --max-new-tokens 256 --ignore-eos --meter none --out "$results" --name refused >/dev/null; then echo "the run was not refused"; return 1; fi
    last refused
    [[ $(last refused) == *"use more ranks"* ]] && ! grep -q "of weights read" "$results/refused.err"
}

check() {
    folder=$(cd "$1" && pwd) || exit 1
    results=${2:-gpu-results-$(date -u +%Y%m%dT%H%M%SZ)} harness=("$folder/bin/harness") bench=$folder/bin/torch-bench
    [ -x "${harness[0]}" ] && [ -x "$bench" ] || end "$folder holds no bin/harness and bin/torch-bench; make it with tests/gpu.sh --pack"
    command -v python3 >/dev/null || end "python3 is not here; it finds libtorch and compares the figures"
    libtorch=${LIBTORCH:-$(python3 -c 'import importlib.util as u, os; s = u.find_spec("torch"); print(os.path.join(os.path.dirname(s.origin), "lib") if s else "")')}
    [ -n "$libtorch" ] || end "no libtorch: python3 has no torch; set LIBTORCH to the folder of libtorch_cpu.so"
    mkdir -p "$results" && results=$(cd "$results" && pwd) || exit 1
    [ ! -e "$results/summary.txt" ] || end "$results holds an earlier check; name another folder"
    # For harness alone: Python has been built with its own.
    { ldconfig -p || /sbin/ldconfig -p; } 2>/dev/null | grep -q 'libssl\.so' || harness=(env "LD_LIBRARY_PATH=$folder/lib:${LD_LIBRARY_PATH:-}" "${harness[@]}")
    model=$folder/stories260K
    [ -d "$model" ] || model=$folder/bin/Demo/model

    local detail torch=yes measured=no
    if detail=$(compare device); then
        gpu=yes limit=480 patience=1 shape=synthetic:2-7b dimensions=()
        say ok device "$detail"
    else
        gpu=no limit=3600 patience=5 shape=synthetic:tiny
        # The same shape, for transformers.
        dimensions=(--layers 8 --hidden 128 --feed-forward 344 --heads 16 --key-value-heads 8 --vocabulary 512)
        export OMP_WAIT_POLICY=passive      # libtorch's threads give way to a machine's other work
        not_run device "$detail; what follows is computed on the CPU at small shapes"
    fi
    step doctor examine || torch=no

    if [ "$torch" = no ]; then
        for name in ids logits bf16 f16 speed memory refused; do not_run "$name" "libtorch does not compute here, see doctor"; done
    else
        if [ -d "$folder/stories260K" ]; then step ids reference_ids; else not_run ids "the model of the 199 ids was not packed"; fi
        step logits logits f32 logits 1e-3
        step bf16 logits bf16 rounding 8 "$model/config.json"
        step f16 logits f16 rounding 11 "$model/config.json"
        [ "$gpu" = yes ] || not_run speed "synthetic:2-7b: no GPU; $shape on the CPU in its place"
        step speed speed && measured=yes
        [ "$gpu" = yes ] || not_run memory "of a GPU: no GPU; the host's in its place"
        step memory exhausted
        step refused refused
    fi
    if ! python3 -c 'import importlib.util as u, sys; sys.exit(not (u.find_spec("torch") and u.find_spec("transformers")))'; then
        not_run eager "python3 has no torch or no transformers"
    elif [ "$measured" = no ]; then
        not_run eager "there is no speed to put beside it"
    else
        step eager eager
    fi
    if [ "$gpu" = yes ] && [ "$torch" = yes ]; then
        step nvml by_nvml --backend torch --limit 16 --max-new-tokens 128 --idle-baseline 5s && step verify verified nvml
    elif [ "$gpu" = yes ]; then
        # Of an idle GPU: the meter is tried all the same.
        shape=synthetic:tiny
        step nvml by_nvml --backend cpu --limit 16 --max-new-tokens 128 --idle-baseline 5s && step verify verified nvml
    else
        not_run nvml "no GPU; a meter that says 100 W in its place"
        step energy metered energy 'command:sh -c "while echo W 100; do sleep 0.1; done"' 100 --backend torch --limit 8 --max-new-tokens 16 \
            --sample-interval 500ms --idle-baseline 1s && step verify verified energy
    fi

    count() { grep -c "^$1 " "$results/summary.txt"; }
    echo "$(count ok) ok, $(count FAILED) failed, $(count 'not run') not run in $SECONDS s; raw output: $results" | tee -a "$results/summary.txt"
    ! grep -q '^FAILED' "$results/summary.txt"
}

if [ "${1:-}" = --pack ] && [ $# = 2 ]; then
    pack "$2"
elif [ $# -le 2 ] && [[ ${1:-} != -* ]]; then
    check "${1:-$here}" "${2:-}"
else
    end "use gpu.sh --pack DIR, gpu.sh DIR [RESULTS], or gpu.sh beside bin/"
fi
