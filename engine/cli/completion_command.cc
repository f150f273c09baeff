// `completion SHELL`: a script to source. The script asks back with `completion labels PREFIX`, as of
// platforms, registries and contracts, which answer a line each, and with nothing when
// something is wrong: nobody wants an error in the middle of typing.
#include <algorithm>

#include "engine/base/text.h"
#include "engine/cli/commands.h"
#include "engine/cli/complete_labels.h"
#include "engine/cli/completion_text.h"
#include "rules/job/contracts.h"

namespace trainmake {
namespace {

// Names of TRAINSPACE.lua, and those that are there without it.
std::vector<std::string> name_candidates(Session& session, const std::string& what, const std::string& word) {
  const Result<const Space*> found = session.space();
  const Space nothing;
  const Space& space = found ? **found : nothing;
  std::vector<std::string> names = what == "contracts"   ? contract_names(space)
                                   : what == "platforms" ? space.names("platform")
                                                         : space.names("registry");
  if (what == "platforms") names.emplace_back("local");
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::erase_if(names, [&](const std::string& name) { return !name.starts_with(word); });
  return names;
}

}  // namespace

Result<int> completion_command(const CommandLine& line, const Environment& environment) {
  const std::vector<std::string>& words = line.words;
  if (words.empty())
    return fail(user_error("`trainmake completion` needs a shell: bash, zsh or fish",
                           "As `eval \"$(trainmake completion bash)\"`"));
  if (words[0] == "labels" || words[0] == "platforms" || words[0] == "registries" ||
      words[0] == "contracts") {
    const Result<std::unique_ptr<Session>> session = Session::open(line, environment);
    if (!session) return 0;
    const std::string word = words.size() > 1 ? words[1] : "";
    const std::vector<std::string> candidates =
        words[0] == "labels" ? label_candidates(**session, word) : name_candidates(**session, words[0], word);
    for (const std::string& candidate : candidates) write_stdout(candidate + "\n");
    return 0;
  }
  const std::optional<std::string> script = completion_text(words[0]);
  if (!script) {
    const std::vector<std::string> shells = {"bash", "zsh", "fish"};
    const std::string meant = did_you_mean(words[0], shells);
    return fail(user_error(cat("There is no completion for ", quoted(words[0])),
                           meant.empty() ? std::string("There are bash, zsh, fish") : meant));
  }
  write_stdout(*script);
  return 0;
}

}  // namespace trainmake
