#include "rules/job/python_check.h"

#include "engine/base/text.h"

namespace trainmake {
namespace {

// Reads the file, and runs nothing of it.
constexpr const char* kRead = R"(
import ast, sys, warnings
warnings.simplefilter("ignore")
try:
    ast.parse(sys.stdin.buffer.read())
except SyntaxError as error:
    print(f"line {error.lineno}: {error.msg}")
    sys.exit(9)
)";
constexpr int kCannotRead = 9;  // any other end says nothing of the file

}  // namespace

std::string PythonCheck::complaint(const std::string& source) {
  const Digest128 digest = digest_of(source);
  const std::lock_guard lock(mutex_);
  if (const auto found = known_.find(digest); found != known_.end()) return found->second;
  Command command{{"python3", "-I", "-c", kRead},
                  {{"PATH", host_.environment.get("PATH").value_or("/usr/bin:/bin")}},
                  ""};
  command.input = [&](const std::function<Result<void>(std::string_view)>& sink) { return sink(source); };
  const auto told = host_.processes.run(command, {});
  const bool cannot = told && told->exit_code == kCannotRead;
  return known_[digest] = cannot ? std::string(trim(told->output)) : std::string();
}

}  // namespace trainmake
