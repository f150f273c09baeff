#include "lua/vm.h"

#include <cstdlib>
#include <lua5.4/lua.hpp>

#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "lua/guard.h"

namespace trainmake {
namespace {

constexpr int kStride = 500;  // instructions between two looks at the count
// What filling memory costs, so that C functions pay for it too, and what collecting all of it does, as Lua
// does twice before it believes that there is no more.
constexpr std::size_t kBytesPerInstruction = 8;
constexpr std::size_t kBytesCollectedPerInstruction = 4;
constexpr std::size_t kTextHead = 64;  // more than Lua puts in front of a string

// An instruction, or what is charged as one, takes 5 to 10 ns; a slow machine may take ten times as long.
constexpr std::int64_t kSlowestNs = 50;
constexpr std::int64_t kGraceNs = 800'000'000;
constexpr std::chrono::milliseconds kBetweenWatches{50};

}  // namespace

Vm::Vm(const LoadLimits& limits, Evaluation& evaluation)
    : limits_(limits),
      evaluation_(evaluation),
      started_cpu_ns_(thread_cpu_ns()),
      watched_(std::chrono::steady_clock::now()) {
  state_ = lua_newstate(&Vm::allocate, this);
  CHECK(state_ != nullptr);
  *static_cast<Vm**>(lua_getextraspace(state_)) = this;
  register_errors(state_);
  lua_sethook(state_, &Vm::count, LUA_MASKCOUNT, kStride);
}

Vm::~Vm() { lua_close(state_); }

Vm& Vm::of(lua_State* state) { return **static_cast<Vm**>(lua_getextraspace(state)); }

void* Vm::allocate(void* self, void* block, std::size_t old_size, std::size_t new_size) {
  Vm& vm = *static_cast<Vm*>(self);
  // Of a new block, the old size is the type of what is made.
  const bool is_new_text = block == nullptr && old_size == LUA_TSTRING;
  if (block == nullptr) old_size = 0;
  if (new_size == 0) {
    std::free(block);
    vm.used_bytes_ -= old_size;
    return nullptr;
  }
  if (new_size > old_size && !vm.may_grow(new_size - old_size, is_new_text)) return nullptr;
  void* moved = std::realloc(block, new_size);
  if (moved != nullptr) vm.used_bytes_ += new_size - old_size;
  return moved;
}

bool Vm::may_grow(std::size_t grown, bool is_new_text) {
  const bool too_long = is_new_text && grown > limits_.text_bytes + kTextHead;
  if (too_long || grown > limits_.memory_bytes || used_bytes_ + grown > limits_.memory_bytes) {
    refuse_memory(too_long);
    return false;
  }
  charge(grown / kBytesPerInstruction);
  return true;
}

// Lua collects garbage and asks once more; only after the second refusal there is an error, without a handler
// to place it.
void Vm::refuse_memory(bool is_text) {
  charge(kStride + used_bytes_ / kBytesCollectedPerInstruction);
  text_ran_out_ = is_text;
  if (state_ != nullptr) memory_ran_out_ = innermost_place(state_);
}

Result<void> Vm::refuse_time() const { return fail(over_time()); }

std::uint64_t Vm::instructions_left() const {
  return limits_.instructions - std::min(done_instructions_, limits_.instructions);
}

Error Vm::over_declared() const {
  return user_error(cat("The file declares more than ", human_bytes(limits_.declared_bytes)),
                    "A table is copied wherever it stands: look for one that stands in many places");
}

// At the next instruction, and at every one after it, so that no pcall goes on.
void Vm::stop_soon() {
  if (state_ != nullptr) lua_sethook(state_, &Vm::count, LUA_MASKCOUNT, 1);
}

void Vm::watch() {
  const auto now = std::chrono::steady_clock::now();
  if (now - watched_ < kBetweenWatches) return;
  watched_ = now;
  const auto done = static_cast<std::int64_t>(done_instructions_);
  too_slow_ = thread_cpu_ns() - started_cpu_ns_ > kGraceNs + done * kSlowestNs;
}

void Vm::count(lua_State* state, lua_Debug*) {
  Vm& vm = Vm::of(state);
  vm.done_instructions_ += kStride;
  if (!vm.is_over()) vm.watch();
  if (!vm.is_over()) return;
  vm.stop_soon();
  raise(state, vm.over_time());
}

Result<void> Vm::call(int arguments, int results) {
  const int handler = lua_gettop(state_) - arguments;
  lua_pushcfunction(state_, &explain_error);
  lua_insert(state_, handler);
  const int status = lua_pcall(state_, arguments, results, handler);
  lua_remove(state_, handler);
  if (status == LUA_OK) return {};
  if (status == LUA_ERRMEM) {
    lua_pop(state_, 1);
    return fail(over_memory());
  }
  return fail(take_error(state_));
}

Error Vm::over_time() const {
  if (too_slow_) {
    return user_error("The file takes too long: its instructions are far slower than they should be",
                      "Look for a loop over long texts, or over tables that were emptied");
  }
  return user_error(cat("The file ran for more than ", limits_.instructions, " instructions"),
                    "Look for a loop that does not end");
}

Error Vm::over_memory() const {
  const std::string what = text_ran_out_ ? cat("a text of more than ", human_bytes(limits_.text_bytes))
                                         : cat("more than ", human_bytes(limits_.memory_bytes), " of memory");
  return user_error(cat("The file needs ", what), "Look for a table or a string that grows without end")
      .at(memory_ran_out_);
}

}  // namespace trainmake
