#!/bin/sh
# Makes an image of Debian packages to build on, and pushes it: make-base.sh REGISTRY/NAME:TAG [PACKAGE...], with Python and NumPy when
# no package is named. No Docker: mmdebstrap unpacks, umoci makes the image, skopeo pushes it, logged in as `docker login` left it.
# Packages are those of this machine's Debian, from where its apt gets them. As root, or where user namespaces are allowed.
set -eu

[ $# -ge 1 ] || {
  echo "usage: sh make-base.sh REGISTRY/NAME:TAG [PACKAGE...]" >&2
  exit 2
}
name=$1
shift
[ $# -gt 0 ] || set -- python3-numpy
for tool in mmdebstrap umoci skopeo; do
  command -v "$tool" >/dev/null || {
    echo "make-base.sh: $tool is not installed: apt-get install mmdebstrap umoci skopeo" >&2
    exit 1
  }
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# One of both ways to write them is in use; mmdebstrap reads either.
sources() {
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    if [ -s "$file" ]; then printf '%s\n' "$file"; fi
  done
}

echo "make-base.sh: unpacking $*"
suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
packages=$(printf '%s,' "$@")
# What nobody reads in an image is left out; and times, so that the same packages are the same layer.
export SOURCE_DATE_EPOCH=0
# shellcheck disable=SC2016,SC2046  # $1 is the hook's; a list of files
mmdebstrap --quiet --variant=essential --include="${packages%,}" \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook='rm -rf "$1"/var/cache/* "$1"/var/log/*' \
  "$suite" "$scratch/root.tar" $(sources)

echo "make-base.sh: pushing $name"
umoci init --layout "$scratch/image"
umoci new --image "$scratch/image:base"
umoci raw add-layer --image "$scratch/image:base" --no-history "$scratch/root.tar"
umoci config --image "$scratch/image:base" --no-history --created 1970-01-01T00:00:00Z \
  --config.env PATH=/usr/local/bin:/usr/bin:/bin --config.env LANG=C.UTF-8 --config.cmd /bin/sh
tls=true
case $name in
  localhost[:/]* | 127.*) tls=false ;;
esac
skopeo copy --quiet --dest-tls-verify=$tls "oci:$scratch/image:base" "docker://$name"
