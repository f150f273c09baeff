#include "lua/vm.h"

#include <cstdlib>
#include <lua5.4/lua.hpp>

#include "engine/base/text.h"
#include "lua/guard.h"

namespace trainmake {
namespace {

constexpr int kStride = 1000;  // instructions between two looks at the count
constexpr std::size_t kBytesPerInstruction =
    256;  // what filling memory costs, so that C functions pay for it too
constexpr std::uint64_t kRefusalCost = 1'000'000;  // a refused allocation has cost two collections

}  // namespace

Vm::Vm(const LoadLimits& limits, Evaluation& evaluation) : limits_(limits), evaluation_(evaluation) {
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
  if (block == nullptr) old_size = 0;  // Lua passes a type there
  if (new_size == 0) {
    std::free(block);
    vm.used_bytes_ -= old_size;
    return nullptr;
  }
  if (new_size > old_size) {
    const std::size_t grown = new_size - old_size;
    if (grown > vm.limits_.memory_bytes || vm.used_bytes_ + grown > vm.limits_.memory_bytes) {
      vm.refuse_memory();
      return nullptr;
    }
    vm.charge(grown / kBytesPerInstruction);
  }
  void* moved = std::realloc(block, new_size);
  if (moved != nullptr) vm.used_bytes_ += new_size - old_size;
  return moved;
}

// Lua collects garbage and asks once more; only after the second refusal there is an error, without a handler
// to place it.
void Vm::refuse_memory() {
  charge(kRefusalCost);
  if (state_ != nullptr) memory_ran_out_ = innermost_place(state_);
}

void Vm::charge(std::uint64_t instructions) {
  done_instructions_ += instructions;
  if (done_instructions_ >= limits_.instructions && state_ != nullptr) stop_soon();
}

// At the next instruction, and at every one after it, so that no pcall goes on.
void Vm::stop_soon() { lua_sethook(state_, &Vm::count, LUA_MASKCOUNT, 1); }

void Vm::count(lua_State* state, lua_Debug*) {
  Vm& vm = Vm::of(state);
  vm.done_instructions_ += kStride;
  if (vm.done_instructions_ < vm.limits_.instructions) return;
  lua_sethook(state, &Vm::count, LUA_MASKCOUNT,
              1);  // so that no pcall outlives it by more than an instruction
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
  return user_error(cat("The file ran for more than ", limits_.instructions, " instructions"),
                    "Look for a loop that does not end");
}

Error Vm::over_memory() const {
  return user_error(cat("The file needs more than ", human_bytes(limits_.memory_bytes), " of memory"),
                    "Look for a table or a string that grows without end")
      .at(memory_ran_out_);
}

}  // namespace trainmake
