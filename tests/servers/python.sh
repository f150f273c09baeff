#!/bin/sh
# Makes a Python environment with what is asked for (`python.sh NAME REQUIREMENT...`) unless there is one, outside the checkout, and prints its python.
# Another requirement makes another environment. Whoever comes meanwhile waits.
set -eu

[ $# -ge 2 ] || {
  echo "usage: sh tests/servers/python.sh NAME REQUIREMENT..." >&2
  exit 2
}
name=$1
shift
cache=${XDG_CACHE_HOME:-$HOME/.cache}/trainmake-tests
folder=$cache/python-$name-$(printf '%s\n' "$(python3 -V)" "$@" | sha256sum | cut -c 1-12)

if ! [ -e "$folder/complete" ]; then
  mkdir -p "$cache"
  exec 9>"$cache/python.lock"
  flock 9
fi
if ! [ -e "$folder/complete" ]; then
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/python" -m pip install -q "$@" >&2 || {
    echo "python.sh: $name cannot be installed ($*)" >&2
    exit 1
  }
  : >"$folder/complete"
fi
echo "$folder/bin/python"
