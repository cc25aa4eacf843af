#!/usr/bin/env bash
# Long campaigns against every parser (docs/fuzzing.md): tests/fuzz.sh [FOLDER [SECONDS [TARGET...]]]
# afl-fuzz on instrumented assemblies where both afl++ and the SharpFuzz tool can be had, SECONDS (60) for each target; its inputs stay in
# FOLDER (fuzz-corpus), and the next call goes on from them. Else the program's own driver, INPUTS (100000) of each target, by SEED (1).
set -u
cd "$(dirname "$0")/.." || exit 1
mkdir -p "${1:-fuzz-corpus}" && folder=$(cd "${1:-fuzz-corpus}" && pwd) || exit 1
seconds=${2:-60}
shift $(($# < 2 ? $# : 2))

program=$folder/.program
dotnet publish tests/Fuzz -c Release -o "$program" -v quiet || exit 1
fuzz() { dotnet "$program/Harness.Fuzz.dll" "$@"; }
if [ $# -gt 0 ]; then targets=("$@"); else mapfile -t targets < <(fuzz list); fi

missing=
command -v afl-fuzz >/dev/null || missing="afl-fuzz is not there (apt-get install afl++)"
tool=$folder/.tool/sharpfuzz
if [ -z "$missing" ] && [ ! -x "$tool" ]; then
    dotnet tool install SharpFuzz.CommandLine --version 2.3.0 --tool-path "$folder/.tool" >/dev/null 2>&1 ||
        missing="no feed has the tool SharpFuzz.CommandLine"
fi
if [ -n "$missing" ]; then
    echo "$missing: the program's own driver takes over"
    status=0
    for target in "${targets[@]}"; do fuzz run "${INPUTS:-100000}" "${SEED:-1}" "$target" "$folder/findings" || status=1; done
    exit $status
fi

# Before anything is instrumented, since what is needs a fuzzer above it.
fuzz seeds "$folder/seeds"
mkdir -p "$folder/afl"
for assembly in "$program"/Harness.*.dll "$program/harness.dll"; do
    case $assembly in */Harness.Fuzz.dll | */Harness.TorchSharp.dll | */Harness.MpiNet.dll) continue ;; esac
    "$tool" "$assembly" || exit 1
done
export AFL_SKIP_BIN_CHECK=1 AFL_SKIP_CPUFREQ=1 AFL_NO_UI=1 AFL_AUTORESUME=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_AFFINITY=1
status=0
printf '%-44s%12s%12s%12s\n' target inputs crashes hangs
for target in "${targets[@]}"; do
    name=${target//\//+}
    afl-fuzz -i "$folder/seeds/$name" -o "$folder/afl/$name" -V "$seconds" -t 5000 -m none -- \
        dotnet "$program/Harness.Fuzz.dll" afl "$target" >"$folder/afl-$name.log" 2>&1
    stats=$folder/afl/$name/default/fuzzer_stats
    [ -f "$stats" ] || { echo "$target: afl-fuzz did not begin, see $folder/afl-$name.log"; status=1; continue; }
    of() { sed -n "s/^$1 *: *//p" "$stats"; }
    printf '%-44s%12s%12s%12s\n' "$target" "$(of execs_done)" "$(of saved_crashes)" "$(of saved_hangs)"
    [ "$(of saved_crashes)$(of saved_hangs)" = 00 ] || status=1
done
exit $status
