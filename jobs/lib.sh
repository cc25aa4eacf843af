# What the job scripts beside this file share; sourced by them, not run. It finds the program, starts one rank per
# task, passes the end of the time limit on to the ranks, and returns the run's exit code.
#
# Taken from the environment where set:
#   HARNESS           the program: an executable, or words such as "dotnet /opt/harness/harness.dll"
#                     (else out/harness beside jobs/, as `dotnet publish src/Harness -c Release -o out` makes it,
#                     else harness on the PATH)
#   OUT               run directories are made in here (results)
#   GPU_BIND          srun's --gpu-bind. none: every rank sees all GPUs of its node and takes the one of its local
#                     rank, as NCCL wants it. per_task:1: Slurm shows each rank its own GPU alone.
#   SRUN_OPTIONS      more words for srun, such as --mpi=pmix_v4; they win
#   MPIEXEC_OPTIONS   more words for mpiexec
#
# Exit codes: the run's own (0 complete, 3 stopped in order, 4 another job has the run, 1 failed), 2 for a mistake that is
# found before it starts.

JOBS=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
OUT=${OUT:-results}
RUN=$SLURM_JOB_NAME-${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}

export TERM=dumb            # no terminal codes in the log, whatever terminal sbatch was typed in
# Up to two ranks Open MPI binds each to one core by default, which its worker threads and its sampler would share.
export OMPI_MCA_hwloc_base_binding_policy=${OMPI_MCA_hwloc_base_binding_policy:-socket}

say() { echo "$(date +%T) $RUN: $*"; }
fail() { echo "$RUN: $*" >&2; exit 2; }

# find_program: sets the array program
find_program() {
    program=("${HARNESS:-$(ls "$JOBS/../out/harness" 2>/dev/null || type -P harness)}")
    [ -n "${program[0]}" ] || fail "the program is not found: publish it with 'dotnet publish src/Harness -c Release -o out' in the repository, or set HARNESS to the executable or to 'dotnet /path/of/harness.dll'"
    [ -e "${program[0]}" ] || read -ra program <<<"${program[0]}"
    type -P "${program[0]}" >/dev/null || fail "HARNESS is '${HARNESS:-}', but '${program[0]}' is not an executable on $(hostname)"
    local word
    for word in "${program[@]:1}"; do
        case $word in *.dll) [ -e "$word" ] || fail "HARNESS is '$HARNESS', but '$word' does not exist on $(hostname)" ;; esac
    done
}

# find_launcher srun|mpiexec openmpi|mpich: sets the array launcher
find_launcher() {
    case $2 in openmpi|mpich) ;; *) fail "MPI is '$2', but openmpi or mpich (also for Intel MPI and MVAPICH) is expected" ;; esac
    case $1 in
        srun)
            # Without --kill-on-bad-exit the ranks that outlive another wait for it until the time limit.
            launcher=(srun --kill-on-bad-exit=1)
            [ "$2" = openmpi ] && launcher+=(--mpi=pmix) || launcher+=(--mpi=pmi2)
            # Since Slurm 22.05 a step no longer inherits this from the job.
            [ -z "${SLURM_CPUS_PER_TASK:-}" ] || launcher+=("--cpus-per-task=$SLURM_CPUS_PER_TASK")
            [ -z "${SLURM_GPUS_ON_NODE:-}" ] || launcher+=("--gpu-bind=${GPU_BIND:-none}")
            launcher+=(${SRUN_OPTIONS:-}) ;;
        mpiexec)
            # Where both MPIs are installed, one of them owns the name mpiexec: ask for it by its full name, or ask whose it is.
            local name=mpiexec.$2 version
            type -P "$name" >/dev/null || name=mpiexec
            version=$("$name" --version 2>&1) || fail "neither mpiexec.$2 nor mpiexec is there on $(hostname); load the cluster's module for it"
            case $2-$version in
                openmpi-*"Open MPI"*|openmpi-*OpenRTE*|mpich-*HYDRA*|mpich-*Intel*) ;;
                *) fail "MPI is $2, but $(type -P "$name") is another's: $(head -n 1 <<<"$version")" ;;
            esac
            # As Slurm was asked to place them, also where an exclusive node has room for more.
            launcher=("$name" -n "$SLURM_NTASKS")
            [ "$2" = openmpi ] && launcher+=(--map-by "ppr:$SLURM_NTASKS_PER_NODE:node") || launcher+=(-ppn "$SLURM_NTASKS_PER_NODE")
            launcher+=(${MPIEXEC_OPTIONS:-}) ;;
        *) fail "the launcher is '$1', but srun or mpiexec is expected" ;;
    esac
}

# run_ranks srun|mpiexec openmpi|mpich SWITCH...: harness run with these switches, one rank per task; ends the script
run_ranks() {
    local program launcher status signal_by launched='' signalled='' asked=''
    find_launcher "$1" "$2"
    [ "$1-$2" = mpiexec-mpich ] && signal_by=step || signal_by=launcher
    shift 2
    find_program
    # Slurm's USR1 (--signal=B:) reaches this shell alone. A shell that waits in the foreground would act on no signal,
    # and one without a trap would die of it.
    trap 'signalled=1 asked=1; say "the time limit is near: the ranks finish their pass and stop"; ask_to_stop' USR1
    trap 'signalled=1; say "cancelled"' TERM                # Slurm has told the ranks, too
    [ -z "${SLURM_RESTART_COUNT:-}" ] || say "requeued, start $((SLURM_RESTART_COUNT + 1))"
    say "${SLURM_NTASKS:-?} ranks on $SLURM_JOB_NODELIST by ${launcher[*]}"
    "${launcher[@]}" "${program[@]}" run --out "$OUT" --name "$RUN" "$@" & launched=$!
    [ -z "$asked" ] || ask_to_stop
    while :; do
        signalled=''
        wait "$launched"; status=$?
        [ -n "$signalled" ] || break                        # else a signal ended the wait, and the status is its own
    done
    restore_devices
    case $status in
        0) say "complete" ;;
        3) say "stopped in order; finished batches are kept" ;;
        4) say "another job has this run, or has finished it" ;;
        *) say "failed with exit code $status" ;;
    esac
    exit "$status"
}

# ask_to_stop: USR1 to the ranks, by way of their launcher
ask_to_stop() {
    [ -n "$launched" ] || return 0
    # srun and both mpiexecs pass it on, but Hydra (MPICH) then loses the exit codes of nodes with one rank: there the
    # step that it has made for its daemons is signalled instead.
    local step=''
    [ "$signal_by" = launcher ] || step=$(squeue --noheader --steps --jobs="$SLURM_JOB_ID" --format=%i | grep -E '\.[0-9]+$' | tail -n 1)
    [ -z "$step" ] || ! scancel --signal=USR1 "$step" || return 0
    kill -USR1 "$launched" 2>/dev/null || true
}

# restore_devices: a rank that was killed under --power-limits or --sm-clocks has left its GPU changed
restore_devices() {
    local directory
    for directory in "$OUT/$RUN" "$OUT/$RUN"-*; do
        ls "$directory"/restore-rank*.json >/dev/null 2>&1 || continue
        srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 --mpi=none "${program[@]}" restore "$directory" || true
    done
}

# cell FILE N: sets the array switches to the N-th line of FILE, empty lines and comments not counted
cell() {
    [ -r "$1" ] || fail "the list of cells '$1' does not exist"
    [ -n "${2:-}" ] || fail "this is no array job; submit it with --array=1-$(grep -cvE '^[[:space:]]*(#|$)' "$1")"
    local line
    line=$(grep -vE '^[[:space:]]*(#|$)' "$1" | sed -n "$2p")
    [ -n "$line" ] || fail "$1 has $(grep -cvE '^[[:space:]]*(#|$)' "$1") cells and no number $2; submit with --array=1-$(grep -cvE '^[[:space:]]*(#|$)' "$1")"
    read -ra switches <<<"$line"
    say "cell $2: $line"
}

# run_cell srun|mpiexec openmpi|mpich DIR NAME...: the cell of this array task, of which `harness sweep --emit slurm` has
# written DIR/NAME.json; ends the script, at once where the cell is done
run_cell() {
    local launch=$1 mpi=$2 directory=$3 program variable cell
    shift 3
    [ -n "${SLURM_ARRAY_TASK_ID:-}" ] || fail "this is no array job; submit it with --array=1-$#"
    [ "$SLURM_ARRAY_TASK_ID" -ge 1 ] && [ "$SLURM_ARRAY_TASK_ID" -le $# ] || fail "there are $# cells and no number $SLURM_ARRAY_TASK_ID; submit with --array=1-$#"
    cell=${!SLURM_ARRAY_TASK_ID}
    [ -r "$directory/$cell.json" ] || fail "'$directory/$cell.json' does not exist; write the jobs again with harness sweep --emit slurm"
    find_program
    # The cell's file says all.
    for variable in "${!HARNESS_@}"; do case $variable in *__*) unset "$variable" ;; esac; done
    RUN=$("${program[@]}" sweep --config "$directory/$cell.json" --out "$OUT" --next) || exit 2      # it has said why
    [ -n "$RUN" ] || { RUN=$cell; say "complete already"; exit 0; }
    run_ranks "$launch" "$mpi" --config "$directory/$cell.json" --Output:IfTaken=refuse
}
