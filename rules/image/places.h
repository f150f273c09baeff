// Where images go and bases come from: registries as TRAINSPACE.lua describes them, each made once. Thread
// rule: any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/model/graph.h"
#include "rules/image/compress.h"
#include "rules/image/services.h"

namespace trainmake {

// Where a target's image goes.
struct ImagePlace {
  Registry* registry = nullptr;
  std::string repository;
  std::string host;                              // "" is the layout
  Compression compression = Compression::kGzip;  // of layers that go there

  bool is_layout() const { return host.empty(); }
  std::string text() const;  // "" is the layout
  std::string address(const Sha256& digest, const std::string& tag) const;
};

class Places {
 public:
  explicit Places(const ImageServices& services);

  Registry& layout() { return *layout_; }
  Result<ImagePlace> of(const Target& image);
  // That of a host, reached as TRAINSPACE.lua says, if it does; of "" the layout.
  Result<Registry*> at(const std::string& host);

 private:
  Registry* remote(const RemotePlace& place);

  ImageServices services_;
  std::unique_ptr<Registry> layout_;
  std::mutex mutex_;                                          // guards what follows
  std::map<std::string, std::unique_ptr<Registry>> remotes_;  // by address
};

// An image's tags; `latest` when none is given.
std::vector<std::string> tags_of(const Target& image);

}  // namespace trainmake
