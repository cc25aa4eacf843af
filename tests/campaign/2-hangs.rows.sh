part "A rank hangs, or is slow"

# Within a stage the stall limit is the one that is set; behind the last one it is a minute at the least.

# hangs LAUNCH RANK STAGE: a stopped process answers nothing; after the stall limit the others end the job
hangs() {
    local hung
    command_is "$1" "${work[@]}" --Sharding:StallLimit=4s
    begin; at "$3" || return 0
    hung=$(rank "$2")
    local from=$EPOCHREALTIME
    kill -STOP "$hung"
    # The launcher ends it, or cannot, as one that no signal but SIGKILL reaches: then it is this script's to end, like a node's.
    until_true 150 ends_but "$hung" || wrong "the others had not noticed after 150 s"
    kill -KILL "$hung" 2>/dev/null
    ended 60 "$from"
    expect_failure; no_trace; expect_line 'no progress for [0-9.]+ s; a peer has probably died'
    again
}
# Whether every other rank has ended.
ends_but() { local i; for i in $(seq 0 $((ranks - 1))); do local one; one=$(rank "$i"); [ -z "$one" ] || [ "$one" = "$1" ] || return 1; done; }
for mpi in openmpi mpich; do
    for stage in load warm-up mid-batch gather; do
        row "STOP-$mpi-rank1-$stage" "two ranks under $mpi, rank 1 hangs at $stage; --Sharding:StallLimit=4s" hangs $mpi 1 $stage
    done
    row "STOP-$mpi-rank0-mid-batch" "two ranks under $mpi, rank 0 hangs in mid-batch; --Sharding:StallLimit=4s" hangs $mpi 0 mid-batch
done

# slow LAUNCH: stopped for half of every second, twenty times; nobody takes it for dead
slow() {
    local process i
    command_is "$1" "${work[@]}" --Sharding:StallLimit=5s
    begin; at mid-batch || return 0
    process=$(rank 1)
    for i in $(seq 20); do
        kill -STOP "$process" 2>/dev/null || break; moment 0.5
        kill -CONT "$process" 2>/dev/null || break; moment 0.5
    done
    ended 300
    expect_code 0; no_trace; expect_rows 192
    is_whole
}
for mpi in openmpi mpich; do
    row "slow-$mpi" "two ranks under $mpi, rank 1 stands still for half of each of 20 seconds; --Sharding:StallLimit=5s" slow $mpi
done
# paused for longer than nothing: with the limit that is set by default a suspended job goes on
suspended() {
    local process
    command_is "$1" "${work[@]}"
    begin; at mid-batch || return 0
    for process in $(rank 0) $(rank 1); do kill -STOP "$process"; done
    moment 10
    for process in $(rank 0) $(rank 1); do kill -CONT "$process"; done
    ended 300
    expect_code 0; no_trace; expect_rows 192
    is_whole
}
row "suspended-openmpi" "a job is suspended for 10 s and goes on (scontrol suspend, Ctrl-Z and fg)" suspended openmpi
