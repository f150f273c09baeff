// Large files in parts: `big.bin` as `big.bin-part0001`, `big.bin-part0002`, …, the names that UAI-Train's
// split_tool gave them. What the parts are is told by the file alone, and kept by its content. They are cut,
// as blobs, when something is done with them. Knows no store. Thread rule: any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cache/blobs.h"
#include "cache/listing.h"
#include "engine/base/host.h"
#include "engine/model/graph.h"
#include "engine/model/project.h"
#include "engine/model/rule.h"

namespace trainmake {

inline constexpr const char* kSplitFolder = "split";  // of the cache folder: which parts a content has

std::vector<Error> wrong_split(const Value& split);
// How many bytes a part of its files has; nothing when they stay whole.
std::optional<std::uint64_t> part_bytes_of(const Target& target);

class Splitter {
 public:
  // Borrows all.
  Splitter(Host& host, const Workspace& workspace, Blobs& blobs)
      : host_(host), workspace_(workspace), blobs_(blobs) {}

  // `files` with parts in the place of each that lies here and is larger than one. Writes nothing.
  Result<Listing> split(const Listing& files, std::uint64_t part_bytes);
  // Makes blobs of those parts among `files`, which split() gave, that are none yet, and keeps which they
  // are.
  Result<void> cut(const Listing& files, const Label& label, const Doing& doing);
  // Whether all parts among `files` are blobs.
  Result<bool> are_cut(const Listing& files);

 private:
  struct Part {
    Sha256 sha256;
    Digest128 content;
  };
  struct Origin {
    std::string source;
    std::uint64_t offset = 0;
    std::string kept_in;  // what tells that it is a part
  };
  std::string kept_in(const ListedFile& file, std::uint64_t part_bytes) const;
  Result<std::vector<Part>> parts_of(const ListedFile& file, std::uint64_t part_bytes);
  Result<std::vector<Part>> read_parts(const ListedFile& file, std::uint64_t part_bytes);
  Result<void> cut_one(const ListedFile& part, const Origin& origin, const Doing& doing);
  Result<std::string> text_of(const std::string& path);
  Result<void> keep(const std::string& path);
  std::optional<Origin> origin_of(const Sha256& part);

  Host& host_;
  const Workspace& workspace_;
  Blobs& blobs_;
  std::mutex mutex_;                           // guards what follows
  std::map<Sha256, Origin> origins_;           // of the parts that split() gave
  std::map<std::string, std::string> unkept_;  // by path: which parts there are, as it will be kept
};

// Whether what is kept under that name of kSplitFolder tells of parts that are blobs still.
Result<bool> is_split_kept(FileSystem& files, const std::string& path, Blobs& blobs);

}  // namespace trainmake
