// A log that goes on when it cannot be written for a while: what cannot be kept is dropped, and the log says
// so when it can be written again. Knows not where it goes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/text.h"

namespace trainmake {

class PatientLog {
 public:
  using Append = std::function<Result<void>(std::string_view)>;
  explicit PatientLog(Append append) : append_(std::move(append)) {}

  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    finish();
    if (lost_ == 0 && append_(bytes)) return;
    lost_ += bytes.size();
    lost_in_all_ += bytes.size();
  }

  // Says what is lost, where it can: in a line of its own, whatever came before.
  void finish() {
    if (lost_ > 0 && append_(cat("\nUp to ", lost_, " bytes of the log were lost\n"))) lost_ = 0;
  }

  // Whether or not the log says so by now.
  std::uint64_t lost_in_all() const { return lost_in_all_; }

 private:
  Append append_;
  std::uint64_t lost_ = 0;  // some of them may have been written
  std::uint64_t lost_in_all_ = 0;
};

}  // namespace trainmake
