#!/usr/bin/env bash
# run.sh [FOLDER]: all that is worth knowing from a machine with an NVIDIA card, the most important first, within SECONDS_LEFT (480).
# Each part has a limit of its own, so that one that hangs costs no other. It reads no network and installs nothing.
# Prints a table last; FOLDER (./out) gets it as table.txt, with logs.tar.gz.
#   PARTS="doctor train speed tune torch profile tests grouped kernels probe"   which parts, of these
#   SMALL="..." BENCH="..." BIG="..."                                      other settings of the three shapes, as train --set takes them
# What pack.sh made runs by itself: needed are bash, coreutils, awk and tar; python3 with PyTorch for the part torch.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
give=${1:-$here/out}
logs=$here/logs
mkdir -p "$give" "$logs"
cd "$here" || exit 2
export DOTNET_ROOT=$here/dotnet PATH=$here/dotnet:${PATH:-/usr/bin:/bin}:/usr/local/cuda/bin:/usr/sbin:/sbin
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 HOME=${HOME:-$here}
export TINYMOE_TEST_CUDA=real CUDA_CACHE_PATH=$here/jit PYTHONUNBUFFERED=1 LC_ALL=C
unset NVIDIA_TF32_OVERRIDE "${!CUBLAS_@}"

# The checkpoint of the big model is some GB: into memory, where there is room.
room=$(df -m --output=avail /dev/shm 2>/dev/null | tail -1)
scratch=$([ "${room:-0}" -gt 8000 ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")/tinymoe-card.$$
mkdir -p "$scratch"
end=$(($(date +%s) + ${SECONDS_LEFT:-480}))
table=$give/table.txt
: >"$table"

say() { printf '%-30s %s\n' "$1" "$2" | tee -a "$table"; }
wants() { case " ${PARTS:-doctor train speed tune torch profile tests grouped kernels probe} " in *" $1 "*) return 0 ;; esac; return 1; }

# part NAME LIMIT COMMAND...: runs it within its limit and within what is left of the whole. The table gets its time, and where it fails
# the exit code (124: it ran past its limit) and its last line.
part() {
  local name=$1 limit=$2 left=$((end - $(date +%s))) start rc
  shift 2
  if [ "$left" -lt 8 ]; then say "$name" "no time left"; return 1; fi
  [ "$limit" -lt "$left" ] || limit=$left
  start=$(date +%s.%N)
  timeout -k 5 "$limit" "$@" >"$logs/$name.log" 2>&1
  rc=$?
  say "$name" "$(awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f s", b - a }')$(
    [ $rc -eq 0 ] || echo ", FAILED ($rc): $(grep -v '^[[:space:]]*$' "$logs/$name.log" | tail -1 | cut -c1-140)")"
  return $rc
}
tinymoe=("$here/dotnet/dotnet" "$here/cli/tinymoe.dll")
# numbers KEY FILE: the numbers of this key in the lines of a run's steps, one a line.
numbers() { grep '"kind": *"train"' "$2" 2>/dev/null | sed -n "s/.*\"$1\": *\([-+0-9.eE]*\).*/\1/p"; }
finish() {
  [ -z "${clocks:-}" ] || kill "$clocks" 2>/dev/null
  tar -C "$here" -czf "$give/logs.tar.gz" logs 2>/dev/null
  rm -rf "$scratch"
  echo
  cat "$table"
}
trap finish EXIT

say commit "$(cat commit 2>/dev/null)"
say date "$(date -u '+%Y-%m-%d %H:%M')"
if command -v nvidia-smi >/dev/null; then
  say card "$(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader | head -1)"
  nvidia-smi --query-gpu=clocks.sm,power.draw,utilization.gpu --format=csv,noheader -l 2 >"$logs/clocks.log" 2>/dev/null &
  clocks=$!
fi
[ -z "${TINYMOE_CUDA_LIBRARY:-}" ] || say driver "$TINYMOE_CUDA_LIBRARY"

# Does it compute what the processor computes, in every mode? With a compilation of the kernels that nothing is kept for.
if wants doctor; then
  part doctor 90 "${tinymoe[@]}" doctor --cold
  grep -E '^(it computes|FAILED|no device|note:)' "$logs/doctor.log" | while read -r line; do say doctor "$line"; done
  say "cuBLAS" "$(sed -n 's/.*, cuBLAS //p' "$logs/doctor.log" | paste -sd ' ')"
  say "compilation of the kernels" "$(sed -n 's/^the driver compiled .* in \([0-9.]* s\)/\1/p' "$logs/doctor.log" | paste -sd ' ')"
  part doctor-again 60 "${tinymoe[@]}" doctor --json
  say "kept from the last time" "$(sed -n 's/.*"compilation_seconds":\([0-9.]*\).*/\1 s/p' "$logs/doctor-again.log")"
  grep -vE '^ *$|TINYMOE_|LD_LIBRARY' "$logs/doctor.log"
fi

# A run on the card beside the same run on the processor: the losses follow each other. Twice on the card: the same bytes.
small=${SMALL:-}
if wants train; then
  run() {
    part "$1" 60 "${tinymoe[@]}" train --data text.txt --tokenizer byte --steps 60 --seed 3 --out "$scratch/$1" "${@:2}" \
      ${small:+--set $small}
  }
  run train-card --device cuda
  run train-card-again --device cuda
  run train-processor --device cpu
  for run in card processor; do numbers loss "$scratch/train-$run/metrics.jsonl" >"$logs/$run.losses"; done
  say "losses, card : processor" "$(paste "$logs/card.losses" "$logs/processor.losses" | awk '
    NF == 2 { d = ($1 - $2) / $2; d = d < 0 ? -d : d; if (d > most) most = d; n++ }
    END { printf "largest relative difference %.2e over %d steps", most, n }')"
  for run in card card-again; do
    say "bytes of $run" "$(sha256sum "$scratch/train-$run/last/model.safetensors" 2>/dev/null | cut -c1-16)"
  done
fi

# Tokens per second: the median of the steps after the sixth. Stopped before the end, so that no evaluation is among them.
bench=${BENCH:-}
big=${BIG:-model.width=1024 model.layers=8 attention.heads=16 attention.kv_heads=8 model.context=1024 moe.hidden=1024 train.batch=16}
# speed NAME LIMIT STEPS SETTINGS OPTIONS...
speed() {
  part "$1" "$2" "${tinymoe[@]}" train --device cuda --preset bench --data text.txt --tokenizer byte --steps 100000 --stop-at "$3" --json \
    --out "$scratch/$1" --set train.eval_every=100000 $4 "${@:5}"
  say "$1" "$(numbers tokens_per_second "$scratch/$1/metrics.jsonl" | tail -n +7 | sort -g | awk '
    { v[NR] = $1 } END { if (NR) printf "%.0f tokens/s, tenth percentile %.0f, %d steps", v[int(NR / 2) + 1], v[int(NR / 10) + 1], NR
                         else print "no step measured" }')"
  rm -rf "${scratch:?}/$1"
}
if wants speed; then
  speed bench-float32 30 400 "$bench"
  speed bench-tf32 30 400 "$bench" --tensor-cores tf32
  speed bench-bfloat16 30 400 "$bench train.precision=bfloat16"
  speed big-float32 60 30 "$big"
  speed big-tf32 60 30 "$big" --tensor-cores tf32
  speed big-bfloat16 60 30 "$big train.precision=bfloat16"
  # By default the products of experts of bench are our own kernel's, and a step is one launch; those of big are cuBLAS's. The other way:
  speed bench-float32-cublas 30 400 "$bench" --grouped cublas
  speed bench-tf32-cublas 30 400 "$bench" --tensor-cores tf32 --grouped cublas
  speed bench-bfloat16-cublas 30 400 "$bench train.precision=bfloat16" --grouped cublas
  speed big-bfloat16-graph 60 30 "$big train.precision=bfloat16" --graph on
fi

# What multiplies for experts at which size: does the table of --grouped auto hold on this card?
if wants tune; then
  part tune 75 "${tinymoe[@]}" doctor --tune
  grep -E 'our own kernel is|were left out' "$logs/tune.log" | while read -r line; do say tune "$line"; done
  sed -n '/products of experts/,$p' "$logs/tune.log"
fi

# The peer on the same shapes and the same card, all modes in one process.
if wants torch && command -v python3 >/dev/null; then
  part torch 110 python3 moe_cuda.py --seconds 100
  grep '^torch' "$logs/torch.log" | cut -c7- | while read -r line; do say torch "$line"; done
fi

# What takes the time of a step, by the card's own clock.
if wants profile; then
  profile() {
    part "profile-$1" 45 "${tinymoe[@]}" train --device cuda --preset bench --data text.txt --tokenizer byte --steps 100000 --stop-at "$2" \
      --profile --out "$scratch/profile" --set train.eval_every=100000 $3 "${@:4}"
    rm -rf "$scratch/profile"
    grep -A 14 '^profile of' "$logs/profile-$1.log"
    sed -n '/^all kernels/p; /^the device waits/p; /^step .*100\.0 %/p' "$logs/profile-$1.log" | tr -s ' ' |
      while read -r row; do say "profile-$1, ms and share" "$row"; done
  }
  profile bench 60 "$bench"
  profile big-tf32 12 "$big" --tensor-cores tf32
fi

# The CUDA tests with the real driver and cuBLAS, in processes of their own: a fault on a card spoils the process that it happens in.
# Not for it: what needs the sources or the emulated device.
if wants tests; then
  suite() {
    part "tests-$1" "$2" "$here/dotnet/dotnet" vstest/vstest.console.dll tests/TinyMoE.Tests.dll --TestAdapterPath:tests \
      "--TestCaseFilter:$3" "--logger:console;verbosity=minimal"
    grep -E '^ *(Failed|X) ' "$logs/tests-$1.log" | head -25
    say "tests-$1" "$(grep -oE '(Failed|Passed|Skipped): +[0-9]+' "$logs/tests-$1.log" | paste -sd ' ' | grep . || echo 'ran no test')"
  }
  of() { local list=; for name in "$@"; do list+="|FullyQualifiedName~.Tests.Cuda.$name."; done; echo "(${list#|})"; }
  not() { local list=; for name in "$@"; do list+="&FullyQualifiedName!~.Tests.Cuda.$name."; done; echo "$list"; }
  sources=(PtxTests BindingsTests CublasFilesTests)
  first=(CublasTests KernelCaseTests ShapeTests RoutingCaseTests OpCaseTests)
  suite cublas 40 "$(of CublasTests)"
  suite kernels 70 "$(of KernelCaseTests ShapeTests RoutingCaseTests)"
  suite ops 90 "$(of OpCaseTests)&FullyQualifiedName!~OnThreeThreads"
  suite others 90 "FullyQualifiedName~.Tests.Cuda.$(not "${first[@]}" "${sources[@]}")&FullyQualifiedName!~OnThreeThreads"
fi

# Every way to multiply for the experts that this build knows: which one is the fastest where?
if wants grouped; then
  ways=$("${tinymoe[@]}" train --help | sed -n 's/.*--grouped <auto|\([a-z|]*\)>.*/\1/p' | tr '|' ' ')
  for way in $ways; do
    speed "bench-tf32-$way" 20 200 "$bench" --tensor-cores tf32 --grouped "$way"
    speed "big-tf32-$way" 40 20 "$big" --tensor-cores tf32 --grouped "$way"
  done
fi

# Kernel by kernel, where NVIDIA's profiler is: names of cuBLAS's kernels, registers, occupancy, bytes of memory.
if wants kernels && command -v ncu >/dev/null; then
  count=(ncu --clock-control none --cache-control none --launch-skip 1500 --launch-count 300 --csv --metrics
    gpu__time_duration.sum,dram__bytes.sum,launch__registers_per_thread,sm__throughput.avg.pct_of_peak_sustained_elapsed)
  part kernels-ncu 60 "${count[@]}" "${tinymoe[@]}" train --device cuda --preset bench --data text.txt --tokenizer byte --steps 100000 \
    --stop-at 12 --out "$scratch/ncu" --set train.eval_every=100000 $bench
fi

# TF32 where rows of experts are not aligned to 16 bytes; and NVIDIA's check of every access, where it is installed.
if wants probe; then
  part probe-unaligned-tf32 30 "${tinymoe[@]}" train --device cuda --tensor-cores tf32 --data text.txt --tokenizer byte --steps 6 \
    --out "$scratch/odd" --preset bench --set $bench moe.hidden=682
  if command -v compute-sanitizer >/dev/null; then
    part probe-memcheck 80 compute-sanitizer --tool memcheck --error-exitcode 9 "${tinymoe[@]}" doctor
  fi
fi
