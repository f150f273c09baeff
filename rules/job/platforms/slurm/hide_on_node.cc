#include "rules/job/platforms/slurm/hide_on_node.h"

#include <chrono>
#include <cstdio>

#include "engine/base/host.h"
#include "engine/base/secrets.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::chrono::milliseconds kLook{100};  // at whether it is asked to end

// A log that cannot be written is no reason to end the job.
void print(const std::string& bytes) {
  if (bytes.empty()) return;
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

Result<int> pass_on(Child& child, Redactor redactor, const std::function<void()>& ask_to_end) {
  std::string bytes;
  const auto read = [&]() -> Result<bool> {
    bytes.clear();
    TRY_ASSIGN(const bool more, child.read(bytes, kLook));
    print(redactor.pass(bytes));
    return more;
  };
  while (!child.ended()) {
    if (termination_asked()) ask_to_end();
    TRY(read());
  }
  // What it left behind may hold the pipe open for ever.
  do {
    TRY_ASSIGN(const bool more, read());
    if (!more) break;
  } while (!bytes.empty());
  print(redactor.finish());
  return child.ended()->exit_code;
}

Result<int> run_hiding(const std::string& secrets, const std::vector<std::string>& command) {
  outlive_the_terminal();
  const Environment environment = Environment::of_process();
  TRY_ASSIGN(Child child, Child::start({.arguments = command,
                                        .environment = environment.variables,
                                        .folder = std::string("."),
                                        .read_only = {},
                                        .keeps_open_files = true}));
  bool asked = false;
  return pass_on(child, redactor_of(environment, split(secrets, ',')), [&] {
    if (!asked) child.ask_to_end();
    asked = true;
  });
}

}  // namespace trainmake
