#!/usr/bin/env bash
# pack.sh [FOLDER]: packs what measures TinyMoE on a Linux machine with an NVIDIA card that has neither the .NET SDK nor a network:
# the built command, the tests, a .NET runtime with the SDK's test runner, PyTorch's side of the comparison, a text, and run.sh.
# Writes FOLDER/card.tar.gz (build/card unless told), some 55 MB. There: tar xzf card.tar.gz && ./run.sh
# Builds first, unless BUILD=no.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
out=${1:-build/card}

# A card needs no emulated device: it is left out of the build.
[ "${BUILD:-yes}" = no ] || TINYMOE_TEST_CUDA=real dotnet build -c Release -v q tests/TinyMoE.Tests
root=$(dirname "$(readlink -f "$(command -v dotnet)")")
newest() { find "$1" -mindepth 1 -maxdepth 1 -type d -name '10.*' | sort -V | tail -1; }
sdk=$(newest "$root/sdk")
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# The runtime, and of the SDK what runs tests. Of the shared frameworks those that something here asks for.
mkdir -p "$stage/dotnet" "$stage/vstest"
cp "$root/dotnet" "$stage/dotnet/"
cp -r "$root/host" "$stage/dotnet/"
for framework in Microsoft.NETCore.App Microsoft.AspNetCore.App; do
  configs=({src/TinyMoE.Cli,tests/TinyMoE.Tests}/bin/Release/net10.0/*.runtimeconfig.json)
  if [ "$framework" = Microsoft.NETCore.App ] || grep -qs "\"$framework\"" "${configs[@]}"; then
    mkdir -p "$stage/dotnet/shared/$framework"
    cp -r "$(newest "$root/shared/$framework")" "$stage/dotnet/shared/$framework/"
  fi
done
for file in "$sdk"/vstest.console.* "$sdk"/Microsoft.TestPlatform*.dll "$sdk"/Microsoft.VisualStudio.TestPlatform*.dll "$sdk"/testhost* \
  "$sdk"/Newtonsoft.Json.dll "$sdk"/NuGet.{Frameworks,Versioning}.dll "$sdk"/Microsoft.Extensions.{DependencyModel,FileSystemGlobbing}.dll
do
  [ ! -f "$file" ] || cp "$file" "$stage/vstest/"
done
[ ! -d "$sdk/Extensions" ] || cp -r "$sdk/Extensions" "$stage/vstest/"

cp -r src/TinyMoE.Cli/bin/Release/net10.0 "$stage/cli"
cp -r tests/TinyMoE.Tests/bin/Release/net10.0 "$stage/tests"
find "$stage/cli" "$stage/tests" \( -name '*.pdb' -o -name '*.xml' -o -name 'device-kinds.txt' \) -delete
cp "$here/run.sh" tests/TinyMoE.Benchmarks/rivals/moe_cuda.py "$stage/"

# A text to train on: this project's own, a million bytes of it.
git ls-files -z '*.md' '*.cs' | xargs -0 cat 2>/dev/null | head -c 1000000 >"$stage/text.txt" || true # head closes the pipe
git rev-parse HEAD >"$stage/commit"

mkdir -p "$out"
tar -C "$stage" -czf "$out/card.tar.gz" .
echo "packed $out/card.tar.gz, $(($(stat -c %s "$out/card.tar.gz") / 1000000)) MB"
