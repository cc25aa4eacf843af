#!/usr/bin/env bash
# Passes the tests. As root on Debian or Ubuntu it first installs what the tests of real MPI, of real Slurm, of the fake
# NVML library and of the report's page need, where that is missing; elsewhere those tests are reported as not run, with the reason.
# Cases that show at length what others show (another seed, layout, launcher or signal) are left to the campaign: --long runs them, too.
# Other arguments go to dotnet test: tests/run.sh --filter TestCategory!=Slurm
set -u
cd "$(dirname "$0")/.." || exit 1

[ "${1:-}" = --long ] && { export HARNESS_TEST_LONG=1; shift; }

packages=(openmpi-bin libopenmpi-dev mpich libmpich-dev slurmctld slurmd slurm-client munge iproute2 util-linux gcc libc6-dev
    chromium chromium-driver fonts-dejavu-core)
if command -v dpkg-query >/dev/null; then
    missing=()
    for package in "${packages[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ]; then
        echo "installing for the tests of MPI, Slurm, NVML and the report: ${missing[*]}"
        export DEBIAN_FRONTEND=noninteractive
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null 2>&1 ||
            echo "apt-get could not install them: the tests that need them will not run"
    elif [ ${#missing[@]} -gt 0 ]; then
        echo "missing for some tests, and only root may install it: ${missing[*]}"
    fi
fi

# Packages that not every feed has. What is left out here is reported by the tests themselves or in a line.
log=$(mktemp)
restores() { dotnet restore Harness.sln --verbosity quiet "$@" >"$log" 2>&1; }
missing() { grep -oiE "error NU110[123]: .*$1.*" "$log" | head -1 | cut -d' ' -f3-; }
properties=(-p:CompiledAhead=true)
if ! restores "${properties[@]}" && [ -n "$(missing crossgen)" ]; then
    echo "without $(missing crossgen): the programs that the tests start take longer"
    properties=()
    restores
fi
for absent in LibTorch=none TorchSharp=none; do
    [ -n "$(missing torch)" ] || break
    echo "without $(missing torch): building with -p:$absent"
    restores ${properties[@]+"${properties[@]}"} "-p:$absent"
    left_out=("-p:$absent")
done
properties+=(${left_out[@]+"${left_out[@]}"})
rm -f "$log"

# Some six hundred programs are started that end within a second: what pays off later (profiles for a second compilation) or guards
# against others' attacks (no page both written and run) takes a fifth of their time.
export DOTNET_TieredPGO=0 DOTNET_EnableWriteXorExecute=0

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
# One test more at a time than there are cores: those that start programs wait for them, for sensors and for Slurm.
dotnet test Harness.sln -c Release --no-restore ${properties[@]+"${properties[@]}"} --results-directory "$results" --logger "trx;LogFileName=tests.trx" "$@" \
    -- NUnit.NumberOfTestWorkers=$(($(nproc) + 1))
status=$?

report=$results/tests.trx
[ -f "$report" ] || { echo "no test ran"; exit 1; }
number() { grep -o "<Counters [^>]*" "$report" | grep -o " $1=\"[0-9]*" | grep -o '[0-9]*$'; }
total=$(number total) passed=$(number passed) failed=$(number failed)

# Every skipped test says why; each reason once, with how many tests it kept from running. NUnit puts in front of a reason where it
# was given ("SetUp : ").
reasons=$(tr '\n' ' ' <"$report" | sed 's/<UnitTestResult /\n&/g' | grep '^<UnitTestResult [^>]*outcome="NotExecuted"' |
    sed -n 's/.*<Message>\([^<]*\)<\/Message>.*/\1/p' | sed 's/^ *\(\(OneTime\)\?SetUp *: *\)*//; s/&quot;/"/g; s/&apos;/'"'"'/g; s/&gt;/>/g; s/&lt;/</g; s/&amp;/\&/g' | sort | uniq -c)
[ -n "$reasons" ] && printf '\ntests that did not run, and why:\n%s\n' "$reasons"
if [ "$failed" != 0 ]; then
    printf '\nfailed:\n'
    tr '\n' ' ' <"$report" | sed 's/<UnitTestResult /\n&/g' | grep '^<UnitTestResult [^>]*outcome="Failed"' | sed 's/.*testName="\([^"]*\)".*/  \1/'
fi

# What to look at where the tests have become slow: seconds and names of the ten slowest.
printf '\nslowest:\n'
tr '\n' ' ' <"$report" | sed 's/<UnitTestResult /\n&/g' | sed -n 's/^<UnitTestResult .*testName="\([^"]*\)".* duration="\([0-9]*\):\([0-9]*\):\([0-9.]*\)".*/\2 \3 \4 \1/p' |
    awk '{ seconds = $1 * 3600 + $2 * 60 + $3; $1 = $2 = $3 = ""; printf "%8.1f %s\n", seconds, $0 }' | sort -rn | head
echo
echo "$passed passed, $failed failed, $((total - passed - failed)) skipped"
[ "$status" = 0 ] && [ "$failed" = 0 ]
