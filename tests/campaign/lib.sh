# Words for the rows of the campaign; sourced by tests/campaign.sh, not run.
#
# A row's function runs in a shell and a directory ($row) of its own. In the order of a row:
#   command solo|threads|openmpi|mpich SWITCH…   what is to be disturbed, and what is run again afterwards
#   begin; at STAGE; …the fault…; ended SECONDS  starts it, waits for the stage, waits for its end
#   expect_code, expect_kept, expect_line, …     what must be true of the end
#   again                                        the same command undisturbed: exit code 0, outputs of an undisturbed run, verify
# Nothing waits for a time: a stage is a line of the run's log or a file of its directory, an end is an end. Bounds only say when
# a row is red.

# ---- one row
# run_row NAME WHAT CALL: sets $verdict
run_row() {
    row=$out/rows/$1
    rm -rf "$row"; mkdir -p "$row"; mkfifo "$row/.never"
    : >"$row/facts"; : >"$row/wrong"
    (cd "$row" && trap 'leave_nothing' EXIT && eval "$3") >"$row/row.log" 2>&1
    local status=$?
    if [ -s "$row/absent" ]; then verdict=absent
    elif [ $status != 0 ] || [ -s "$row/wrong" ]; then
        verdict=red
        [ -s "$row/wrong" ] || echo "the row's own script ended with $status: $(tail -1 "$row/row.log")" >"$row/wrong"
    else verdict=green; fi
    local shown=$verdict
    [ $verdict = absent ] && shown="not run: $(cat "$row/absent")"
    [ $verdict = red ] && shown="red: $(sort -u "$row/wrong" | paste -sd';')"
    printf '%-34s %s\n' "$1" "$shown"
    printf '%s\t' "$(fact seconds)" "$(fact code)" "$(fact kept)" "$(fact line)" "$(fact then)" "$shown" >"$row/result"
    [ $verdict = red ] || rm -rf "$row/out" "$row"/big*
}

# note NAME VALUE: a fact of the row, one line; the last counts
note() { printf '%s\t%s\n' "$1" "$(tr '\t\n' '  ' <<<"$2" | sed 's/ *$//')" >>"$row/facts"; }
fact() { sed -n "s/^$1\t//p" "$row/facts" | tail -1; }
wrong() { sed "s#$row/##g" <<<"$*" >>"$row/wrong"; }
# not_run REASON: ends the row
not_run() { echo "$*" >"$row/absent"; exit 0; }
# expect WHAT TEST…: the row is red where the test fails
expect() { local what=$1; shift; "$@" || wrong "not so: $what"; }
needs() { local tool; for tool; do type -P "$tool" >/dev/null || not_run "$tool is missing"; done; }
needs_root() { [ "$(id -u)" = 0 ] || not_run "only root may do this"; }

# ---- what is disturbed
# A model of 260 thousand parameters where it is there, else the one that comes with the program.
stories=$repository/../shared/models/stories260K
[ -d "$stories" ] && model=(--model "$(cd "$stories" && pwd)") || model=()
# Long enough to be met in each of its stages: 96 prompts of 40 tokens, twice.
work=("${model[@]}" --dataset demo --ignore-eos --max-new-tokens 40 --batch 4 --repeats 2 --warmup 3 --meter none)

# command LAUNCH SWITCH…: sets the arrays $launch and $run
command_is() {
    how=$1; shift
    launch=() ranks=1
    case $how in
        solo) ;;
        threads) set -- "$@" --tp 2 ;;
        openmpi) needs mpiexec.openmpi; launch=(mpiexec.openmpi --oversubscribe -n 2); ranks=2; set -- "$@" --tp 2 ;;
        openmpi-dp) needs mpiexec.openmpi; launch=(mpiexec.openmpi --oversubscribe -n 2); ranks=2; set -- "$@" --dp 2 ;;
        mpich) needs mpiexec.mpich; launch=(mpiexec.mpich -n 2); ranks=2; set -- "$@" --tp 2 ;;
        *) wrong "no launcher $how"; exit 1 ;;
    esac
    run=("${program[@]}" run "$@" --threads 1 --out "$row/out" --name run)
}

# begin: starts it in a session of its own, with every signal as it is by default, its words in the file log
begin() {
    start_number=$((${start_number:-0} + 1))
    log=$row/log-$start_number
    began_at=$EPOCHREALTIME
    setsid env --default-signal=INT,HUP,QUIT,TERM nice -n 15 "${launch[@]}" "${run[@]}" >"$log" 2>&1 </dev/null &
    started=$!
}

alive() { kill -0 "$started" 2>/dev/null; }         # the shell has reaped it as soon as it has ended
seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }
# A short pause without a process of its own: nobody ever writes to this pipe.
moment() { read -rt "${1:-0.02}" <>"$row/.never" || true; }

# until_true SECONDS TEST…: whether it came true before the run ended or the bound
until_true() {
    local bound=$(($1 * patience)); shift
    local end=$((SECONDS + bound))
    until "$@"; do
        alive || { "$@"; return; }
        [ $SECONDS -lt $end ] || return 1
        moment "${pace:-0.02}"
    done
}

said() { grep -qE -- "$1" "$log" 2>/dev/null; }
# at STAGE: waits until the run is there
at() {
    stage=$1
    case $1 in
        launch) until_true 120 has_every_rank ;;
        load) until_true 120 said '^loading ' ;;
        warm-up) until_true 240 said 'MB of weights read' ;;
        mid-batch) until_true 240 has_rows 8 ;;
        second-repeat) until_true 300 said '^repeat 2: [1-9]' ;;
        gather) pace=0.002 until_true 300 said '^repeat 2: 96 of 96' ;;
        finish) pace=0.002 until_true 300 has_finished_files ;;
        *) wrong "no stage $1"; exit 1 ;;
    esac || { note line "$(last_line)"; wrong "the stage $1 did not come: $(tail -1 "$log")"; return 1; }
}
# Files of a finished run that are there before the last one is: any will do.
has_finished_files() { compgen -G "$row/out/run/steps.jsonl" >/dev/null || compgen -G "$row/out/run/windows.jsonl" >/dev/null; }

descendants() {
    local child
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do echo "$child"; descendants "$child"; done
}
# rank N: the process of that rank; nothing where it is not there (yet)
rank() {
    local process
    [ ${#launch[@]} = 0 ] && { is_harness "$started" && echo "$started"; return; }
    for process in $(descendants "$started"); do
        is_harness "$process" || continue
        tr '\0' '\n' <"/proc/$process/environ" 2>/dev/null | grep -qxE "(OMPI_COMM_WORLD_RANK|PMI_RANK)=$1" && { echo "$process"; return; }
    done
}
is_harness() { tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -q "^${program[*]} run "; }
has_rank() { [ -n "$(rank "$1")" ]; }
has_every_rank() { local i; for i in $(seq 0 $((ranks - 1))); do has_rank "$i" || return 1; done; }
send() { local process; process=$(rank "$2"); [ -n "$process" ] && kill "-$1" "$process" || wrong "there was no rank $2 to send $1 to"; }

# The runtime answers the first SIGSEGV or SIGABRT that comes from outside by taking the default action for the next one.
send_until_gone() {
    local process; process=$(rank "$2")
    [ -n "$process" ] || { wrong "there was no rank $2 to send $1 to"; return; }
    while kill "-$1" "$process" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$process/status" 2>/dev/null; do moment; done
}

# starve PROCESS: its memory cgroup becomes full, and it is the first to be killed
starve() {
    local group balloon
    if [ -d /sys/fs/cgroup/memory ]; then
        group=/sys/fs/cgroup/memory/campaign-$$; mkdir "$group" 2>/dev/null || not_run "no memory cgroup can be made"
        echo 100M >"$group/memory.limit_in_bytes"
    elif grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
        group=/sys/fs/cgroup/campaign-$$; mkdir "$group" 2>/dev/null || not_run "no memory cgroup can be made"
        echo 100M >"$group/memory.max" 2>/dev/null || { rmdir "$group"; not_run "no limit of memory can be set in a cgroup"; }
    else not_run "there are no memory cgroups"; fi
    echo "$1" >"$group/cgroup.procs" || { rmdir "$group"; not_run "a process cannot be put into a memory cgroup"; }
    # tail keeps a line without an end in memory
    echo 1000 >"/proc/$1/oom_score_adj"
    bash -c 'echo $$ >"$0/cgroup.procs"; exec tail -n 1 /dev/zero' "$group" &
    balloon=$!
    until_true 60 gone "$1" || wrong "the kernel did not end rank $1 in a full cgroup"
    kill -KILL $balloon 2>/dev/null; wait $balloon 2>/dev/null
    local i; for i in 1 2 3 4 5 6 7 8 9 10; do rmdir "$group" 2>/dev/null && break; moment 0.1; done
}
gone() { [ ! -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

# ---- what has been finished
# finished: repeat,prompt_index,latency_s of every row on disk, sorted. Rows of unfinished runs lie in prompts.partial.csv.
finished() { finished_in "$row/out/run"; }
finished_in() {
    local file
    for file in "$1"/prompts*.csv; do
        [ -f "$file" ] && awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
            NF >= column["latency_s"] { print $column["repeat"] "," $column["prompt_index"] "," $column["latency_s"] }' "$file"
    done | sort -u
}
has_rows() { [ "$(finished | wc -l)" -ge "$1" ]; }
# outputs DIR: repeat, prompt and ids of every answer, sorted
outputs() {
    sed -nE 's/.*"repeat":([0-9]+).*"prompt_index":([0-9]+).*"output_ids":(\[[0-9,]*\]).*/\1 \2 \3/p' "$1/responses.jsonl" | sort
}

# ---- the end
# ended SECONDS [FROM]: waits for the end of everything the command has started; what takes longer is red, and is killed
ended() {
    local bound=$(($1 * patience)) from=${2:-$EPOCHREALTIME} end
    end=$((SECONDS + bound))
    while alive || [ -n "$(left_over)" ]; do
        if [ $SECONDS -ge $end ]; then
            wrong "it had not ended after $bound s"
            leave_nothing
            break
        fi
        moment 0.05
    done
    wait "$started"; code=$?
    note seconds "$(seconds_since "$from")"
    note code "$code"
    note line "$(last_line)"
    finished >"$row/kept"
    note kept "$(wc -l <"$row/kept")"
}
left_over() { pgrep -f -- "--out $row/out" | grep -vx $$; }
leave_nothing() { local left; left=$(left_over); [ -z "$left" ] || kill -KILL $left 2>/dev/null; }
# The line with which it says what happened; launchers add their own.
last_line() { grep -aE '^harness: |stopped by|^(.* )?is taken: ' "$log" 2>/dev/null | tail -1 | cut -c1-300 | sed "s#$row/##g; s#$repository/##g"; }

expect_code() { local one; for one; do [ "$code" = "$one" ] && return; done; wrong "exit code $code, not $*"; }
expect_failure() { [ "$code" != 0 ] || wrong "exit code 0 although a rank had died"; }
expect_line() { grep -qaE -- "$1" "$log" || wrong "no line '$1' but: $(last_line)"; }
expect_rows() { [ "$(wc -l <"$row/kept")" -ge "$1" ] || wrong "$(wc -l <"$row/kept") rows kept, not at least $1"; }
no_trace() {
    ! grep -qaE '^ +at [A-Z][A-Za-z]+\.|Unhandled exception|this is a defect' "$log" ||
        wrong "a stack trace: $(grep -aE 'Unhandled exception|this is a defect' "$log" | head -1 | cut -c1-200)"
}

# ---- the same command again
# again [SECONDS]: undisturbed; it goes on from what was kept, ends with what an undisturbed run gives, and verify passes
again() {
    local before
    before=$(grep -cv ',$' "$row/kept")
    # The last file of all is summary.csv: the fault came when everything was done. The same command then begins another run beside it.
    if grep -qs ',complete,' "$row/out/run/summary.csv"; then
        is_whole; note then "the run was complete"
        return
    fi
    begin
    local end=$((SECONDS + ${1:-300} * patience))
    while alive && [ $SECONDS -lt $end ]; do moment 0.05; done
    alive && { wrong "the same command had not ended after ${1:-300} s"; leave_nothing; }
    wait "$started"; code=$?
    [ $code = 0 ] || { wrong "the same command ended with $code: $(tail -1 "$log")"; note then "exit code $code"; return; }
    no_trace
    local directory known expected
    directory=$(sed -n 's/^files: //p' "$log" | tail -1)
    known=$(sed -nE 's/^continues .*: ([0-9,]+) answers.*/\1/p' "$log" | tr -d ,)
    [ -n "$known" ] && note then "goes on from $known answers" || note then "begins anew"
    [ "${known:-0}" -ge "$before" ] || wrong "of $before rows on disk the next start knew ${known:-0}"
    finished_in "$directory" >"$row/at-end"
    [ -z "$(comm -23 "$row/kept" "$row/at-end")" ] || wrong "$(comm -23 "$row/kept" "$row/at-end" | wc -l) rows that were kept are not in the end"
    expected=$(reference)
    outputs "$directory" >"$row/outputs"
    cmp -s "$row/outputs" "$expected" || wrong "the outputs are not those of an undisturbed run: $(diff "$row/outputs" "$expected" | head -1)"
    "${program[@]}" verify "$directory" >"$row/verify" 2>&1 || wrong "verify: $(tail -1 "$row/verify")"
}

# is_whole: a run that nothing has ended is what an undisturbed one is
is_whole() {
    outputs "$row/out/run" >"$row/outputs"
    cmp -s "$row/outputs" "$(reference)" || wrong "the outputs are not those of an undisturbed run"
    "${program[@]}" verify "$row/out/run" >"$row/verify" 2>&1 || wrong "verify: $(tail -1 "$row/verify")"
    note then "–"
}

# reference: the file with the outputs of the same work, undisturbed, in one process; made once
reference() {
    local key file
    key=$(printf '%s\n' "${work[@]}" | cksum | cut -d' ' -f1)
    file=$out/references/$key/outputs
    mkdir -p "$out/references"
    exec 9>"$out/references/$key.lock"; flock 9
    if [ ! -s "$file" ]; then
        mkdir -p "$out/references/$key"
        nice -n 15 "${program[@]}" run "${work[@]}" --out "$out/references/$key" --name run --fresh >"$out/references/$key/log" 2>&1 </dev/null
        outputs "$(sed -n 's/^files: //p' "$out/references/$key/log" | tail -1)" >"$file"
    fi
    exec 9>&-
    echo "$file"
}

# ---- the table
cell() { sed 's/|/\\|/g; s/</\&lt;/g; s/^$/–/' <<<"$1"; }
table() {
    local i heading='' seconds code kept line then shown
    for i in "${!names[@]}"; do
        [ -n "${names[$i]}" ] || { heading=${whats[$i]}; continue; }
        if [ -n "$heading" ]; then
            printf '\n### %s\n\n| row | what happens | ends after | exit code | rows kept | it says | the same command then | judged |\n|---|---|---|---|---|---|---|---|\n' "$heading"
            heading=''
        fi
        # Unlike a tab, this separator keeps empty fields apart.
        seconds='' code='' kept='' line='' then='' shown=''
        [ ! -e "$out/rows/${names[$i]}/result" ] || IFS=$'\x1f' read -r seconds code kept line then shown < <(tr '\t' '\037' <"$out/rows/${names[$i]}/result")
        shown=${shown%$'\x1f'}
        printf '| `%s` | %s | %s | %s | %s | %s | %s | %s |\n' "${names[$i]}" "$(cell "${whats[$i]}")" "$(cell "${seconds:+$seconds s}")" \
            "$(cell "$code")" "$(cell "$kept")" "$(cell "$line")" "$(cell "$then")" "$(cell "${shown:-left out}")"
    done
}
counts() {
    echo "$(grep -c '| green |$' "$1") green, $(grep -c '| red: .*|$' "$1") red, $(grep -c '| not run: .*|$' "$1") not run, $(grep -c '| left out |$' "$1") left out"
}
versions() {
    echo "Linux $(uname -r | cut -d- -f1)"
    echo ".NET $(dotnet --list-runtimes | sed -n 's/^Microsoft.NETCore.App \([^ ]*\).*/\1/p' | tail -1)"
    mpiexec.openmpi --version 2>/dev/null | sed -n '1s/.*) /Open MPI /p'
    mpiexec.mpich --version 2>/dev/null | sed -n 's/ *Version: */MPICH /p'
    slurmctld -V 2>/dev/null | sed 's/^slurm/Slurm/'
}
document() {
    cat <<END
# Faults, and what becomes of a run

A run that dies must keep what it had; one that lies is worse. \`tests/campaign.sh\` provokes each fault below, judges what follows, and
writes this page; anyone can run it (\`--list\`, \`--only PATTERN\`). A row is green where

- everything that the command had started has ended within a bound, with the exit code that is documented;
- what it says is one line, and no stack trace;
- no row that was on disk is lost: the same command goes on from all of them;
- it ends with the tokens of a run that nobody has disturbed, and \`harness verify\` passes.

"Ends after" is from the fault to the end of the last process, on a machine that does other things as well; no row is judged by it beyond
its bound. What a machine lacks is "not run", with the reason.

$(counts "$1"): $(nproc) cores, $(versions | paste -sd, | sed 's/,/, /g'), $(date -u +%F).
END
    cat "$1"
}

# tests_that FILTER: those of the test suite that dotnet test chooses by it, the cases of the long form among them
tests_that() {
    ls "$repository"/tests/bin/Release/net*/Harness.Tests.dll >/dev/null 2>&1 ||
        (cd "$repository" && dotnet build tests -c Release -v quiet --nologo) >"$row/build" 2>&1 ||
        not_run "the tests do not build: $(tail -1 "$row/build")"
    began_at=$EPOCHREALTIME
    (cd "$repository" && HARNESS_TEST_LONG=1 nice -n 15 dotnet test tests -c Release --no-build --nologo --filter "$1") >"$row/test" 2>&1
    note code $?; note seconds "$(seconds_since "$began_at")"
    note line "$(grep -oE 'Passed! .*Total: *[0-9]+' "$row/test" | sed 's/ *- */: /; s/  */ /g')"
    [ "$(fact code)" = 0 ] || wrong "$(grep -m1 -E '^ *Failed ' "$row/test")"
}
