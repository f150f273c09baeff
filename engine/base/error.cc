// How errors are made and what errno means to a person. Knows nothing of who prints them.
#include "engine/base/error.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "engine/base/text.h"

namespace trainmake {

namespace {

// What no other request would heal.
bool is_the_machines(int error_number) {
  constexpr std::array kMachines = {ENOSPC, EDQUOT, EIO, EROFS, ENOMEM, EMFILE, ENFILE, ESTALE, ETIMEDOUT};
  return std::find(kMachines.begin(), kMachines.end(), error_number) != kMachines.end();
}

// The next step after a failed system call, where there is one to name.
std::string_view hint_of(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return "Free some space there, then run it again";
    case EACCES:
    case EPERM:
      return "Check who owns it and its permissions (`ls -ld`)";
    case ELOOP:
      return "A symbolic link leads back to itself; `ls -l` shows where it points";
    case EROFS:
      return "That file system is mounted read-only";
    case EMFILE:
    case ENFILE:
      return "Allow more open files, as with `ulimit -n 4096`";
    default:
      return {};
  }
}

}  // namespace

int exit_code_of(Blame blame) {
  switch (blame) {
    case Blame::kUser:
      return 2;
    case Blame::kStep:
      return 1;
    case Blame::kRemote:
      return 3;
    case Blame::kBusy:
      return 4;
    case Blame::kInterrupted:
      return 130;
    case Blame::kBug:
      return 70;
  }
  return 70;
}

std::string Location::text() const {
  if (!known()) return {};
  return line > 0 ? cat(file, ':', line) : file;
}

Error&& Error::at(Location place) && {
  where = std::move(place);
  return std::move(*this);
}

Error&& Error::because(Blame whose) && {
  blame = whose;
  return std::move(*this);
}

Error&& Error::advise(std::string next_step) && {
  hint = std::move(next_step);
  return std::move(*this);
}

Error&& Error::lasting() && {
  lasts = true;
  return std::move(*this);
}

std::vector<Error> each_of(Error error) {
  std::vector<Error> all = std::exchange(error.beside, {});
  all.insert(all.begin(), std::move(error));
  return all;
}

Error user_error(std::string message, std::string hint) {
  return {std::move(message), std::move(hint), {}, Blame::kUser};
}

Error step_error(std::string message, std::string hint) {
  return {std::move(message), std::move(hint), {}, Blame::kStep};
}

Error interrupted_error() { return step_error("Interrupted").because(Blame::kInterrupted); }

Error system_error(std::string_view what, std::string_view path, int error_number) {
  const char* reason = strerrordesc_np(error_number);
  std::string text = reason != nullptr ? std::string(reason) : cat("Error ", error_number);
  return {cat(what, ' ', quoted(path), ": ", text),
          std::string(hint_of(error_number)),
          {},
          is_the_machines(error_number) ? Blame::kStep : Blame::kUser};
}

void check_failed(const char* condition, const char* file, int line) {
  std::fflush(stdout);
  std::fprintf(stderr, "trainmake: bug: `%s` does not hold at %s:%d\n", condition, file, line);
  std::fflush(stderr);
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  std::abort();  // which a fuzzer notices, and keeps what led to it
#endif
  _exit(exit_code_of(Blame::kBug));
}

}  // namespace trainmake
