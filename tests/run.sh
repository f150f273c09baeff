#!/bin/sh
# Every check there is, from nothing: installs what is missing, builds with both compilers and with sanitizers, and ends with
# ctest's last lines. `run.sh --quick` is for between edits: one build, its tests, the cheap gates.
# Builds below build/ (BUILD=elsewhere), on as many processors as there are.
set -eu
cd "$(dirname "$0")/.."

quick=no
case "${1-}" in
  '') ;;
  --quick) quick=yes ;;
  *)
    echo "usage: sh tests/run.sh [--quick]" >&2
    exit 2
    ;;
esac

build=${BUILD:-build}
mkdir -p "$build"
build=$(cd "$build" && pwd)
jobs=$(nproc)
began=$(date +%s)

say() { printf '== %s (after %d s)\n' "$*" $(($(date +%s) - began)); }

# configure FOLDER options...: quietly, and with the generator that the folder has.
configure() {
  folder=$1
  shift
  generator=Ninja
  [ ! -f "$folder/CMakeCache.txt" ] || generator=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$folder/CMakeCache.txt")
  cmake -S . -B "$folder" -G "$generator" -D TRAINMAKE_TESTS=ON -D TRAINMAKE_WERROR=ON "$@" >"$folder.log" || {
    cat "$folder.log"
    exit 1
  }
}

# make FOLDER targets...: says nothing unless something is wrong.
make_targets() {
  folder=$1
  shift
  cmake --build "$folder" --parallel "$jobs" "$@" >"$folder.log" 2>&1 || {
    grep -v '^\[[0-9]*/[0-9]*\]' "$folder.log"
    exit 1
  }
}

if [ $quick = yes ]; then
  sh tests/servers/build.sh
  configure "$build" -D TRAINMAKE_GATES=ON -D TRAINMAKE_PLAIN_UNITS=ON
  make_targets "$build"
  exec ctest --test-dir "$build" -j "$jobs" --output-on-failure --no-label-summary -LE 'slow|sanitizer'
fi

say "packages"
sh tests/deps.sh test

say "servers that stories run"
sh tests/servers/build.sh

# clang with address and undefined-behaviour sanitizers is the clang build, too: its warnings do not depend on optimisation.
# There each file stands by what it includes itself.
clang="-D CMAKE_CXX_COMPILER=clang++ -D CMAKE_BUILD_TYPE=Debug -D TRAINMAKE_PRECOMPILED=OFF"
fast_debug="-O1 -gline-tables-only"

say "g++ build"
configure "$build" -D TRAINMAKE_GATES=ON -D TRAINMAKE_PLAIN_UNITS=OFF -D TRAINMAKE_ASAN_DIR="$build/asan" -D TRAINMAKE_TSAN_DIR="$build/tsan"
make_targets "$build"

say "clang build, with address and undefined-behaviour sanitizers"
# shellcheck disable=SC2086  # lists of words
configure "$build/asan" $clang -D CMAKE_CXX_FLAGS_DEBUG="$fast_debug" -D TRAINMAKE_SANITIZE=address,undefined
make_targets "$build/asan"

say "clang build of what has threads, with the thread sanitizer"
# shellcheck disable=SC2086
configure "$build/tsan" $clang -D CMAKE_CXX_FLAGS_DEBUG="$fast_debug" -D TRAINMAKE_SANITIZE=thread
make_targets "$build/tsan" --target threaded_tests

say "tests"
exec sh tests/whole_root.sh ctest --test-dir "$build" -j "$jobs" --output-on-failure --no-label-summary
