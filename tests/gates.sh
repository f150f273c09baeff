#!/bin/sh
# What reads our sources: `gates.sh format|shell|lua|tidy`. Each prints what is wrong and fails, or prints nothing.
# tidy takes the folder of a compile_commands.json made for clang, and reads all but the tests.
set -eu
cd "$(dirname "$0")/.."

sources() { find engine lua cache rules tests \( -name '*.cc' -o -name '*.h' \) -type f; }

# A file's findings without clang-tidy's counting.
# shellcheck disable=SC2016  # expands in the shell that xargs starts
one_tidy='findings=$(clang-tidy -p "$0" --quiet "$1" 2>&1) || { printf "%s\n" "$findings" | grep -v "warnings\{0,1\} .*generated"; exit 1; }'

case "${1-}" in
  format) sources | xargs clang-format --dry-run -Werror ;;
  shell) find tests examples .ci \( -name '*.sh' -o -path .ci/run \) -type f -exec shellcheck {} + ;;
  lua) find examples lua rules tests -name '*.lua' -not -path 'tests/*/corpus/*' -type f -exec luacheck --quiet --no-color {} + ;;
  tidy)
    database=${2:?the folder of compile_commands.json}
    sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$database/compile_commands.json" | sort -u |
      awk -v root="$PWD/" 'index($0, root) == 1 && substr($0, length(root) + 1) ~ /^(engine|lua|cache|rules)\// ' |
      xargs -P "$(nproc)" -n 1 sh -c "$one_tidy" "$database"
    ;;
  *)
    echo "usage: sh tests/gates.sh format|shell|lua|tidy FOLDER" >&2
    exit 2
    ;;
esac
