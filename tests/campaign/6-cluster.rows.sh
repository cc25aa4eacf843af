part "A job of a cluster: Slurm of two nodes, started for this (tests/Slurm/README.md)"

cluster_tools=$here/Slurm/cluster

# cluster: starts it where it does not run yet, and brings its commands
cluster() {
    needs_root; needs sbatch slurmd munged mpiexec.openmpi
    slurm_state=$out/slurm
    [ -e "$out/slurm.owner" ] || echo $$ >"$out/slurm.owner"
    "$cluster_tools/start-slurm.sh" "$slurm_state" --nodes 2 --cpus 2 --no-private-tmp --until-pid $$ >"$row/cluster" 2>&1 ||
        not_run "Slurm does not start here: $(tail -1 "$row/cluster")"
    . "$slurm_state/env.sh"
    # a node that an earlier row has crashed, or has cut off
    local node
    for node in node1 node2; do node_link $node up 2>/dev/null; state=$slurm_state init_of $node >/dev/null || node_start "$node" >/dev/null 2>&1; done
    until_idle 90 || not_run "the nodes of the cluster do not come up again: $(sinfo -h -N -o '%N %T' | paste -sd, -)"
}
until_idle() {
    local end=$((SECONDS + $1 * patience))
    until [ "$(sinfo -h -N -o %T 2>/dev/null | grep -c '^idle$')" = 2 ]; do
        [ $SECONDS -lt $end ] || return 1
        scontrol update nodename=node1,node2 state=resume 2>/dev/null
        moment 0.5
    done
}
stop_cluster() {
    [ "$(cat "$out/slurm.owner" 2>/dev/null)" = $$ ] || return 0
    "$cluster_tools/stop-slurm.sh" "$out/slurm" --purge --quiet >/dev/null 2>&1
    rm -f "$out/slurm.owner"
}

# job LAUNCHER MPI OPTIONS…: submits the shipped script as a user does, two ranks on two nodes; sets $job
job() {
    local launcher=$1 mpi=$2; shift 2
    log=$row/job.log demo=$(dirname "${program[-1]}")/Demo/gsm8k.jsonl
    sed -e 's/^#SBATCH --nodes=.*/#SBATCH --nodes=2 --ntasks-per-node=1/' \
        -e "s|^MODEL=.*|MODEL=${model[1]:-}|" -e "s|^DATA=.*|DATA=$demo|" "$repository/jobs/many-nodes-$launcher.sbatch" >"$row/job.sbatch"
    [ ${#model[@]} -gt 0 ] || not_run "there is no model in ../shared/models for a job"
    # The last of two equal switches would be refused: what the script itself says is not said again.
    job_words=(--backend cpu --threads 1 --ignore-eos --max-new-tokens 60 --batch 4 --repeats "${repeats:-2}" --warmup 1 --meter none
        --temperature 0 --top-p 1 --limit 48 --Sharding:StallLimit=20s)
    began_at=$EPOCHREALTIME
    job=$(cd "$row" && HARNESS="$HARNESS" HARNESS_JOBS=$repository/jobs OUT=$row/out MPI=$mpi sbatch --parsable --output="$log" --job-name=run "$@" job.sbatch "${job_words[@]}") ||
        { wrong "sbatch: $job"; exit 1; }
    directory=$row/out/run-$job
}
job_state() { scontrol show job -o "$job" | sed -nE 's/.*JobState=([A-Z]+).*/\1/p'; }
until_job() {   # SECONDS TEST…: until it is true, or the job is over
    local end=$((SECONDS + $1 * patience)); shift
    until "$@"; do
        case $(job_state) in PENDING | CONFIGURING | RUNNING | COMPLETING) ;; *) "$@"; return ;; esac
        [ $SECONDS -lt $end ] || return 1
        moment 0.1
    done
}
job_has_rows() { [ "$(finished_in "$directory" | wc -l)" -ge "${1:-8}" ]; }
# A job that has lost a node is put back into the queue by Slurm, where it waits for that node: its start has ended.
job_over() { [ "$(job_state)-$(scontrol show job -o "$job" | sed -nE 's/.* Restarts=([0-9]+).*/\1/p')" = "PENDING-$ends_at_restart" ] && return; job_running && return 1; return 0; }
ends_at_restart=none
job_running() { case $(job_state) in PENDING | CONFIGURING | RUNNING | COMPLETING) return 0 ;; esac; return 1; }
job_ended() {   # SECONDS STATE…: the job ends within the bound, in one of these states
    local bound=$1 one end; shift
    end=$((SECONDS + bound * patience))
    until job_over; do [ $SECONDS -lt $end ] || { wrong "the job had not ended after $bound s"; scancel "$job"; break; }; moment 0.1; done
    until job_over; do scancel "$job" 2>/dev/null; moment 0.1; done
    note seconds "$(seconds_since "$from")"
    code=$(job_state)/$(scontrol show job -o "$job" | sed -nE 's/.* ExitCode=([0-9]+):.*/\1/p')
    note code "$code"
    note line "$(grep -aE '^harness: |stopped by|failed with|stopped in order|: cancelled$' "$log" | tail -1 | cut -c1-250 | sed "s#$row/##g")"
    finished_in "$directory" >"$row/kept"; note kept "$(wc -l <"$row/kept")"
    no_trace
    for one; do [[ $code == $one ]] && return; done
    wrong "the job ended as $code, not as $*"
}
# goes_on: the same command without Slurm, its ranks as threads of one process, from what the job has left
goes_on() {
    work=(--config "$repository/jobs/configs/gpu.json" --model "${model[1]}" --data "$demo" --tp 1 --pp 2 "${job_words[@]}")
    [ ! -d "$directory" ] || mv "$directory" "$row/out/run"
    launch=() ranks=1
    run=("${program[@]}" run "${work[@]}" --out "$row/out" --name run)
    again
}

job_fault() {   # LAUNCHER MPI FAULT SECONDS STATES…
    local launcher=$1 mpi=$2 fault=$3 bound=$4; shift 4
    cluster
    job "$launcher" "$mpi" --time=10
    until_job 240 job_has_rows 8 || { wrong "no rows came: $(tail -2 "$log" | paste -sd' ')"; scancel "$job"; return; }
    from=$EPOCHREALTIME
    case $fault in
        rank) on_node node2 pkill -KILL -f "harness.dll run .*--name run-$job" ;;
        crash) ends_at_restart=1; node_crash node2 ;;
        link) ends_at_restart=1; node_link node2 down ;;
        cancel) scancel "$job" ;;
        limit) scontrol update JobId="$job" TimeLimit=2 ;;
        usr1) scancel --batch --signal=USR1 "$job" ;;
    esac
    job_ended "$bound" "$@"
    scancel "$job" 2>/dev/null
    expect_rows 8
    goes_on
}
for how in "srun openmpi" "mpiexec openmpi" "mpiexec mpich"; do
    name=${how/ /-}
    row "slurm-rank-$name" "$how: the rank on the second node is killed" job_fault $how rank 90 'FAILED/*' 'NODE_FAIL/*'
    row "slurm-cancel-$name" "$how: scancel" job_fault $how cancel 90 'CANCELLED/*'
    row "slurm-usr1-$name" "$how: scancel --batch --signal=USR1, as at a time limit" job_fault $how usr1 90 FAILED/3
done
# Slurm looks at limits once in a while: the job has to be there still.
limit_comes() { local repeats=150; job_fault srun openmpi limit 200 FAILED/3; }
row "slurm-limit-srun-openmpi" "srun openmpi: the time limit comes" limit_comes
row "slurm-crash-srun-openmpi" "srun openmpi: the second node crashes" job_fault srun openmpi crash 180 'FAILED/*' 'NODE_FAIL/*' 'CANCELLED/*' 'PENDING/*'
row "slurm-link-srun-openmpi" "srun openmpi: the second node's cable is cut" job_fault srun openmpi link 180 'FAILED/*' 'NODE_FAIL/*' 'CANCELLED/*' 'PENDING/*'

requeued() {
    cluster
    job srun openmpi --time=10
    until_job 240 job_has_rows 8 || { wrong "no rows came"; scancel "$job"; return; }
    local before; finished_in "$directory" >"$row/kept"; before=$(wc -l <"$row/kept")
    from=$EPOCHREALTIME
    scontrol requeue "$job" || { wrong "scontrol requeue"; return; }
    job_ended 400 COMPLETED/0
    [ "$(wc -l <"$row/kept")" = 96 ] || wrong "$(wc -l <"$row/kept") rows, not 48 twice"
    expect_line 'requeued, start 2'; expect_line 'continues '
    [ "$(sed -nE 's/.*continues .*: ([0-9,]+) answers.*/\1/p' "$log" | tail -1 | tr -d ,)" -ge "$before" ] || wrong "rows were lost"
    "${program[@]}" verify "$directory" >"$row/verify" 2>&1 || wrong "verify: $(tail -1 "$row/verify")"
    note then "goes on by itself"
}
row "slurm-requeue" "scontrol requeue: the same job goes on" requeued

interactive() {
    cluster; needs script
    command_is solo "${model[@]}" --limit 4 --max-new-tokens 4 --meter none
    log=$row/log-1 began_at=$EPOCHREALTIME start_number=1
    { printf '%q ' "${run[@]}"; printf '; exit $?\n'; } >"$row/typed"
    setsid script -qec "srun -N1 -n2 --mpi=pmix --pty bash -i" "$log" >/dev/null 2>&1 <"$row/typed" & started=$!
    ended 120
    expect_code 0; no_trace
    "${program[@]}" verify "$row/out/run" >"$row/verify" 2>&1 || wrong "verify: $(tail -1 "$row/verify")"
}
row "slurm-pty" "srun -n2 --pty bash, and a run in that shell: it is one process" interactive
