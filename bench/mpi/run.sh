#!/bin/bash
# Cost of the MPI binding: the same all-reduce loop in C# and in C, alternating, per MPI. Then rank 0's gather of a
# run's records. Usage: bench/mpi/run.sh [RANKS [ROUNDS]]; RANKS at most the number of cores, or the ranks wait for each other's time slice.
set -eu
ranks=${1:-2} rounds=${2:-5}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TERM=dumb UCX_ERROR_SIGNALS= OMPI_MCA_mpi_yield_when_idle=1
[ "$(id -u)" = 0 ] && export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

dotnet build -c Release -v quiet --nologo "$root/tests/MpiProbe/MpiProbe.csproj"
probe=(dotnet "$root/tests/MpiProbe/bin/Release/net10.0/MpiProbe.dll")

# Of every size the median over the rounds of C# and of C, and of the ratio within a round, whose two halves share the machine's mood.
# One rank shows the binding alone.
report='
function median(list,   n, a, i, j, x) { n = split(list, a, " ")
  for (i = 2; i <= n; i++) { x = a[i] + 0; for (j = i - 1; j > 0 && a[j] + 0 > x; j--) a[j + 1] = a[j]; a[j + 1] = x }
  return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2 }
{ split($0, f, ","); key = f[2]; if (!(key in seen)) { seen[key] = 1; order[++keys] = key }
  t[f[1], key] = t[f[1], key] " " f[3]; if (f[1] == "cs") last[key] = f[3]; else ratio[key] = ratio[key] " " last[key] / f[3] }
END { printf "%10s %12s %12s %8s\n", "bytes", "C# us", "C us", "C#/C"
  for (i = 1; i <= keys; i++) { k = order[i]
    printf "%10d %12.3f %12.3f %8.3f\n", k, 1e6 * median(t["cs", k]), 1e6 * median(t["c", k]), median(ratio[k]) } }'

for mpi in openmpi mpich; do
    if ! command -v "mpicc.$mpi" mpiexec."$mpi" >"$work/found" || [ "$(wc -l <"$work/found")" != 2 ]; then
        echo "$mpi: mpicc.$mpi or mpiexec.$mpi is not installed: not run"
        continue
    fi
    "mpicc.$mpi" -O2 "$root/bench/mpi/allreduce.c" -o "$work/allreduce.$mpi"
    launch=("mpiexec.$mpi")
    [ "$mpi" = openmpi ] && launch+=(--oversubscribe --bind-to none)
    for n in 1 "$ranks"; do
        for ((i = 0; i < rounds; i++)); do
            "${launch[@]}" -n "$n" "${probe[@]}" allreduce | sed 's/^/cs,/'
            "${launch[@]}" -n "$n" "$work/allreduce.$mpi" | sed 's/^/c,/'
        done >"$work/$mpi.csv"
        echo "$mpi, ranks: $n, rounds: $rounds"
        awk "$report" "$work/$mpi.csv"
    done
done

# 32 ranks, each with 4,096 prompts of 1,024 tokens, 8 bytes per token (its number and its time).
"${probe[@]}" gather-threads 32 4096 1024 8
command -v mpiexec.openmpi >/dev/null && mpiexec.openmpi --oversubscribe --bind-to none -n 32 "${probe[@]}" gather 4096 1024 8
