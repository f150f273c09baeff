// A place outside where bytes live under keys. What data uploads, job outputs and the shared cache ask of it;
// every room of this corridor passes tests/support/store_conformance.h. Keys are bytes with `/` between
// folders, never absolute, never with `..`. One that ends with `/` is of an empty folder: it is put with no
// bytes, whatever lies there. Thread rule: any thread.
#pragma once

#include <atomic>
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

// Whether what lies in the store may still be changed. Asked at the turn of each request that would, however
// long it waited for that, and told whether it repeats one that may have been done; an error ends it.
using MayWrite = std::function<Result<void>(bool is_repeated)>;

struct FileToPut {
  std::string key;
  std::string path;
  Digest128 content;  // as FileDigests computes it
  std::optional<LikeObject> like = {};
  // What an attempt before this one, which was cut, noted of this key; and who notes now. For a large file
  // alone, from any thread.
  std::vector<std::string> notes = {};
  std::function<void(const std::string& note)> note = {};
  MayWrite may_write = {};
  std::function<void(std::uint64_t bytes)> came = {};  // so much more of a large file is there
  // What somebody else put under the key, of a store whose tags tell the content: it may be these bytes.
  std::optional<StoredObject> there = {};
};

using Hear = std::function<void(const std::string& text)>;

// Takes the bytes of an object, piece by piece and in order.
using ByteSink = std::function<Result<void>(std::string_view)>;

struct ObjectToRead {
  std::string key;
  std::string tag;                      // it is this one, or is not read; never ""
  std::optional<std::uint64_t> size{};  // as it was listed: no more than that is taken
  // So many of its bytes came earlier, and are not handed on again; who reads them once more, to be held
  // against the tag with the others.
  std::uint64_t came = 0;
  std::function<Result<void>(const ByteSink& to)> again = {};
};

// How a read came to its end. But for the first, what came is to be forgotten.
enum class ReadEnd : std::uint8_t {
  kWhole,
  kGone,     // what has that tag is not there (any more)
  kDamaged,  // other bytes came than its tag tells of, or another number of them: on the way, perhaps
};

struct PutFile {
  std::string tag;
  std::uint64_t sent = 0;         // bytes that travelled
  bool copied = false;            // nothing travelled: it was there under another key
  bool found = false;             // nor was anything put: what was there is it
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

struct StoreTraits {
  std::string folder = {};         // where it lies when a look at an object costs nothing, "" elsewhere
  std::size_t puts_at_once = 16;   // how many files are best put at the same time
  bool has_folders = false;        // a key that is a folder of another's cannot be there beside it
  bool tags_tell_content = false;  // whoever put it: FileToPut::there is heeded
  // bytes: of an object that was put from here and has no more, a look tells what it is. Where it tells
  // nothing, the object is not from here.
  std::uint64_t tells_content_to = ~std::uint64_t{0};
  // At first; Store::takes_conditions() tells what it proved to do.
  bool takes_conditions = true;

  // Of an object: what else has its tag is the same bytes for sure, whenever it was put and by whom.
  bool (*is_digest)(std::string_view tag, std::uint64_t size) = [](std::string_view, std::uint64_t) {
    return false;
  };

  bool tells_content(std::uint64_t size) const { return size <= tells_content_to; }
};

class Store {
 public:
  explicit Store(StoreTraits traits)
      : traits_(std::move(traits)), takes_conditions_(traits_.takes_conditions) {}
  virtual ~Store() = default;
  const StoreTraits& traits() const { return traits_; }
  // A put may say what it replaces, and a copy what it is made of: what arrives late is refused. As far as it
  // is known by now.
  bool takes_conditions() const { return takes_conditions_; }

  // As long as the answer is kept, `stop` ends what is asked without a stop of its own, and `hear` is told
  // when the service has not answered for some time, and is asked again. Of several the last one counts.
  [[nodiscard]] virtual std::shared_ptr<void> heed(const std::stop_token& /*stop*/,
                                                   const Hear& /*hear*/ = {}) {
    return nullptr;
  }
  // What no object can be called here.
  virtual Result<void> check(const std::string& key) const = 0;
  // An error where a folder of that name would stay in an object's way, were nothing of ours in it any more.
  virtual Result<void> check_way(const std::string& /*key*/) { return {}; }

  // A file's bytes; refused, with nothing visible, when they are not its content any more.
  virtual Result<PutFile> put_file(const FileToPut& file, const std::stop_token& stop) = 0;
  // The new tag; nothing when something else lies there than was expected, or when the store just proved to
  // take no conditions: whoever asks again is told by a look. What was put before survives
  // whatever this one survives. With an expectation it waits for no other request.
  virtual Result<std::optional<std::string>> put(const std::string& key, std::string_view bytes,
                                                 const Expected& expected,
                                                 const std::stop_token& stop = {}) = 0;
  virtual Result<std::optional<ObjectBytes>> get(const std::string& key) = 0;  // small objects
  // All of its bytes, whatever their number; compared with its tag where that tells of them.
  virtual Result<ReadEnd> read(const ObjectToRead& object, const ByteSink& to,
                               const std::stop_token& stop) = 0;
  virtual Result<std::optional<StoredObject>> look(const std::string& key) = 0;
  // The same, and waits for no other request; of its content nothing may be told.
  virtual Result<std::optional<StoredObject>> look_at_once(const std::string& key) { return look(key); }
  // Ends the upload of a file that was cut, by its notes: nobody takes it up any more.
  virtual void give_up(const std::string& /*key*/, const std::vector<std::string>& /*notes*/) {}
  // Each key begins with the prefix, whatever a service may answer.
  virtual Result<void> list(const std::string& prefix,
                            const std::function<void(const StoredObject&)>& visit) = 0;
  // Fine when they are not there.
  virtual Result<void> remove(std::span<const std::string> keys, const MayWrite& may_write) = 0;

 protected:
  void take_no_conditions() { takes_conditions_ = false; }

 private:
  StoreTraits traits_;
  std::atomic<bool> takes_conditions_;
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
// The same of what others put there: keys are the names that they gave, and not ours for them.
Service as_it_is_there(Service service);
bool is_as_it_is_there(const Service& service);
Result<std::unique_ptr<Store>> make_store(const StoreRooms& rooms, Host& host, const Workspace& workspace,
                                          const Service& service, Tally& tally);

// The store that TRAINSPACE.lua calls `name`.
Result<std::unique_ptr<Store>> open_store(const StoreRooms& rooms, Host& host, const Workspace& workspace,
                                          const Space& space, const std::string& name, Tally& tally);

}  // namespace trainmake
