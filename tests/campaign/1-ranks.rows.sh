part "A rank dies"

# dies LAUNCH RANK STAGE SIGNAL
dies() {
    command_is "$1" "${work[@]}"
    begin; at "$3" || return 0
    send_until_gone "$4" "$2"
    ended 90
    expect_failure; no_trace
    again
}

# A fault in the program itself may show where it was; what was finished is kept all the same.
faults() {
    command_is "$1" "${work[@]}"
    begin; at mid-batch || return 0
    send_until_gone "$3" "$2"
    ended 90
    expect_failure; expect_rows 8
    again
}

for stage in launch load warm-up mid-batch gather finish; do
    row "KILL-solo-$stage" "one process, SIGKILL at $stage" dies solo 0 $stage KILL
    for mpi in openmpi mpich; do
        for rank in 0 1; do
            row "KILL-$mpi-rank$rank-$stage" "two ranks under $mpi, SIGKILL to rank $rank at $stage" dies $mpi $rank $stage KILL
        done
    done
done
for signal in ABRT SEGV; do
    row "$signal-solo" "one process, SIG$signal in mid-batch" faults solo 0 $signal
    for mpi in openmpi mpich; do row "$signal-$mpi" "two ranks under $mpi, SIG$signal to rank 1 in mid-batch" faults $mpi 1 $signal; done
done

# The kernel's killer: the rank is put into a memory cgroup with something that takes all there is, and is to be killed before it.
out_of_memory() {
    needs_root
    command_is "$1" "${work[@]}"
    begin; at mid-batch || return 0
    starve "$(rank "$2")"
    ended 90
    expect_failure; no_trace; expect_rows 8
    again
}
for how in solo openmpi mpich; do
    row "OOM-$how" "$how, the kernel's out-of-memory killer takes the last rank in mid-batch" out_of_memory $how $([ $how = solo ] && echo 0 || echo 1)
done
