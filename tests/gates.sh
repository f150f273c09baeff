#!/bin/sh
# What reads our sources: `gates.sh format|shell|lua|tidy`. Each prints what is wrong and fails, or prints nothing.
# tidy takes the folder of a compile_commands.json made for clang, and reads all but the tests.
set -eu
cd "$(dirname "$0")/.."

sources() { find engine lua cache rules tests \( -name '*.cc' -o -name '*.h' \) -type f; }

case "${1-}" in
  format) sources | xargs clang-format --dry-run -Werror ;;
  shell) find tests examples .ci \( -name '*.sh' -o -path .ci/run \) -type f -exec shellcheck {} + ;;
  lua) find examples lua rules tests -name '*.lua' -not -path 'tests/*/corpus/*' -type f -exec luacheck --quiet --no-color {} + ;;
  tidy) python3 -B tests/tidy "${2:?the folder of compile_commands.json}" ;;
  *)
    echo "usage: sh tests/gates.sh format|shell|lua|tidy FOLDER" >&2
    exit 2
    ;;
esac
