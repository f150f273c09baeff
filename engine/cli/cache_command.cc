// `cache export FILE` and `cache import FILE`: the whole cache as one file, for CI services that keep files.
#include <nlohmann/json.hpp>

#include "cache/whole_cache.h"
#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/hold.h"
#include "engine/cli/typed_path.h"
#include "rules/image/registries/layout/layout.h"

namespace trainmake {

Result<int> cache_command(const Call& call) {
  Session& session = call.session;
  const std::vector<std::string>& words = session.line().words;
  const bool is_import = !words.empty() && words[0] == "import";
  if (words.empty() || (!is_import && words[0] != "export")) {
    const std::vector<std::string> ways = {"export", "import"};
    const std::string meant = words.empty() ? std::string() : did_you_mean(words[0], ways);
    return fail(user_error(words.empty()
                               ? std::string("`trainmake cache` needs `export` or `import`")
                               : cat("`trainmake cache` can `export` and `import`, not ", quoted(words[0])),
                           meant.empty() ? std::string("As `trainmake cache export cache.tar.zst`") : meant));
  }
  if (words.size() != 2)
    return fail(user_error(cat("`trainmake cache ", words[0], "` takes one file, got ", words.size() - 1),
                           cat("As `trainmake cache ", words[0], " cache.tar.zst`")));
  const std::string file = typed_path(session, words[1]);
  TRY_ASSIGN(const FileLock alone, hold_workspace(session, FileLock::Mode::kExclusive, call.stop));
  const std::string& cache = session.workspace().cache;
  const auto merge_images = [&](const std::string& from, const std::string& to) {
    return add_names(session.host(), from, to);
  };
  TRY_ASSIGN(const Transferred done, is_import
                                         ? import_cache(session.host(), cache, file, merge_images, call.stop)
                                         : export_cache(session.host(), cache, file, call.stop));
  if (session.json())
    write_stdout(nlohmann::ordered_json{
                     {is_import ? "imported" : "exported", {{"files", done.files}, {"bytes", done.bytes}}}}
                     .dump() +
                 "\n");
  else
    write_stderr(cat(is_import ? "imported " : "exported ", plural(done.files, "file"), ", ",
                     human_bytes(done.bytes), is_import ? " from " : " to ", quoted(words[1]), "\n"));
  return 0;
}

}  // namespace trainmake
