// What a run was made from: the results of the targets it needed, found again among the records by what they
// came to. One that gc forgot is missing. Knows the provenance that a job's run carries, and no TRAINFILE.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cache/state.h"

namespace trainmake {

struct DataInput {
  std::string channel;
  Record record;
};

struct RunInputs {
  std::vector<Record> images;
  std::vector<Record> code;  // in the images
  std::vector<DataInput> data;
  bool complete = true;  // false: of some data target, that record is not there any more
  const Record* find(std::string_view label) const;
};

// Reads every record once.
Result<std::vector<RunInputs>> inputs_of(State& state, const std::vector<const Run*>& runs);

}  // namespace trainmake
