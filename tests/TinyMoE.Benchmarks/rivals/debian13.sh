#!/usr/bin/env bash
# debian13.sh DIR [COMMAND ...]: runs a command in a Debian 13 of its own in the folder DIR, which has PyTorch 2.6, all of it
# from Debian's packages. The first call makes the folder, from the mirror that apt uses on this machine: root, debootstrap,
# 1.5 GB and some minutes are needed. The folder of this script is /mnt there: debian13.sh DIR python3 /mnt/moe.py --help
#
# Two of its packages are there for speed. Debian's usual OpenBLAS has threads of its own, which spin while they wait and take
# the cores from PyTorch's, which spin too; the one that is built on OpenMP shares PyTorch's threads. And tcmalloc keeps the
# large blocks that a step frees, where the C library gives them back to the system and is handed cleared pages in the next.
set -euo pipefail

LIBRARIES=/usr/lib/$(uname -m)-linux-gnu
PACKAGES="python3-torch python3-numpy libopenblas0-openmp libtcmalloc-minimal4t64"

fail() {
  echo "debian13.sh: $1" >&2
  exit 1
}

# The first of the apt sources that is a Debian archive, in either of the two forms that sources have; not all of the files are there.
mirror() {
  { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null || true; } |
    sed -nE 's/^(URIs:|deb( +\[[^]]*\])?) +([^ ]+).*/\3/p' | awk '/\/debian\/?$/ && !found { print; found = 1 }'
}

in_root() {
  chroot "$root" env -i PATH=/usr/sbin:/usr/bin DEBIAN_FRONTEND=noninteractive "$@"
}

make_root() {
  if [ ! -e "$root/usr/bin/apt-get" ] || [ -e "$root/debootstrap" ]; then  # that folder is there until debootstrap has ended
    [ ! -e "$root" ] || [ -e "$root/debootstrap" ] || [ -z "$(ls -A "$root")" ] || fail "$root is a folder with something else in it"
    command -v debootstrap >/dev/null || fail "making $root needs debootstrap: apt-get install debootstrap"
    url=$(mirror)
    [ -n "$url" ] || fail "no Debian archive is among the apt sources of this machine to make $root from"
    debootstrap --variant=minbase trixie "$root" "$url" >&2 || fail "debootstrap could not make $root; '$0 $root' shows why"
  fi
  # How this machine reaches the mirror: proxies and names.
  cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
  cp /etc/resolv.conf "$root/etc/" 2>/dev/null || true
  # shellcheck disable=SC2086
  in_root apt-get update -qq >&2 && in_root apt-get install -qq -y --no-install-recommends $PACKAGES >&2 ||
    fail "apt-get could not install $PACKAGES; '$0 $root' shows why"
  for name in libblas.so.3 libopenblas.so.0; do
    in_root update-alternatives --set "$name-$(uname -m)-linux-gnu" "$LIBRARIES/openblas-openmp/$name" >&2
  done
  touch "$root/etc/tinymoe-rival"
}

[ $# -ge 1 ] || fail "which folder? debian13.sh DIR [COMMAND ...]"
root=$1
shift
[ "$(id -u)" = 0 ] || fail "$root is a root folder of its own, which only root can enter (chroot)"
[ -e "$root/etc/tinymoe-rival" ] || make_root
[ $# -ge 1 ] || exit 0
# /proc, /dev and /mnt of the folder are mounted for this command alone. Without /proc PyTorch takes the processor for one without AVX.
here=$(cd "$(dirname "$0")" && pwd)
exec unshare -m bash -c '
  set -e
  root=$0 here=$1 preload=$2
  shift 2
  mount --make-rprivate /
  mkdir -p "$root/dev" "$root/proc" "$root/mnt"
  mount --bind /dev "$root/dev"
  mount --bind "$here" "$root/mnt"
  mount -t proc proc "$root/proc"
  exec chroot "$root" env LD_PRELOAD="$preload" PYTHONDONTWRITEBYTECODE=1 "$@"
' "$root" "$here" "$LIBRARIES/libtcmalloc_minimal.so.4" "$@"
