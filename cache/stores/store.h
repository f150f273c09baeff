// A place outside where bytes live under keys. What data uploads, job outputs and the shared cache ask of it;
// every room of this corridor passes tests/support/store_conformance.h. Keys are bytes with `/` between
// folders, never absolute, never with `..`. One that ends with `/` is of an empty folder: it is put with no
// bytes, whatever lies there. Thread rule: any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/host.h"
#include "engine/model/event.h"
#include "engine/model/project.h"

namespace trainmake {

struct StoredObject {
  std::string key;
  std::uint64_t size = 0;
  std::string tag;                   // another one once the object is replaced; "" when nothing tells
  std::optional<Digest128> content;  // as it was put, where the store can tell; never in a list
};

// An object whose bytes a new one may take over, inside the store.
struct LikeObject {
  std::string key;
  std::string tag;  // it is this one, or is not taken
  std::uint64_t size = 0;
  Digest128 content;
  std::vector<Digest128> chunks;  // of kChunkBytes each; empty where they are not known
};

struct FileToPut {
  std::string key;
  std::string path;
  Digest128 content;  // as FileDigests computes it
  std::optional<LikeObject> like = {};
  // What an attempt before this one, which was cut, noted of this key; and who notes now. For a large file
  // alone, from any thread.
  std::vector<std::string> notes = {};
  std::function<void(const std::string& note)> note = {};
};

// Takes the bytes of an object, piece by piece and in order.
using ByteSink = std::function<Result<void>(std::string_view)>;

struct ObjectToRead {
  std::string key;
  std::string tag;  // it is this one, or is not read; never ""
};

struct PutFile {
  std::string tag;
  std::uint64_t sent = 0;         // bytes that travelled
  bool copied = false;            // nothing travelled: it was there under another key
  std::vector<Digest128> chunks;  // of a file of more than one
};

struct ObjectBytes {
  std::string bytes;
  std::string tag;
  std::optional<std::int64_t> age_s;  // how long ago it was put, by the store's own clock
};

// What has to lie under a key for it to be put: anything, without a value; nothing, as ""; else what has that
// tag.
using Expected = std::optional<std::string>;

class Store {
 public:
  // `folder` is where it lies when a look at an object costs nothing, "" elsewhere; `puts_at_once` is how
  // many files are best put at the same time.
  explicit Store(std::string folder, std::size_t puts_at_once = 16, bool tells_content = true)
      : folder_(std::move(folder)), puts_at_once_(puts_at_once), tells_content_(tells_content) {}
  virtual ~Store() = default;
  const std::string& folder() const { return folder_; }
  std::size_t puts_at_once() const { return puts_at_once_; }
  // Whether a look tells the content of whatever was put from here, so that another object is not from here.
  bool tells_content() const { return tells_content_; }

  // From then on this ends what is asked without a stop of its own.
  virtual void heed(const std::stop_token&) {}
  // What no object can be called here.
  virtual Result<void> check(const std::string& key) const = 0;

  // A file's bytes; refused, with nothing visible, when they are not its content any more.
  virtual Result<PutFile> put_file(const FileToPut& file, const std::stop_token& stop) = 0;
  // The new tag; nothing when something else lies there than was expected. What was put before survives
  // whatever this one survives.
  virtual Result<std::optional<std::string>> put(const std::string& key, std::string_view bytes,
                                                 const Expected& expected) = 0;
  virtual Result<std::optional<ObjectBytes>> get(const std::string& key) = 0;  // small objects
  // All of its bytes, whatever their number. Without a value they are to be forgotten: what has that tag is
  // not there (any more).
  virtual Result<std::optional<StoredObject>> read(const ObjectToRead& object, const ByteSink& to,
                                                   const std::stop_token& stop) = 0;
  virtual Result<std::optional<StoredObject>> look(const std::string& key) = 0;
  virtual Result<void> list(const std::string& prefix,
                            const std::function<void(const StoredObject&)>& visit) = 0;
  virtual Result<void> remove(std::span<const std::string> keys) = 0;  // fine when they are not there

 private:
  std::string folder_;
  std::size_t puts_at_once_;
  bool tells_content_;
};

// The rooms of the corridor by url scheme.
using StoreMaker = Result<std::unique_ptr<Store>> (*)(Host& host, const Workspace& workspace,
                                                      const Service& service, Tally& tally);
struct StoreRoom {
  std::string_view scheme;  // "dir"
  StoreMaker make;
};
using StoreRooms = std::vector<StoreRoom>;

// What TRAINSPACE.lua would say of a store at that url: all it says of one that it lies in, or of another of
// that bucket, but never that it may be made.
Service service_at(const Space& space, const std::string& url);
Result<std::unique_ptr<Store>> make_store(const StoreRooms& rooms, Host& host, const Workspace& workspace,
                                          const Service& service, Tally& tally);

// The store that TRAINSPACE.lua calls `name`.
Result<std::unique_ptr<Store>> open_store(const StoreRooms& rooms, Host& host, const Workspace& workspace,
                                          const Space& space, const std::string& name, Tally& tally);

}  // namespace trainmake
