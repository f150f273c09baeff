// The clock and the environment of this process. Processes are in process.cc, http in curl.cc.
#include "engine/base/host.h"

#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <string_view>

namespace trainmake {

namespace {

template <typename Source>
std::int64_t ns_since_epoch() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Source::now().time_since_epoch()).count();
}

class RealClock final : public Clock {
 public:
  std::int64_t now_ns() override { return ns_since_epoch<std::chrono::system_clock>(); }
  std::int64_t steady_ns() override { return ns_since_epoch<std::chrono::steady_clock>(); }

  bool wait(std::chrono::milliseconds time, std::stop_token stop) override {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, time, [] { return false; });
    return stop.stop_requested();
  }
};

}  // namespace

Clock& real_clock() {
  static RealClock clock;
  return clock;
}

std::optional<std::string> Environment::get(const std::string& name) const {
  const auto found = variables.find(name);
  if (found == variables.end()) return std::nullopt;
  return found->second;
}

Environment Environment::of_process() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals == text.npos) continue;
    environment.variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

}  // namespace trainmake
