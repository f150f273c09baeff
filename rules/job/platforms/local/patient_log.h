// A log that goes on when it cannot be written for a while: what cannot be kept is dropped, and the log says
// so when it can be written again. Knows not where it goes.
#pragma once

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
    if (lost_ > 0 || !append_(bytes)) lost_ += bytes.size();
  }

  // Says what is lost, where it can: in a line of its own, whatever came before.
  void finish() {
    if (lost_ > 0 && append_(cat("\nUp to ", lost_, " bytes of the log were lost\n"))) lost_ = 0;
  }

 private:
  Append append_;
  std::size_t lost_ = 0;  // some of them may have been written
};

}  // namespace trainmake
