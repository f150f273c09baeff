// What a job's attributes tell its program as arguments, in their order. How they are written, the contract
// says (contract.h). Pure.
#pragma once

#include <string>
#include <vector>

#include "engine/model/graph.h"

namespace trainmake {

// `solver` and `snapshot`, as the tools of caffe have them, then `args`, sorted by name.
Fields named_arguments(const Target& job);
// One that is said as an attribute and among `args` or `params` as well is an error.
Result<void> check_arguments_said_once(const Target& job);

// `train_params`, behind all others: one text, split as a shell does where no file has a name of the patterns
// in it.
Result<std::vector<std::string>> typed_arguments(const Target& job);
std::vector<Error> wrong_train_params(const Value& text);

}  // namespace trainmake
