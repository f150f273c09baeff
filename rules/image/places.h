// Where images go and bases come from: registries as TRAINSPACE.lua describes them, each made once. Thread
// rule: any thread.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/base/text.h"
#include "engine/model/graph.h"
#include "rules/image/compress.h"
#include "rules/image/services.h"

namespace trainmake {

// Where a target's image goes.
struct ImagePlace {
  Registry* registry = nullptr;
  std::string repository;
  std::string host;                              // "" is the layout
  std::string endpoint = {};                     // where it is reached, when TRAINSPACE.lua says so
  Compression compression = Compression::kGzip;  // of layers that go there

  bool is_layout() const { return host.empty(); }
  std::string text() const;  // "" is the layout
  // The host, and where it is reached: what lies there is remembered by it.
  std::string service() const { return endpoint.empty() ? host : cat(host, " at ", endpoint); }
  std::string address(const Sha256& digest, const std::string& tag) const;
};

class Places {
 public:
  explicit Places(const ImageServices& services);

  Registry& layout() { return *layout_; }
  Result<ImagePlace> of(const Target& image);
  // That of a host, reached as TRAINSPACE.lua says, if it does; of "" the layout.
  Result<Registry*> at(const std::string& host);
  // Until the answer is gone, `tell` hears of waits; of several who listen, the last.
  class Listening;
  [[nodiscard]] Listening listen(WaitNotice tell);

 private:
  Registry* remote(const RemotePlace& place);
  void tell(std::string why);

  ImageServices services_;
  std::unique_ptr<Registry> layout_;
  std::mutex mutex_;  // guards what follows
  std::list<WaitNotice> listeners_;
  std::string told_;                                          // what they heard last
  std::map<std::string, std::unique_ptr<Registry>> remotes_;  // by address
};

class Places::Listening {
 public:
  Listening(Places& places, std::list<WaitNotice>::iterator at) : places_(places), at_(at) {}
  ~Listening();
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

 private:
  Places& places_;
  std::list<WaitNotice>::iterator at_;
};

// An image's tags; `latest` when none is given.
std::vector<std::string> tags_of(const Target& image);

}  // namespace trainmake
