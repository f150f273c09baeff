// Where in the code or the data a file lies that a job is given by a word: as `code_dir` or `data_dir` says,
// or as a path that is typed as the job will see it. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "rules/job/platform.h"
#include "rules/job/upstream.h"

namespace trainmake {

// Nothing of a path that lies in neither: in the output, or elsewhere in the image.
std::optional<PlacedPath> placed_word(const PlatformTraits& platform, const Value& word);

// Whether the image may have a file at `path` among the code that is none of ours: what lies on it, or a
// command of it, may have put it there.
bool may_have_more_code(const Subject& job, const PlatformTraits& platform, std::string_view path);
// Whether it is a link of the code, or may lie behind one.
bool has_link_to(const Listing& code, std::string_view path);

}  // namespace trainmake
