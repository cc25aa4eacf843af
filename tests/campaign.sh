#!/usr/bin/env bash
# The reliability campaign: each fault is provoked, and what becomes of the run is noted and judged.
#
#   tests/campaign.sh                      all rows; the table goes to DIR/reliability.md
#   tests/campaign.sh --list               the rows, without running any
#   tests/campaign.sh --only PATTERN       rows whose name matches the extended regular expression
#   tests/campaign.sh --out DIR            where rows work and leave their logs (results/campaign); each row's directory is made anew
#   tests/campaign.sh --table              no row: the table of what earlier calls with the same --out have found
#   tests/campaign.sh --write              the table goes into docs/reliability.md, too
#
# HARNESS is the program in words ("dotnet /opt/harness/harness.dll"); without it src/Harness is built and taken.
# PATIENCE (1) multiplies every bound. Exit code: 0 where no row is red; 1 else; 2 for a mistake in the call.
#
# A row is one line `row NAME "WHAT" FUNCTION WORDS…` in tests/campaign/*.rows.sh. Its function provokes the fault with the words of
# tests/campaign/lib.sh, and states what must follow with `expect`. What this machine lacks is a row "not run", with the reason.
set -u
here=$(cd "$(dirname "$0")" && pwd)
repository=$(dirname "$here")
out=$repository/results/campaign only=. list='' write='' patience=${PATIENCE:-1}
while [ $# -gt 0 ]; do
    case $1 in
        --list) list=1; shift ;;
        --write) write=1; shift ;;
        --table) only='^$'; shift ;;
        --only) only=${2:?--only takes a pattern}; shift 2 ;;
        --out) out=${2:?--out takes a directory}; shift 2 ;;
        *) echo "campaign: '$1' is no option; see the head of $0" >&2; exit 2 ;;
    esac
done

names=() whats=() calls=()
# row NAME WHAT FUNCTION WORDS…
row() { names+=("$1"); whats+=("$2"); shift 2; calls+=("$(printf '%q ' "$@")"); }
# part HEADING: the rows that follow stand under it
part() { names+=(""); whats+=("$1"); calls+=(""); }

. "$here/campaign/lib.sh"
for rows in "$here"/campaign/*.rows.sh; do . "$rows"; done

if [ -n "$list" ]; then
    for i in "${!names[@]}"; do
        [ -z "${names[$i]}" ] && printf '\n%s\n' "${whats[$i]}" || printf '  %-34s %s\n' "${names[$i]}" "${whats[$i]}"
    done
    exit
fi

mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 2
[ -n "${HARNESS:-}" ] || {
    dotnet build "$repository/src/Harness" -c Release -v quiet --nologo >"$out/build.log" 2>&1 || { tail -5 "$out/build.log" >&2; exit 2; }
    HARNESS="dotnet $(ls "$repository"/src/Harness/bin/Release/net*/harness.dll)"
}
read -ra program <<<"$HARNESS"
(cd "$out" && "${program[@]}" run --print-config) >/dev/null 2>&1 || { echo "campaign: '$HARNESS' does not start" >&2; exit 2; }
# Nothing of whoever calls this may reach a run.
for variable in "${!HARNESS_@}" "${!OMPI_@}" "${!PMI_@}" "${!PMIX_@}" "${!SLURM_@}" "${!HYDI_@}"; do unset "$variable"; done
export TERM=dumb OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

trap 'stop_cluster' EXIT
began=$SECONDS reds=0
for i in "${!names[@]}"; do
    [ -n "${names[$i]}" ] && [[ ${names[$i]} =~ $only ]] || continue
    run_row "${names[$i]}" "${whats[$i]}" "${calls[$i]}"
    [ "$verdict" != red ] || reds=$((reds + 1))
done
table >"$out/table.md"
document "$out/table.md" >"$out/reliability.md"
[ -z "$write" ] || cp "$out/reliability.md" "$repository/docs/reliability.md"
echo
echo "$(counts "$out/table.md"), in $(((SECONDS - began + 59) / 60)) min; $out/reliability.md"
[ "$reds" = 0 ]
