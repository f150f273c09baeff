// One Lua interpreter with limits: so many instructions and so many bytes, and no way to go on once past
// them. Knows the evaluation that it runs for, not what that evaluation means.
#pragma once

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

  // Counts what a C function did as so many instructions.
  void charge(std::uint64_t instructions);
  // Calls the function below its `arguments` on the stack, as lua_call does.
  Result<void> call(int arguments, int results);

 private:
  static void* allocate(void* self, void* block, std::size_t old_size, std::size_t new_size);
  static void count(lua_State* state, lua_Debug* activation);
  void refuse_memory();
  void stop_soon();
  Error over_time() const;
  Error over_memory() const;

  LoadLimits limits_;
  Evaluation& evaluation_;
  std::size_t used_bytes_ = 0;
  std::uint64_t done_instructions_ = 0;
  Location memory_ran_out_;  // where an allocation was last refused
  lua_State* state_ = nullptr;
};

}  // namespace trainmake
