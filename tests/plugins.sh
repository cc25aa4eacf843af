#!/bin/sh
# Builds the TorchSharp plug-in for the CPU and runs its tests where a restore finds its package; says in one line that
# it did not where no feed has it. A further feed: export RestoreAdditionalProjectSources=DIR. Everything lies in a folder
# of its own, so that the default build's outputs and restores stay as they are.
set -eu
cd "$(dirname "$0")/.."
folder=bin/with-torch
log=$(mktemp)
trap 'rm -f "$log"' EXIT

version=$(sed -n 's/.*Include="TorchSharp-cpu" Version="\([^"]*\)".*/\1/p' Directory.Packages.props)
if ! timeout 300 dotnet restore src/PlugIns/TorchSharp/TorchSharp.csproj -p:WithTorch=cpu --artifacts-path "$folder" >"$log" 2>&1
then
    if grep -q 'error NU110[12]' "$log"
    then echo "TorchSharp plug-in: not built: package TorchSharp-cpu $version is not in the feed"; exit 0
    else echo "TorchSharp plug-in: the restore of TorchSharp-cpu $version failed or took more than 300 s:" >&2; cat "$log" >&2; exit 1
    fi
fi

for project in tests/Harness.Tests.csproj bench/Torch/TorchBench.csproj
do dotnet build "$project" -c Release -p:WithTorch=cpu --artifacts-path "$folder" --verbosity quiet
done
dotnet test tests/Harness.Tests.csproj -c Release -p:WithTorch=cpu --artifacts-path "$folder" --no-build \
    --filter 'FullyQualifiedName~Harness.Tests.PlugIns.Torch|FullyQualifiedName~TensorLinksTests' "$@"
