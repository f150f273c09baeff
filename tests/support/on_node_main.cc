// The part of trainmake that scripts of jobs call on a node: it starts a container, or hides secrets.
#include <unistd.h>

#include "engine/base/text.h"
#include "rules/job/platforms/slurm/hide_on_node.h"
#include "rules/job/platforms/slurm/run_on_node.h"

int main(int count, char** arguments) {
  using namespace trainmake;
  const std::vector<std::string> words(arguments + 1, arguments + count);
  if (words.size() < 2 || (words[0] != kOnNodeFlag && words[0] != kHidingFlag)) return 2;
  const std::vector<std::string> more(words.begin() + 2, words.end());
  const Result<int> code = words[0] == kOnNodeFlag ? run_on_node(words[1], more) : run_hiding(words[1], more);
  const std::string why = code ? "" : cat(code.error().message, "\n");
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, why.data(), why.size());
  return code.value_or(127);
}
