// What a person types to have a job done once more as it was for a run: hints and `show` say it, and it has
// to work when it is pasted. Pure.
#pragma once

#include <string>

#include "engine/model/project.h"
#include "engine/model/record.h"

namespace trainmake {

// What stands behind `trainmake`: "job:x --platform lab", "run --local job:x --contract uai", or "repro ID"
// of a run that repeats another, with those flags alone that TRAINSPACE.lua does not imply.
std::string asked_again(const std::string& label, const Run& run, const Space& space);
// The same to have a run repeated as it was, by its id and its platform, on the platform `there`.
struct ToRepeat {
  std::string run, platform;
  std::string contract;  // its version
};
std::string repeated(const ToRepeat& original, const std::string& there, const Space& space);

}  // namespace trainmake
