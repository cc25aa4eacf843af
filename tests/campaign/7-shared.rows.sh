part "A machine that is shared, and text that is hostile"

# Files have the permissions that the user's umask leaves, no more and no less.
umask_is() {
    local odd
    command_is solo "${model[@]}" --limit 4 --max-new-tokens 4 --meter none
    umask "$1"; mkdir -p "$row/out"; begin; umask 022
    ended 120; expect_code 0
    odd=$(find "$row/out" -type f ! -perm "$2" -printf '%m %f\n'; find "$row/out" -mindepth 1 -type d ! -perm "$3" -printf '%m %f\n')
    [ -z "$odd" ] || wrong "permissions: $(paste -sd, <<<"$odd")"
    note kept "–"; note line "files $2, directories $3"
}
for mask in "022 644 755" "077 600 700" "002 664 775"; do
    row "umask-${mask%% *}" "a umask of ${mask%% *}" umask_is $mask
done

# What a run makes in a /tmp of its own, and where it listens, looked at in mid-batch and after its end.
leaves() {
    needs_root; needs unshare
    command_is solo "${work[@]}"
    launch=(unshare --mount bash -c 'mount -t tmpfs tmpfs "$0" && exec "$@"' "$row/tmp" env "TMPDIR=$row/tmp")
    mkdir "$row/tmp"
    begin
    until_true 240 has_rows 8 || { wrong "no rows came"; return; }
    local inside=/proc/$started/root$row/tmp sockets listening
    # The runtime's own: a pipe and a socket for its diagnostic tools, closed to others, under names with the time of the start.
    local names; names=$(nsenter -t "$started" -m ls -A "$row/tmp" | grep -vE "^(clr-debug-pipe-$started-[0-9]+-(in|out)|dotnet-diagnostic-$started-[0-9]+-socket)$")
    [ -z "$names" ] || wrong "in the directory for temporary files: $(paste -sd, <<<"$names")"
    sockets=$(find "/proc/$started/fd" -lname 'socket:*' -printf '%l\n' 2>/dev/null | tr -dc '0-9\n')
    listening=$(awk '$4 == "0A" { print $10 }' "/proc/$started/net/tcp" "/proc/$started/net/tcp6" 2>/dev/null | grep -xFf <(echo "${sockets:-none}"))
    [ -z "$listening" ] || wrong "it listens on a port"
    ended 300; expect_code 0; is_whole
    note line "nothing but the runtime's own pipe and socket; no port"
}
row "temporary-files" "what a run leaves in /tmp, and where it listens" leaves

# hostile: markup, formulas, escapes and line ends in prompts, ids, categories and the model's name, through everything that shows them
hostile() {
    own_model
    local spoilt="$row/big-<b>\$(touch pwned);'\"&" escape=$'\e'
    mv "$row/big-model" "$spoilt"
    printf '%s\n' '{"id": "=1+1", "category": "=cmd|x", "prompt": "<script>alert(1)</script>\u001b[2J\u001b]0;x\u0007 | a\r\nb"}' \
        '{"id": "</pre><img src=x onerror=alert(1)>", "category": "<b>|`x`", "prompt": "@SUM(1)\u202e $(touch pwned)"}' >"$row/data.jsonl"
    log=$row/log-1; began_at=$EPOCHREALTIME; start_number=1
    (cd "$row" && "${program[@]}" run --model "$spoilt" --data "$row/data.jsonl" --meter none --max-new-tokens 4 --out "$row/out" --name run) >"$log" 2>&1 </dev/null
    note code $?; note seconds "$(seconds_since "$began_at")"; code=$(fact code)
    expect_code 0; no_trace
    (cd "$row" && for words in "verify out/run" "collect out --out all.csv" "report out --out page.html" "report out --markdown page.md" "report out --figures figures"; do
        "${program[@]}" $words </dev/null; echo "$? $words" >>"$row/verbs"; done) >>"$log" 2>&1
    [ -z "$(find "$row" "$repository/pwned" -name pwned 2>/dev/null)" ] || wrong "a shell has run what a name said"
    grep -qvE '^0 ' "$row/verbs" && wrong "verbs that failed: $(grep -vE '^0 ' "$row/verbs" | paste -sd, | cut -c1-200)"
    local file
    for file in "$log" "$row/page.md" "$row/page.html" "$row"/figures/*.svg; do
        [ -f "$file" ] || continue
        ! grep -q "$escape" "$file" || wrong "an escape code in $(basename "$file")"
    done
    for file in "$row/page.html" "$row"/figures/*.svg "$row/page.md"; do
        [ -f "$file" ] || continue
        ! grep -qE '<script>alert|<img src=x|<b>\$|big-<b>' "$file" || wrong "markup in $(basename "$file"): $(grep -oE '.{20}(<script>alert|<img src=x|<b>\$).{10}' "$file" | head -1)"
    done
    ! grep -qE '(^|,)"?[=+@][A-Za-z0-9]' "$row/out/run/prompts.csv" "$row/out/run/categories.csv" "$row/all.csv" || wrong "a formula in a cell"
    note line "$(wc -l <"$row/verbs") verbs"
}
row "hostile-text" "markup, formulas, escapes and line ends in prompts, ids, categories and the model's directory" hostile

# A grid under a name that would end the block of #SBATCH lines, or run a command, submitted to a real Slurm.
hostile_job() {
    cluster
    local place=$row/$'it\'s $(touch pwned) "x" `touch pwned`'
    mkdir "$place"
    (cd "$place" && "${program[@]}" sweep "${model[@]}" --batch 4 --limit 4 --max-new-tokens 4 --meter none --backend cpu --threads 1 \
        --name $'a\n#SBATCH --nodes=9' --out "$place/out" --emit slurm --gpus-per-node 1) >"$row/refused" 2>&1 </dev/null
    [ $? = 1 ] && grep -q '^harness: ' "$row/refused" || wrong "a name with a line end is not refused: $(head -1 "$row/refused")"
    log=$row/log-1; began_at=$EPOCHREALTIME
    (cd "$place" && "${program[@]}" sweep "${model[@]}" --batch 4 --limit 4 --max-new-tokens 4 --meter none --backend cpu --threads 1 \
        --out "$place/out" --emit slurm --gpus-per-node 1) >"$log" 2>&1 </dev/null
    note code $?; code=$(fact code); expect_code 0
    local script; script=$(find "$place/out/slurm" -name '*.sbatch' | head -1)
    [ -n "$script" ] || { wrong "no script: $(tail -1 "$log")"; return; }
    job=$(cd "$place" && HARNESS="$HARNESS" HARNESS_JOBS=$repository/jobs sbatch --parsable --output="$row/job.log" "$script") || { wrong "sbatch refused it"; return; }
    until_job 120 job_over
    until job_over; do moment 0.2; done
    note seconds "$(seconds_since "$began_at")"
    [ "$(job_state)" = COMPLETED ] || wrong "the job ended as $(job_state): $(tail -1 "$row/job.log")"
    [ -z "$(find "$row" "$repository/pwned" -name pwned 2>/dev/null)" ] || wrong "a shell has run what a name said"
    [ -f "$(echo "$place"/out/*/summary.csv)" ] || wrong "no run in the directory that was named"
    note line "the job is $(job_state)"
}
row "hostile-job" "directories with quotes, \$() and blanks in a job script, submitted; a name with a line end" hostile_job
