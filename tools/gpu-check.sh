#!/bin/sh
# Everything that needs a card, in one command and ten minutes: tests on the device, golden logits, numbers.
#
#   tools/gpu-check.sh                 in a checkout, with the .NET SDK and a card
#   tools/gpu-check.sh --toy           the same way with kernels simulated on the processor: tries the way, measures nothing
#   tools/gpu-check.sh --publish DIR   makes a folder that needs neither SDK nor checkout; copy it to the machine with the card
#   DIR/gpu-check.sh                   there: numbers, with the device asserted (tests need the SDK)
#
# QUERN_GPU chooses the device: cuda (default), opencl, simulated.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
toy=
device=${QUERN_GPU:-cuda}
if [ "${1:-}" = --toy ]; then toy=--toy; device=simulated; fi
export QUERN_GPU="$device"

if [ "${1:-}" = --publish ]; then
    target=${2:?"a folder to publish to is missing: tools/gpu-check.sh --publish DIR"}
    dotnet publish "$here/../benchmarks" -c Release -p:Gpu=true -r linux-x64 --self-contained -p:PublishSingleFile=true -p:EnableCompressionInSingleFile=true \
        -p:IncludeNativeLibrariesForSelfExtract=true -p:RestoreLockedMode=false -p:NuGetLockFilePath=obj/gpu/publish.lock.json -o "$target"
    cp "$here/gpu-check.sh" "$target/"
    echo "copy $target to the machine with the card and run gpu-check.sh in it"
    exit 0
fi

if [ -x "$here/Quern.Benchmarks" ]; then
    # A published folder, on a machine that may have neither a home nor ICU.
    export DOTNET_BUNDLE_EXTRACT_BASE_DIR="$here/.extracted" DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
    [ -n "$toy" ] || nvidia-smi || echo "nvidia-smi was not found" >&2
    exec "$here/Quern.Benchmarks" gpu $toy --device "$device" --out "$here/results"
fi

cd "$here/.."
[ -n "$toy" ] || nvidia-smi || echo "nvidia-smi was not found" >&2
dotnet build tests/Kernels.Gpu.Tests -c Release -p:Gpu=true
dotnet build benchmarks -c Release -p:Gpu=true
# The simulation is slow: the toy way leaves the suites of whole back ends out.
filter=
[ -z "$toy" ] || filter="--filter FullyQualifiedName~Device|FullyQualifiedName~StepGraph|FullyQualifiedName~TensorGemm|FullyQualifiedName~FlashPrompt|FullyQualifiedName~OnMachine"
failed=0
# shellcheck disable=SC2086 # no filter is no argument
dotnet test tests/Kernels.Gpu.Tests -c Release -p:Gpu=true --no-build $filter || failed=1
results=benchmarks/results
[ -z "$toy" ] || results=$(mktemp -d)
dotnet run --no-build -c Release -p:Gpu=true --project benchmarks -- gpu $toy --device "$device" --out "$results" || failed=1
[ "$failed" = 0 ] || echo "something failed: see above" >&2
exit "$failed"
