#!/bin/sh
# From a fresh clone to a trained model: installs what is missing, builds trainmake into build/, trains examples/mnist,
# evaluates it, and shows that a second run has nothing to do. May be run again at any time.
set -eu
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

# Runs a command quietly; shows what it said only when it fails.
quietly() {
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    echo "quickstart: failed: $*" >&2
    exit 1
  fi
  rm -f "$log"
}

trainmake() { build/trainmake -C examples/mnist "$@"; }

say "What it needs (Debian packages)"
sh tests/deps.sh build

say "Building build/trainmake (a few minutes the first time)"
[ -f build/CMakeCache.txt ] || quietly cmake -S . -B build -G Ninja -D CMAKE_BUILD_TYPE=Release
cmake --build build --target trainmake

say "Training: trainmake -C examples/mnist job:mnist"
trainmake job:mnist

say "Evaluating: trainmake -C examples/mnist job:eval"
trainmake job:eval
trainmake logs job:eval

say "Once more, with nothing changed (then read examples/mnist/README.md, edit something, and run it again)"
trainmake job:eval
