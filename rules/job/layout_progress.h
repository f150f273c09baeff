// Tells a person how far it is while much is copied for a job before it starts. Thread rule: one thread.
#pragma once

#include <cstdint>

#include "cache/blobs.h"
#include "engine/base/host.h"
#include "rules/job/platform.h"

namespace trainmake {

class LayoutProgress {
 public:
  // Borrows the clock.
  LayoutProgress(Clock& clock, Patience patience);

  void expect(std::uint64_t bytes) { expected_ += bytes; }
  void copied(std::uint64_t bytes);
  Copying copying();  // borrows this

 private:
  Clock& clock_;
  Patience patience_;
  std::int64_t told_ns_;
  std::uint64_t expected_ = 0, copied_ = 0;
};

}  // namespace trainmake
