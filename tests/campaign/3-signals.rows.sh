part "It is told to stop"

# stops LAUNCH STAGE SIGNAL TO: to the launcher, as a person or a script does, or to every process, as a terminal does
stops() {
    command_is "$1" "${work[@]}"
    begin; at "$2" || return 0
    tell "$3" "$4"
    ended 90
    case $1-$3 in
        # Open MPI's mpiexec itself returns 1 then, and kills its ranks two seconds later: on a busy machine before they have written all.
        openmpi-INT | openmpi-TERM | openmpi-HUP) expect_code 1 3; expect_rows 8 ;;
        # MPICH's mpiexec is ended by it, and takes its ranks along.
        mpich-HUP) expect_code 129; expect_rows 8 ;;
        *) expect_code 3; expect_line 'stopped by .*; finished batches are kept' ;;
    esac
    no_trace
    again
}
tell() {
    case $2 in
        launcher) kill "-$1" "$started" ;;
        all) kill "-$1" -- $(descendants "$started") "$started" ;;
    esac 2>/dev/null
}
for stage in load warm-up mid-batch; do
    for signal in INT TERM USR1 HUP; do
        row "$signal-solo-$stage" "one process, SIG$signal at $stage" stops solo $stage $signal launcher
    done
done
for how in threads openmpi mpich; do
    for signal in INT TERM USR1 HUP; do
        row "$signal-$how-mid-batch" "$how, SIG$signal to the launcher in mid-batch" stops $how mid-batch $signal launcher
    done
done

# twice LAUNCH SIGNAL: a second Ctrl-C ends at once; SIGTERM and SIGUSR1 twice are once
twice() {
    command_is "$1" "${work[@]}"
    begin; at mid-batch || return 0
    tell "$2" launcher; tell "$2" launcher
    ended 60
    case $2 in
        INT) expect_code 3 130 1 ;;
        *) expect_code 3 ;;
    esac
    no_trace
    again
}
# One prompt at a time, and long answers: a repeat that lasts, however quick the machine is.
stops_in_second_repeat() { local work=("${work[@]/%4/1}"); work=("${work[@]/%40/120}"); stops solo second-repeat USR1 launcher; }
row "USR1-solo-second-repeat" "one process, SIGUSR1 in the second repeat" stops_in_second_repeat
for signal in INT TERM USR1; do row "$signal-twice-solo" "one process, SIG$signal twice in mid-batch" twice solo $signal; done

# Under nohup it is ignored: the run goes on without its terminal.
nohup_run() {
    command_is solo "${work[@]}"
    launch=(env --ignore-signal=HUP)
    begin; at mid-batch || return 0
    kill -HUP "$started"
    ended 300
    expect_code 0; no_trace; expect_rows 192; is_whole
}
row "HUP-nohup-mid-batch" "one process under nohup, SIGHUP in mid-batch: the run goes on" nohup_run

terminal_goes() {
    needs script
    command_is solo "${work[@]}"
    begin_in_terminal
    until_true 240 has_rows 8 || { wrong "no rows came"; return; }
    kill -KILL "$started"; wait "$started" 2>/dev/null
    run_ends 300
    finished >"$row/kept"; note kept "$(wc -l <"$row/kept")"
    expect_rows 8; again
}
begin_in_terminal() {
    log=$row/log-1; began_at=$EPOCHREALTIME; start_number=1
    local words; words=$(printf '%q ' nice -n 15 "${run[@]}")
    setsid script -qfc "$words" "$log" >/dev/null 2>&1 </dev/null &
    started=$!
}
run_ends() {
    local end=$((SECONDS + $1 * patience))
    while [ -n "$(left_over)" ]; do [ $SECONDS -lt $end ] || { wrong "it had not ended after $1 s"; leave_nothing; }; moment 0.05; done
}
row "terminal-closed" "the terminal of a run is closed: it ends in order" terminal_goes
stream() {
    command_is solo "${work[@]}"
    log=$row/log-1; : >"$log"; began_at=$EPOCHREALTIME
    case $1 in
        closed) setsid "${run[@]}" >&- 2>&- </dev/null & ;;
        full) setsid "${run[@]}" >/dev/full 2>&1 </dev/null & ;;
    esac
    started=$!; start_number=1
    ended 300
    expect_code 0; expect_rows 192; is_whole
}
row "output-closed" "standard output and error are closed" stream closed
row "output-full" "standard output and error take nothing (/dev/full)" stream full
