// What a platform is asked to run: plain data, the same for every platform. Holds secrets' names, never their
// values; holds files by content, so that what was submitted is what runs. Knows no platform and no folder of
// one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
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
  std::string listing = {};              // the blob of `files`
  std::string store = {};  // where a job reads it, when that is a store: `store:bucket/mnist/train`
  std::string mark = {};   // what lay there when the job was submitted, where it reads that and no copy
};

// How the main file of the code is started.
struct Starter {
  std::vector<std::string>
      before;  // the program that reads it, and its argument; empty: it is a program itself
  friend bool operator==(const Starter&, const Starter&) = default;
};

// What a job runs in where that is its image on this machine: layers that are unpacked, and what its config
// says to whatever runs in it.
struct ImageRoot {
  std::string folder;               // that the layers lie in
  std::vector<std::string> layers;  // DiffIDs in hex, the top one first, each once
  std::map<std::string, std::string> environment;
  std::string user;
};

// What a run left in its checkpoint folder, by content.
struct Checkpoint {
  std::string run;                       // which left it
  std::string listing;                   // the blob of `files`
  std::shared_ptr<const Listing> files;  // all of them blobs; nullptr when the cache has them no more
  std::string times = {};                // the blob of when they were written; "" is not known
};

struct JobSpec {
  std::string run;         // the run's id
  std::string key;         // its name on the platform
  std::string job;         // the platform's own id of it, where that was told already
  std::string checkpoint;  // the name of its checkpoint folder, which no other run has
  std::string label;
  std::string image;                   // the image's identity
  std::optional<ImageRoot> root = {};  // where the platform runs images itself
  std::string pulled_image = {};       // as a registry has it, where the platform gets it from there
  std::string memo = {};               // a remark for whoever looks at the platform's list of jobs

  std::shared_ptr<const Listing> code;  // nullptr: the image has none of ours
  std::vector<std::string> listings;    // the blobs that `code` is read from
  std::string framework = {};           // published_base.h; "" when nothing tells it
  std::string main;                     // a key of the code; "" when `command` says what to run
  Starter starter;
  std::vector<Value> command;                         // strings and placed paths
  std::vector<std::pair<std::string, Value>> args;    // in their order, each name once
  std::vector<std::pair<std::string, Value>> params;  // sorted by name
  std::vector<std::string> typed;                     // arguments behind these, as they are
  std::map<std::string, std::string> environment;     // declared
  std::vector<std::string> secrets;                   // names
  std::vector<GivenTree> data;
  std::map<std::string, std::string> outputs;  // name → path in the output folder
  Table resources;
  Table distribution;
  std::int64_t timeout_s = 0;  // 0: none
  bool resume = false;         // it goes on from the checkpoint of the run before, whatever that ran
  std::optional<Checkpoint> resumed = {};  // what it goes on from; else it begins with nothing
};

}  // namespace trainmake
