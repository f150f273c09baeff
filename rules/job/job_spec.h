// What a platform is asked to run: plain data, the same for every platform. Holds secrets' names, never their
// values; holds files by content, so that what was submitted is what runs. Knows no platform and no folder of
// one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache/listing.h"
#include "engine/base/secrets.h"
#include "engine/model/value.h"

namespace trainmake {

// Files that lie together: a data target, or what another job left. `channel` "" is the data folder itself.
struct GivenTree {
  std::string label;
  std::string channel;
  std::shared_ptr<const Listing> files;  // a file with a `source` is read in place, another is a blob
  std::string identity = {};             // of a data target's tree
  std::string listing = {};              // the blob of `files`, of a data target
  std::string store = {};  // where a job reads it, when that is a store: `store:bucket/mnist/train`
};

// How the main file of the code is started.
struct Starter {
  std::vector<std::string>
      before;  // the program that reads it, and its argument; empty: it is a program itself
  friend bool operator==(const Starter&, const Starter&) = default;
};

struct JobSpec {
  std::string run;         // the run's id
  std::string key;         // its name on the platform
  std::string checkpoint;  // equal for attempts of which one may go on where another stopped
  std::string label;
  std::string image;  // the image's identity

  std::shared_ptr<const Listing> code;  // nullptr: the image has none of ours
  std::string main;                     // a key of the code; "" when `command` says what to run
  Starter starter;
  std::vector<Value> command;                         // strings and placed paths
  std::vector<std::pair<std::string, Value>> args;    // sorted by name
  std::vector<std::pair<std::string, Value>> params;  // sorted by name
  std::map<std::string, std::string> environment;     // declared
  std::vector<std::string> secrets;                   // names
  std::vector<GivenTree> data;
  std::map<std::string, std::string> outputs;  // name → path in the output folder
  Table resources;
  Table distribution;
  std::int64_t timeout_s = 0;  // 0: none
};

}  // namespace trainmake
