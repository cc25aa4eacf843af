part "Storage fails"

# full SIZE: the storage ends at each file in turn, as its size is stepped; then there is room, and the same command goes on
full() {
    needs_root
    command_is "${2:-solo}" "${work[@]}"
    mkdir -p "$row/out" && mount -t tmpfs -o "size=$1" tmpfs "$row/out" 2>/dev/null || not_run "no tmpfs can be mounted"
    begin
    ended 300
    no_trace
    if [ "$code" = 0 ]; then is_whole; note line "it was large enough"; else
        expect_code 1; expect_line 'cannot write .*: the disk or the quota is full; free some space'
        mount -o remount,size=64m "$row/out"
        again
    fi
    umount -l "$row/out"
}
for size in 4k 8k 16k 32k 128k 384k 512k 768k 1000k 1200k 1400k; do
    row "full-$size" "the storage holds $size and is full" full $size
done
row "full-256k-openmpi" "two ranks under Open MPI, the storage holds 256k and is full" full 256k openmpi

# A file system of a disk, mounted at the run's directory: ext4_at_out OPTIONS…
ext4_at_out() {
    needs_root; needs mkfs.ext4 losetup
    head -c 32M /dev/zero >"$row/big-disk" && mkfs.ext4 -q "$@" "$row/big-disk" >/dev/null 2>&1 || not_run "no ext4 can be made"
    mkdir -p "$row/out" && mount -o loop,errors=remount-ro "$row/big-disk" "$row/out" 2>/dev/null || not_run "no file system can be mounted from a file"
}
read_only() {
    command_is solo "${work[@]}"
    ext4_at_out
    begin; at mid-batch || return 0
    local from=$EPOCHREALTIME
    # What the kernel does on its own when a disk begins to fail.
    mount -o remount,abort "$row/out" 2>/dev/null || { umount -l "$row/out"; not_run "this file system cannot be told that its disk fails"; }
    ended 120 "$from"
    expect_code 1; no_trace; expect_line 'cannot write '
    umount "$row/out" && fsck.ext4 -p "$row/big-disk" >/dev/null 2>&1
    mount -o loop "$row/big-disk" "$row/out" || wrong "the file system cannot be mounted again"
    finished >"$row/kept"; note kept "$(wc -l <"$row/kept")"
    again
    umount -l "$row/out"
}
row "read-only" "the file system becomes read-only in mid-batch, as on a failing disk, and is mended" read_only

# What the kernel here cannot do itself (quotas in this file system, a server of NFS) a file system of ours answers with the same error.
faulty_at_out() {
    needs_root; needs fusermount3
    /usr/bin/python3 -c "import fusepy" 2>/dev/null || not_run "python3-fusepy is not there"
    mkdir -p "$row/behind" "$row/out"
    /usr/bin/python3 "$here/campaign/faulty_fs.py" "$row/behind" "$row/out" "$row/fault" >"$row/faulty-fs.log" 2>&1 &
    local i; for i in $(seq 200); do mountpoint -q "$row/out" && return; moment 0.05; done
    not_run "no file system of ours can be mounted: $(tail -1 "$row/faulty-fs.log")"
}
# answers_with ERROR LINE: in mid-batch, until it is mended
answers_with() {
    command_is solo "${work[@]}"
    faulty_at_out
    begin; at mid-batch || { umount -l "$row/out"; return 0; }
    local from=$EPOCHREALTIME
    echo "$1" >"$row/fault"
    ended 120 "$from"
    expect_code 1; no_trace; expect_line "$2"
    rm "$row/fault"
    finished >"$row/kept"; note kept "$(wc -l <"$row/kept")"; expect_rows 8
    again
    umount -l "$row/out"
}
row "quota" "a quota is reached (EDQUOT at every write), and raised" answers_with EDQUOT 'cannot write .*: the disk or the quota is full'
# full_at FILE [goes-on]: whatever would write this file finds no space left. Where it is a sign of life alone, or takes its rows from
# the file of another name, the run does without.
full_at() {
    # 80 W by the machine's clock
    cat >"$row/meter.sh" <<'METER'
while kill -0 $PPID 2>/dev/null; do awk '{ printf "J %.3f\n", $1 * 80; fflush() }' /proc/uptime; sleep 0.05; done
METER
    work=("${work[@]/#none/command:sh $row/meter.sh}" --sample-interval 1s --carbon-intensity 400 --pue 1.2 --embodied 150)
    command_is solo "${work[@]}"
    faulty_at_out
    echo "ENOSPC *$1*" >"$row/fault"
    begin
    ended 120
    rm "$row/fault"
    if [ "${2:-}" = goes-on ]; then expect_code 0; is_whole; else
        expect_code 1; no_trace; expect_line "cannot write .*$1.*: the disk or the quota is full; free some space"
        again
    fi
    umount -l "$row/out"
}
for file in alive.json responses.jsonl; do row "full-at-$file" "no space is left for $file" full_at "$file" goes-on; done
for file in manifest.json journal.partial.bin energy-rank-000.partial.bin prompts.partial.csv responses.partial.jsonl \
    prompts.csv categories.csv ranks.csv power.csv windows.jsonl steps.jsonl energy.json carbon.json summary.csv; do
    row "full-at-$file" "no space is left for $file" full_at "$file"
done
row "stale-handle" "handles become stale (ESTALE), as NFS says it, until the server is back" answers_with ESTALE 'cannot write .*: [Ss]tale'

# moved: rows are no longer where they would be looked for, and nobody is told that they are kept
moved() {
    command_is solo "${work[@]}"
    begin; at mid-batch || return 0
    mv "$row/out/run" "$row/elsewhere"
    ended 60
    expect_code 1; no_trace; expect_line 'has been deleted or moved away'
    mkdir -p "$row/out"; rm -rf "$row/out/run"; mv "$row/elsewhere" "$row/out/run"
    finished >"$row/kept"; note kept "$(wc -l <"$row/kept")"; expect_rows 8
    again
}
row "moved" "the run's directory is moved away in mid-batch, and back" moved
deleted() {
    command_is solo "${work[@]}"
    begin; at mid-batch || return 0
    rm -rf "$row/out/run"
    ended 60
    expect_code 1; no_trace; expect_line 'deleted|not there'
    again
}
row "deleted" "the run's directory is deleted in mid-batch" deleted
not_writable() {
    needs setpriv
    command_is solo "${work[@]}"
    mkdir -p "$row/out"; chmod 755 "$row" "$row/out"
    [ "$(id -u)" = 0 ] || not_run "only root can be another user"
    launch=(setpriv --reuid 65534 --clear-groups env HOME=/nonexistent)
    begin; ended 60
    expect_code 1; no_trace; expect_line 'cannot write .*(there is no permission|Permission denied)'
    launch=(); again
}
row "no-permission" "the directory of the runs may not be written" not_writable

# at_once COUNT SWITCH…: as many processes with one name at the same moment
at_once() {
    local count=$1 i codes=() pids=() directories
    shift
    # one thread and few prompts each: they are many
    work=("${model[@]}" --dataset demo --limit 8 --max-new-tokens 8 --batch 4 --meter none)
    command_is solo "${work[@]}" "$@"
    began_at=$EPOCHREALTIME
    for i in $(seq "$count"); do
        nice -n 15 "${run[@]}" >"$row/log-$i" 2>&1 </dev/null & pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i"; codes+=($?); done
    note seconds "$(seconds_since "$began_at")"
    note code "$(printf '%s\n' "${codes[@]}" | sort | uniq -c | awk '{ printf "%s%s of %s", (NR > 1 ? ", " : ""), $2, $1 }')"
    log=$row/log-1; cat "$row"/log-* >"$row/all"; log=$row/all; no_trace
    directories=$(ls "$row/out" | wc -l)
    if [ $# -gt 0 ]; then
        [ "$(printf '%s\n' "${codes[@]}" | grep -cx 0)" = 1 ] || wrong "not one of them had the run, but $(printf '%s\n' "${codes[@]}" | grep -cx 0)"
        [ "$(printf '%s\n' "${codes[@]}" | grep -cx 4)" = $((count - 1)) ] || wrong "the others did not end with 4: $(fact code)"
        [ "$directories" = 1 ] || wrong "$directories directories"
        note line "$(grep -h 'is taken' "$row/all" | head -1)"
    else
        [ "$(printf '%s\n' "${codes[@]}" | grep -cx 0)" = "$count" ] || wrong "not all ended with 0: $(fact code)"
        [ "$directories" = "$count" ] || wrong "$directories directories of $count runs"
    fi
    for i in "$row"/out/*; do
        outputs "$i" | cmp -s - "$(reference)" || wrong "the outputs in $(basename "$i") are not those of an undisturbed run"
        "${program[@]}" verify "$i" >"$row/verify" 2>&1 || wrong "verify: $(tail -1 "$row/verify")"
    done
    note kept "$directories directories"
}
row "two-at-once" "two runs of one name at once: each has a directory" at_once 2
row "twenty-at-once" "twenty runs of one name at once: each has a directory" at_once 20
row "two-at-once-refuse" "two at once with --Output:IfTaken=refuse: one has the run" at_once 2 --Output:IfTaken=refuse
row "twenty-at-once-refuse" "twenty at once with --Output:IfTaken=refuse: one has the run" at_once 20 --Output:IfTaken=refuse

row "journals-cut" "every journal cut at every length: tests, CutJournalTests" tests_that FullyQualifiedName~CutJournalTests
