#!/bin/sh
# Installs what trainmake needs from Debian 12: `deps.sh build` to build and to try the example, `deps.sh test` for the
# checks too. The one place that names packages. Says what it does; quick when there is nothing to install.
set -eu

# Compiler and libraries, then what the example trains with.
build_packages="
  g++ cmake ninja-build ccache git
  libarchive-dev libcli11-dev libcurl4-openssl-dev libdeflate-dev libexpected-dev libgit2-dev liblua5.4-dev libpugixml-dev libsqlite3-dev
  libssl-dev libxxhash-dev libyaml-dev libzstd-dev nlohmann-json3-dev zlib1g-dev
  python3 python3-numpy"

# Unit tests, rivals of the benches, and where vendors' clients are installed (servers/python.sh); registries and who else reads
# images; a web server that takes files; what makes and runs containers, and in them; a cluster, and who keeps its accounts; processes that talk by MPI; the second compiler with its sanitizers;
# what reads our sources and scripts.
test_packages="
  libbenchmark-dev libcpp-httplib-dev libgtest-dev make python3-venv
  docker-registry openssl skopeo umoci
  libnginx-mod-http-dav-ext nginx-light
  bubblewrap buildah busybox-static crun mmdebstrap runc uidmap
  munge slurm-client slurmctld slurmd slurmdbd mariadb-server
  openmpi-bin python3-mpi4py libpmix-dev
  clang libclang-rt-14-dev
  clang-format clang-tidy lua-check shellcheck zstd"
# What builds the servers that Debian has not (servers/build.sh). Any go does: it fetches a newer one where it has to.
command -v go >/dev/null 2>&1 || test_packages="$test_packages golang-go"

usage() {
  echo "usage: sh tests/deps.sh build|test" >&2
  exit 2
}

# Those of "$@" that are not installed, one a line.
missing_of() {
  for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=absent
    [ "$status" = installed ] || echo "$package"
  done
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null 2>&1; then
    sudo "$@"
  else
    echo "deps.sh: installing packages needs root, and there is no sudo here; as root: sh tests/deps.sh $what" >&2
    exit 1
  fi
}

[ $# -eq 1 ] || usage
what=$1
case $what in
  build) packages=$build_packages ;;
  test) packages="$build_packages $test_packages" ;;
  *) usage ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
  echo "deps.sh: this is no Debian; install what corresponds to:$packages" >&2
  exit 1
fi

# shellcheck disable=SC2086  # lists of words
missing=$(missing_of $packages)
if [ -z "$missing" ]; then
  echo "deps: all packages to $what are installed"
  exit 0
fi

# shellcheck disable=SC2086
echo "deps: installing" $missing
as_root apt-get update -qq
# shellcheck disable=SC2086
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 $missing >/dev/null
echo "deps: done"
