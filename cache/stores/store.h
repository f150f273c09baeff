// A place outside where bytes live under keys. What data uploads, job outputs and the shared cache ask of it;
// every room of this corridor passes tests/support/store_conformance.h. Keys are bytes with `/` between
// folders, never absolute, never with `..`. Thread rule: any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/host.h"
#include "engine/model/event.h"
#include "engine/model/project.h"

namespace trainmake {

struct StoredObject {
  std::string key;
  std::uint64_t size = 0;
};

class Store {
 public:
  virtual ~Store() = default;
  // A file's bytes; refused, with nothing visible, when they are not `content` (as FileDigests computes it)
  // any more.
  virtual Result<void> put_file(const std::string& key, const std::string& path, const Digest128& content,
                                const std::stop_token& stop) = 0;
  // What was put before survives whatever this one survives.
  virtual Result<void> put(const std::string& key, std::string_view bytes) = 0;
  virtual Result<std::optional<std::string>> get(const std::string& key) = 0;  // small objects
  virtual Result<void> list(const std::string& prefix,
                            const std::function<void(const StoredObject&)>& visit) = 0;
  virtual Result<void> remove(const std::string& key) = 0;  // fine when it is not there
  // Where a look at an object costs nothing, the file that it is; "" elsewhere.
  virtual std::string local_path(const std::string& key) const = 0;
};

// The rooms of the corridor by url scheme.
using StoreMaker = Result<std::unique_ptr<Store>> (*)(Host& host, const Workspace& workspace,
                                                      const Service& service, Tally& tally);
struct StoreRoom {
  std::string_view scheme;  // "dir"
  StoreMaker make;
};
using StoreRooms = std::vector<StoreRoom>;

// The store that TRAINSPACE.lua calls `name`.
Result<std::unique_ptr<Store>> open_store(const StoreRooms& rooms, Host& host, const Workspace& workspace,
                                          const Space& space, const std::string& name, Tally& tally);

}  // namespace trainmake
