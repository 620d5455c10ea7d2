#!/usr/bin/env bash
# Proves that the working tree computes the same bits as the commit BASE (main if not said): trains the
# configurations of configurations.py for 12 steps with both command lines and compares every tensor of the model and
# of the optimizer by name, type, shape and bytes, and every number of metrics.jsonl but speed and resident memory.
# Some are also stopped half way and resumed, by the working tree alone and from BASE's checkpoint.
#
#   tests/compare/same-bits.sh [BASE]
#     --base-build DIR, --head-build DIR   built command lines (folders with tinymoe.dll), instead of building them
#     --save DIR                           only train with BASE, and keep the results there
#     --against DIR                        compare with results that --save kept, without BASE
#     --only PATTERN                       configurations whose name matches, as in 'router-*'
#     --ignore KEY                         a key of the metrics that may differ, as in peak_pool_bytes; as often as needed
#
# One line per configuration, then "N same, M different". Exit code 0: all the same; 1: not; 2: it could not be compared.
# It compares on this machine only: vectors of another width give other bits. config.json is not compared.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
base="" base_build="" head_build="" mode="" pass=()
while [ $# -gt 0 ]; do
    case "$1" in
        --base-build) base_build=$(realpath "$2"); shift 2 ;;
        --head-build) head_build=$(realpath "$2"); shift 2 ;;
        --save | --against) mode=$1; pass+=("$1" "$(realpath -m "$2")"); shift 2 ;;
        --only | --ignore) pass+=("$1" "$2"); shift 2 ;;
        -*) echo "same-bits: unknown option $1" >&2; exit 2 ;;
        *) base=$1; shift ;;
    esac
done

work=$(mktemp -d)
cleanup() {
    if [ -d "$work/tree" ]; then git -C "$root" worktree remove --force "$work/tree"; fi
    rm -rf "$work"
}
trap cleanup EXIT

build() { # TREE OUTPUT
    echo "building $1" >&2
    dotnet build -c Release "$1/src/TinyMoE.Cli" -o "$2" -v q --nologo >&2 || exit 2
}

if [ "$mode" != --against ] && [ -z "$base_build" ]; then
    git -C "$root" worktree add --quiet --detach "$work/tree" "${base:-main}" || exit 2
    base_build=$work/base-build
    build "$work/tree" "$base_build"
fi
if [ "$mode" != --save ] && [ -z "$head_build" ]; then
    head_build=$work/head-build
    build "$root" "$head_build"
fi
if [ -n "$base_build" ]; then pass+=(--base-build "$base_build"); fi
if [ -n "$head_build" ]; then pass+=(--head-build "$head_build"); fi
PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/compare/same_bits.py" --work "$work" "${pass[@]}"
