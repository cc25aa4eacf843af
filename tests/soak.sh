#!/usr/bin/env bash
# A run that goes on and on must not grow: resident memory, open files, threads and what the sampler costs are looked at while repeats
# of the demo follow each other without end, on four ranks that are threads, and processes under MPICH and Open MPI. Then nothing may be
# missing: every repeat that ended has a row for each prompt. At last two runs of one command are compared, cell by cell.
#
#   tests/soak.sh                        an hour for each way to bring the ranks together
#   tests/soak.sh --minutes 5            so many
#   tests/soak.sh --worlds threads,mpich
#   tests/soak.sh --keep DIR             where runs and samples lie; default: a temporary directory that is removed
#
# Exit code 0: flat and whole. What may differ between runs follows from the table of columns (bench, verb same).
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=60 worlds=threads,mpich,openmpi keep=
while [ $# -gt 0 ]; do
  case $1 in
    --minutes) minutes=$2; shift 2 ;;
    --worlds) worlds=$2; shift 2 ;;
    --keep) keep=$2; shift 2 ;;
    *) echo "soak: $1 is no option; --minutes N, --worlds threads,mpich,openmpi, --keep DIR" >&2; exit 2 ;;
  esac
done
harness=src/Harness/bin/Release/net10.0/harness.dll
bench=bench/bin/Release/net10.0/Bench.dll
[ -f "$harness" ] && [ -f "$bench" ] || dotnet build bench -c Release >/dev/null
if [ -n "$keep" ]; then mkdir -p "$keep"; else keep=$(mktemp -d); trap 'rm -rf "$keep"' EXIT; fi
every=5 prompts=96 failed=0

# 80 W by the machine's own clock, 20 times a second, as long as the run lives.
meter=$keep/meter.sh
cat >"$meter" <<'M'
#!/bin/sh
while kill -0 $PPID 2>/dev/null; do awk '{ printf "J %.3f\n", $1 * 80; fflush() }' /proc/uptime; sleep 0.05; done
M
chmod +x "$meter"

launch() {   # world, arguments of run
  local world=$1; shift
  case $world in
    threads) exec dotnet "$harness" run --communicator threads "$@" ;;
    mpich) exec mpiexec.mpich -n 4 dotnet "$harness" run "$@" ;;
    openmpi) exec mpiexec.openmpi --allow-run-as-root --oversubscribe -n 4 dotnet "$harness" run "$@" ;;
    *) echo "soak: world '$world' is unknown; threads, mpich, openmpi" >&2; exit 2 ;;
  esac
}

# The processes of a run that are harness, not its launcher.
ranks_of() {
  local process
  for process in $(pgrep -f "^dotnet $harness run .*$1"); do
    [ "$(cat "/proc/$process/comm" 2>/dev/null)" = dotnet ] && echo "$process"
  done | sort -n
}

# seconds, rank, resident kB, open files, threads, processor ticks of the sampler's threads
sample() {
  local rank=0 process ticks thread
  for process in $(ranks_of "$2"); do
    ticks=0
    for thread in /proc/"$process"/task/*; do
      [ "$(cat "$thread/comm" 2>/dev/null)" = "energy sampler" ] || continue
      ticks=$((ticks + $(sed 's/.*) //' "$thread/stat" 2>/dev/null | awk '{ print $12 + $13 }' || echo 0)))
    done
    echo "$1 $rank $(awk '/VmRSS/ { print $2 }' "/proc/$process/status" 2>/dev/null || echo 0)" \
      "$(ls "/proc/$process/fd" 2>/dev/null | wc -l) $(ls "/proc/$process/task" 2>/dev/null | wc -l) $ticks"
    rank=$((rank + 1))
  done
}

soak() {
  local world=$1 out=$keep/$1 log=$keep/$1.txt samples=$keep/$1.samples started code=0
  rm -rf "$out"
  ( launch "$world" --tp 2 --pp 2 --threads 1 --repeats 1000000 --warmup 1 --idle-baseline 1s --sample-interval 100ms \
      --meter "command:$meter" --out "$keep" --name "$world" --fresh ) >"$log" 2>&1 &
  local launcher=$!
  started=$(date +%s)
  : >"$samples"
  while sleep $every; do
    kill -0 $launcher 2>/dev/null || { echo "soak: $world ended by itself: $(tail -1 "$log")" >&2; failed=1; return; }
    sample $(($(date +%s) - started)) "--name $world " >>"$samples"
    [ $(($(date +%s) - started)) -lt $((minutes * 60)) ] || break
  done
  for process in $(ranks_of "--name $world "); do kill -TERM "$process" 2>/dev/null || true; done
  wait $launcher || code=$?
  [ $code = 3 ] || { echo "soak: $world ended with exit code $code, not 3: $(tail -1 "$log")" >&2; failed=1; }
  # A gap between samples is the machine's doing, where other programs have its cores.
  local problems
  problems=$(dotnet "$harness" verify "$out" 2>&1 >/dev/null | grep -vE ': sample_gap$|: and [0-9,]+ more$' || true)
  [ -z "$problems" ] || { echo "soak: $world: $problems" >&2; failed=1; }
  dotnet "$bench" soak --run "$out" --samples "$samples" --prompts $prompts || failed=1
}

for world in ${worlds//,/ }; do soak "$world"; done

for name in once twice; do
  ( launch threads --tp 2 --pp 2 --threads 1 --repeats 2 --warmup 0 --meter "command:$meter" --out "$keep" --name $name --fresh ) \
    >"$keep/$name.txt" 2>&1 || { echo "soak: a run of two repeats failed: $(tail -1 "$keep/$name.txt")" >&2; failed=1; }
done
dotnet "$bench" same --run "$keep/once" --with "$keep/twice" || failed=1
exit $failed
