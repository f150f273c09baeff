#!/bin/sh
# Builds the programs of a list that are not built yet (`build.sh [LIST]`, `versions` without one), from Go's module proxy, into a folder outside the
# checkout: once for every version. Stories and benches look for them there (tests/e2e/registries.py). Whoever comes meanwhile waits.
set -eu
cd "$(dirname "$0")"

list=${1:-versions}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/trainmake-tests
scratch=

say() { echo "servers: $*"; }
complain() {
  echo "build.sh: $*" >&2
  exit 1
}

lines() { sed '/^#/d; /^$/d' "$list"; }

# NAME-VERSION, as it lies in the cache.
kept_as() { echo "$1-${2##*@}"; }

missing() {
  lines | while read -r name package; do
    [ "$name" = go ] || [ -x "$cache/$(kept_as "$name" "$package")" ] || echo "$name $package"
  done
}

# Prints a go of at least version $1: the one here or, built on it, one from the proxy.
go_of() {
  command -v go >/dev/null 2>&1 || complain "there is no go here; sh tests/deps.sh test installs one"
  here=$(go env GOVERSION | sed 's/^go//')
  if [ "$(printf '%s\n' "$1" "$here" | sort -V | head -n 1)" = "$1" ]; then
    command -v go
    return
  fi
  module=golang.org/toolchain@v0.0.1-go$1.linux-$(go env GOHOSTARCH)
  say "go here is $here, and go $1 is needed: fetching it" >&2
  go mod download "$module" >&2 || complain "go $1 cannot be fetched (\`go mod download $module\`)"
  tools=$GOMODCACHE/$module
  chmod +x "$tools"/bin/* "$tools"/pkg/tool/*/*  # in the archive of a module nothing is a program
  echo "$tools/bin/go"
}

clean_up() { [ -z "$scratch" ] || rm -rf "$scratch"; }
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

[ -n "$(missing)" ] || exit 0
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
[ -n "$(missing)" ] || exit 0

# All that Go keeps goes away with the scratch folder; only whole programs reach the cache.
scratch=$(mktemp -d "$cache/building.XXXXXX")
export GOPATH="$scratch/path" GOMODCACHE="$scratch/modules" GOCACHE="$scratch/objects"
export GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS=-modcacherw
go=$(go_of "$(sed -n 's/^go  *//p' versions)")
unset GOROOT

# In a module of its own, since `go install` refuses those that replace what they need.
build() {
  mkdir "$scratch/$1"
  cd "$scratch/$1"
  "$go" mod init it && "$go" get "$2" && "$go" build -mod=mod -trimpath -ldflags '-s -w' -o it "${2%@*}"
}

missing | while read -r name package; do
  began=$(date +%s)
  say "building $name from ${package##*/}"
  (build "$name" "$package") >"$scratch/log" 2>&1 || {
    grep -v '^go: downloading' "$scratch/log" >&2
    complain "$name cannot be built ($package)"
  }
  mv "$scratch/$name/it" "$cache/$(kept_as "$name" "$package")"
  say "built it in $(($(date +%s) - began)) s"
done
