part "Inputs change, or are something else"

# A copy of the model that may be spoilt.
own_model() {
    [ ${#model[@]} -gt 0 ] || not_run "there is no model in ../shared/models, and the one of the program is not to be spoilt"
    mkdir "$row/big-model" && cp "${model[1]}"/* "$row/big-model"
}
# changed HOW: what becomes of the weights while the run goes on
changed() {
    own_model
    command_is "$2" --model "$row/big-model" "${work[@]:${#model[@]}}"
    begin; at mid-batch || return 0
    local weights=$row/big-model/model.safetensors
    case $1 in
        cut) truncate -s 4096 "$weights" ;;
        overwritten) dd if=/dev/zero of="$weights" bs=4096 seek=4 count=64 conv=notrunc 2>/dev/null ;;
        replaced) head -c "$(stat -c %s "$weights")" /dev/zero >"$row/big-model/new"; mv "$row/big-model/new" "$weights" ;;
        deleted) rm "$weights" ;;
    esac
    ended 300
    expect_code 0; no_trace; is_whole
}
for how in cut overwritten replaced deleted; do row "weights-$how" "the weights are $how in mid-batch: they had been read" changed $how solo; done
row "weights-cut-openmpi" "the same under Open MPI, cut" changed cut openmpi
row "weights-cut-while-read" "weights cut, overwritten or replaced while they are read: tests, DamagedCheckpointTests" tests_named DamagedCheckpointTests

# refused PATH WHAT VERB WORDS…: one line, at once
refused() {
    local path=$1 what=$2; shift 2
    log=$row/log-1; began_at=$EPOCHREALTIME; start_number=1; launch=() ranks=1
    setsid "${program[@]}" "$@" >"$log" 2>&1 </dev/null & started=$!
    local end=$((SECONDS + 60 * patience))
    while alive; do [ $SECONDS -lt $end ] || { wrong "it had not ended after 60 s"; kill -KILL "$started"; break; }; moment 0.05; done
    wait "$started"; code=$?
    note seconds "$(seconds_since "$began_at")"; note code "$code"
    note line "$(grep -a '^harness: ' "$log" | tail -1 | sed "s#$row/##g")"
    expect_code 1; no_trace; expect_line "$what"
    [ "$(grep -c '^harness: ' "$log")" = 1 ] || wrong "not one line: $(wc -l <"$log")"
}
# instead FILE KIND SWITCH…: something that is no file, at that place of a checkpoint (FILE), or at the end of the switches (-)
instead() {
    local file=$1 kind=$2 path; shift 2
    case $file in
        -) path=$row/input; set -- "$@" "$path" ;;
        *) own_model; path=$row/big-model/$file; rm -f "$path"; set -- "$@" --model "$row/big-model" ;;
    esac
    case $kind in
        pipe) mkfifo "$path"; refused "$path" 'a named pipe, where a file is expected' "$@" ;;
        device) ln -s /dev/zero "$path"; refused "$path" 'a character device, where a file is expected' "$@" ;;
        directory) mkdir "$path"; refused "$path" 'a directory|does not exist|there is no|holds neither|holds no|is expected|nor|no tokenizer|it is not there|does not hold' "$@" ;;
    esac
}
for kind in pipe device directory; do
    for file in config.json model.safetensors tokenizer.model; do
        row "$kind-$file" "a $kind in the place of $file" instead $file $kind run --meter none --out "out"
    done
    row "$kind-data" "a $kind as --data" instead - $kind run --meter none --out out --dataset jsonl --data
    row "$kind-config" "a $kind as --config" instead - $kind run --meter none --out out --config
    row "$kind-grid" "a $kind as a grid" instead - $kind sweep --dry-run --out out --config
    row "$kind-carbon" "a $kind as hourly values" instead - $kind run --meter none --out out --pue 1.1 --embodied 5 --carbon-intensity
done
for kind in pipe device; do row "$kind-replay" "a $kind as a recording" replayed $kind; done
replayed() {
    case $1 in pipe) mkfifo "$row/input" ;; device) ln -s /dev/zero "$row/input" ;; esac
    refused "$row/input" 'where a file is expected' run --out out --meter "replay:$row/input"
}
index() {
    own_model
    rm "$row/big-model/model.safetensors"
    printf '{"weight_map": {"lm_head.weight": "%s"}}' "$1" >"$row/big-model/model.safetensors.index.json"
    refused x 'which is no name of a file beside it' run --meter none --out out --model "$row/big-model"
}
row "index-absolute" "an index that names an absolute path" index /etc/passwd
row "index-upwards" "an index that leads out of its directory" index ../../x.safetensors
