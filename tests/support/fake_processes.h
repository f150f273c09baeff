// Processes that never start: commands are recorded, and answered from a script.
// Thread rule: any thread.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/base/host.h"
#include "engine/base/text.h"

namespace trainmake {

class FakeProcesses final : public Processes {
 public:
  // Answers every command, when set; else those given to `then` are handed out in turn.
  std::function<Result<ProcessResult>(const Command&)> answer;
  void then(Result<ProcessResult> result) { script_.push_back(std::move(result)); }

  Result<ProcessResult> run(const Command& command, std::stop_token) override {
    const std::lock_guard lock(mutex_);
    commands_.push_back(command);
    if (command.input) {
      inputs_.emplace_back();
      TRY(command.input([this](std::string_view bytes) {
        inputs_.back() += bytes;
        return Result<void>();
      }));
    }
    if (answer) return answer(command);
    if (next_ == script_.size()) {
      return fail(user_error(cat("Cannot run ", quoted(command.arguments.front()), ": it is not in PATH")));
    }
    return script_[next_++];
  }
  Result<int> start_detached(const Command& command) override {
    const std::lock_guard lock(mutex_);
    detached_.push_back(command);
    return 1000 + static_cast<int>(detached_.size());
  }
  Result<bool> send(const Process&, Signal) override { return false; }

  std::vector<Command> commands() const { return copy_of(commands_); }
  std::vector<Command> detached() const { return copy_of(detached_); }
  std::vector<std::string> inputs() const {  // of those that were given one
    const std::lock_guard lock(mutex_);
    return inputs_;
  }

 private:
  std::vector<Command> copy_of(const std::vector<Command>& commands) const {
    const std::lock_guard lock(mutex_);
    return commands;
  }

  mutable std::mutex mutex_;
  std::vector<Command> commands_;
  std::vector<Command> detached_;
  std::vector<std::string> inputs_;
  std::vector<Result<ProcessResult>> script_;
  std::size_t next_ = 0;
};

}  // namespace trainmake
