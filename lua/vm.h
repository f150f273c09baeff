// One Lua interpreter with limits: so many instructions and so many bytes, and no way to go on once past
// them. What C functions do is charged as instructions, so that a file is stopped at the same place
// everywhere; what no count sees (comparing long texts, skipping the holes of tables) is left to a watch on
// the processor's time, which lets pass whatever is not far slower than its count. Knows the evaluation that
// it runs for, not what that evaluation means.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "engine/base/error.h"
#include "lua/load.h"

struct lua_State;
struct lua_Debug;

namespace trainmake {

struct Evaluation;

class Vm {
 public:
  Vm(const LoadLimits& limits, Evaluation& evaluation);
  ~Vm();
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;

  static Vm& of(lua_State* state);
  lua_State* state() { return state_; }
  Evaluation& evaluation() { return evaluation_; }

  const LoadLimits& limits() const { return limits_; }

  // Counts what a C function did as so many instructions.
  void charge(std::uint64_t instructions) {
    done_instructions_ += instructions;
    if (is_over()) stop_soon();
  }
  // The same for what it is about to do: fails when that is too much.
  Result<void> spend(std::uint64_t instructions) {
    charge(std::min(instructions, limits_.instructions));
    return is_over() ? refuse_time() : Result<void>();
  }
  std::uint64_t instructions_left() const;
  // Counts what a binding is about to keep outside of Lua until the file ends: false when that is too much.
  bool may_keep(std::size_t bytes) {
    if (bytes > limits_.declared_bytes - kept_bytes_) return false;
    kept_bytes_ += bytes;
    return true;
  }
  Error over_declared() const;
  // Takes what reading the disk has cost out of the watch.
  void excuse(std::int64_t cpu_ns) { started_cpu_ns_ += cpu_ns; }
  Error over_memory() const;

  // Calls the function below its `arguments` on the stack, as lua_call does.
  Result<void> call(int arguments, int results);

 private:
  static void* allocate(void* self, void* block, std::size_t old_size, std::size_t new_size);
  static void count(lua_State* state, lua_Debug* activation);
  bool may_grow(std::size_t grown, bool is_new_text);
  void refuse_memory(bool is_text);
  void watch();
  void stop_soon();
  bool is_over() const { return too_slow_ || done_instructions_ >= limits_.instructions; }
  Result<void> refuse_time() const;
  Error over_time() const;

  LoadLimits limits_;
  Evaluation& evaluation_;
  std::size_t used_bytes_ = 0;
  std::uint64_t done_instructions_ = 0;
  std::size_t kept_bytes_ = 0;
  bool too_slow_ = false;
  std::int64_t started_cpu_ns_;
  std::chrono::steady_clock::time_point watched_;
  Location memory_ran_out_;  // where an allocation was last refused
  bool text_ran_out_ = false;
  lua_State* state_ = nullptr;
};

}  // namespace trainmake
