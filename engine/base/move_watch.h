// Which of some folders were renamed since they were first watched: the kernel tells, and no time of a folder
// does, for an entry made in it afterwards covers that up. Knows no reason for it. Thread rule: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "engine/base/descriptor.h"

namespace trainmake {

class MoveWatch {
 public:
  MoveWatch();

  // What cannot be watched, as a folder that other machines write to, is not known.
  void add(const std::string& folder);

  enum class Told : std::uint8_t { kStayed, kMoved, kNotKnown };
  Told told_of(const std::string& folder);

 private:
  void hear();

  Descriptor descriptor_;
  std::map<std::string, int> folders_;  // the kernel's numbers for them
  std::map<int, Told> told_;
  bool has_missed_ = false;
};

}  // namespace trainmake
