#!/bin/sh
# Builds the plug-ins MpiNet and MLTokenizers, with TorchSharp beside them, and runs their tests, as far as a restore finds their packages;
# prints a line for each that it does not find. A further feed: export RestoreAdditionalProjectSources=DIR.
set -eu
cd "$(dirname "$0")/.."
log=$(mktemp)
# What is restored here names packages that the default build does not have: put the default back.
trap 'rm -f "$log"; dotnet restore Harness.sln --verbosity quiet >/dev/null' EXIT

properties=
for plugin in MpiNet:MPI.NET:WithMpiNet=true MLTokenizers:Microsoft.ML.Tokenizers:WithMLTokenizers=true TorchSharp:TorchSharp-cpu:WithTorch=cpu
do
    name=${plugin%%:*} property=${plugin##*:} package=${plugin#*:} package=${package%:*}
    if timeout 300 dotnet restore "src/PlugIns/$name/$name.csproj" "-p:$property" >"$log" 2>&1
    then properties="$properties -p:$property"
    elif grep -q 'error NU110[12]' "$log"
    then echo "plug-in $name: not built and not tested, since no feed has what it needs: $(sed -n 's/.*error NU110[12]: //p' "$log" | head -1)"
    else echo "plug-in $name: the restore of $package failed:" >&2; cat "$log" >&2; exit 1
    fi
done
[ -n "$properties" ] || exit 0

# A configuration of its own, so that the default build's outputs stay as they are.
echo "plug-ins: building with$properties"
dotnet build tests/Harness.Tests.csproj -c PlugIns -p:Optimize=true $properties --verbosity quiet
dotnet test tests/Harness.Tests.csproj -c PlugIns --no-build --filter 'FullyQualifiedName~Harness.Tests.PlugIns|FullyQualifiedName~DoctorTests' "$@"
