// Errors are values with a place and a next step, and Result<T> carries them. What the user or the world can
// cause is a Result; a broken promise of our own code is a CHECK, which ends the program with exit code 70.
// Knows nothing of ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace trainmake {

// Whose doing it was; decides the exit code.
enum class Blame : std::uint8_t {
  kUser,         // usage or TRAINFILE error: 2
  kStep,         // a step or job failed: 1
  kRemote,       // a remote refused or could not be reached: 3
  kBusy,         // another trainmake holds what is needed: 4
  kInterrupted,  // Ctrl-C: 130
  kBug,          // ours: 70
};

int exit_code_of(Blame blame);

// A place in a file that a person wrote; `file` is a path from the workspace's root.
struct Location {
  std::string file;
  int line = 0;

  bool known() const { return !file.empty(); }
  std::string text() const;  // `TRAINFILE.lua:12`, empty when not known
  friend bool operator==(const Location&, const Location&) = default;
};

struct Error {
  std::string message;  // upper-case start, no full stop, names in backticks
  std::string hint;     // the next step; may be empty
  Location where;
  Blame blame = Blame::kUser;
  std::vector<Error> beside = {};  // found by the same call, and told with it
  bool lasts = false;              // asking again soon would not heal it

  Error&& at(Location place) &&;
  Error&& because(Blame whose) &&;
  Error&& advise(std::string next_step) &&;  // sets the hint
  Error&& lasting() &&;
};

// The error and those beside it, each for itself.
std::vector<Error> each_of(Error error);

Error user_error(std::string message, std::string hint = {});
Error step_error(std::string message, std::string hint = {});
Error interrupted_error();  // of what Ctrl-C ended before it was done

// The text of errno after a failed call on `path`: "Cannot read `a/b`: Permission denied". A full disk, or
// another trouble of the machine, is nobody's mistake in a file: a failed step.
Error system_error(std::string_view what, std::string_view path, int error_number);

template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

using Failure = tl::unexpected<Error>;
inline Failure fail(Error error) { return Failure(std::move(error)); }

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace trainmake

#define TM_JOIN2(a, b) a##b
#define TM_JOIN(a, b) TM_JOIN2(a, b)
// TRY(expression): returns its error from here, else drops its value.
#define TRY(...)                                              \
  do {                                                        \
    if (auto tm_result = (__VA_ARGS__); !tm_result) {         \
      return ::trainmake::fail(std::move(tm_result).error()); \
    }                                                         \
  } while (false)
// TRY_ASSIGN(auto x, expression): x is its value, or its error is returned from here.
#define TRY_ASSIGN(target, ...) TM_TRY_ASSIGN(TM_JOIN(tm_result_, __LINE__), target, __VA_ARGS__)
#define TM_TRY_ASSIGN(name, target, ...)                        \
  auto name = (__VA_ARGS__);                                    \
  if (!name) return ::trainmake::fail(std::move(name).error()); \
  target = std::move(*name)
#define CHECK(condition) ((condition) ? void() : ::trainmake::check_failed(#condition, __FILE__, __LINE__))
