#!/bin/sh
# whole_root.sh COMMAND...: runs it where `/` is a mount. In a chroot it is none, and programs that unpack or run containers there,
# as buildah, cannot make it private; so it gets a root that is one, with all that lies in this one.
set -eu

if awk '$5 == "/" { found = 1 } END { exit !found }' /proc/self/mountinfo || ! unshare --mount --propagation unchanged true 2>/dev/null; then
  exec "$@"
fi
root=$(mktemp -d)
# shellcheck disable=SC2016  # the inner shell's words
exec unshare --mount --propagation unchanged sh -c '
  root=$1
  shift
  mount --rbind / "$root" && mount --make-rprivate "$root"
  exec chroot "$root" env -C "$PWD" "$@"
' whole_root "$root" "$@"
