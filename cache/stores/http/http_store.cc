#include "cache/stores/http/http_store.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "cache/file_digests.h"
#include "cache/listing.h"
#include "cache/stores/at_once.h"
#include "cache/stores/http/http_answers.h"
#include "cache/stores/http/http_client.h"
#include "cache/stores/http/http_list.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

// Where a server says that a folder is missing above what is put: 409 by WebDAV, 404 by some, 500 by nginx.
bool may_lack_a_folder(int status) { return status == 404 || status == 409 || status == 500; }

constexpr const char* kFolderTag = "folder";

// A folder is no object. Those that have one under the name say where its list is, or that none is to be had.
bool is_nothing(const HttpResponse& response) {
  if (response.status == 404 || response.status == 410) return true;
  const std::string to = header_value(response, "location");
  return response.status >= 300 && response.status < 400 && to.substr(0, to.find('?')).ends_with('/');
}

constexpr std::uint64_t kRead = std::uint64_t{1} << 20U;  // what a look reads whole

class HttpStore final : public Store {
 public:
  HttpStore(Host& host, HttpPlace place, Tally& tally)
      : Store({.puts_at_once = place.sends.requests,
               .has_folders = true,
               .tells_content_to = kRead,
               .takes_conditions = false}),
        files_(host.files),
        clock_(host.clock),
        client_(host, std::move(place), tally),
        list_(client_, clock_) {}

  std::shared_ptr<void> heed(const std::stop_token& stop, const Hear& hear) override {
    return client_.heed(stop, hear);
  }

  Result<void> check(const std::string& key) const override {
    const std::optional<std::string> clean = path_clean(key);
    const bool is_plain = clean && !clean->empty() && (*clean == key || cat(*clean, "/") == key);
    if (!is_plain || key.starts_with('/') || key.find('\0') != key.npos)
      return fail(user_error(cat("Key ", quoted(key), " leads out of the store")));
    if (is_utf8(key)) return {};
    return fail(
        step_error(cat("No address can end in ", quoted(key), ": it is no UTF-8"), "Rename the file"));
  }

  Result<void> check_way(const std::string& key) override {
    TRY_ASSIGN(const bool is_there, has_folder(cat(key, "/")));
    if (!is_there) return {};
    TRY_ASSIGN(const bool shows_all, shows_hidden_names(key, nullptr));
    return shows_all ? Result<void>() : fail(hides_names(key, cat("put ", quoted(key))));
  }

  Result<PutFile> put_file(const FileToPut& file, const std::stop_token& stop) override {
    TRY(check(file.key));
    constexpr std::uint64_t kHeld = std::uint64_t{256} << 10U;
    SentFile sent{file.path, 0, file.content};
    std::string held;  // a small one whole
    ContentHasher hasher;
    TRY(read_pieces(files_, file.path, stop, [&](std::string_view bytes) {
      hasher.add(bytes);
      sent.size += bytes.size();
      if (sent.size <= kHeld) held += bytes;
      return Result<void>();
    }));
    if (hasher.finish() != file.content) return fail(changed_while_sent(sent));
    StoreRequest request{"PUT", client_.place().url(file.key)};
    if (sent.size <= kHeld)
      request.body = held;
    else
      request.file = &sent;
    request.may_write = &file.may_write;
    const std::string doing = cat("put ", quoted(file.key));
    TRY(send_into(request, file.key, doing, stop));
    TRY_ASSIGN(const HttpResponse there, look_at(file.key, doing, false));
    const std::uint64_t size = is_nothing(there) ? 0 : size_of_answer(there);
    if (is_nothing(there) || size != sent.size)
      return fail(user_error(cat("Cannot ", doing, ": store ", quoted(client_.place().name), " has ",
                                 human_bytes(size), " of its ", human_bytes(sent.size)),
                             "Does somebody else put it there at the same time? Run it again")
                      .because(Blame::kRemote));
    PutFile put;
    put.tag = tag_of_answer(there);
    put.sent = sent.size;
    // What TLS does not guard may have become another on the way, and nothing tells of that.
    if (client_.place().origin.starts_with("http://")) TRY(check_arrived(file, put.tag, stop));
    return put;
  }

  // Few servers heed a condition, so it is looked for before; those that do are told it as well. What lies
  // there afterwards is read, so that a tag is of these bytes: somebody else may have come in between.
  Result<std::optional<std::string>> put(const std::string& key, std::string_view bytes,
                                         const Expected& expected, const std::stop_token& stop) override {
    TRY(check(key));
    if (is_folder(key)) return put_folder(key);
    const std::string doing = cat("put ", quoted(key));
    StoreRequest request{"PUT", client_.place().url(key), {}, bytes};
    request.is_urgent = expected.has_value();
    if (expected) {
      TRY_ASSIGN(const HttpResponse there, look_before_put(key, doing, stop));
      if ((is_nothing(there) ? "" : tag_of_answer(there)) != *expected) return std::optional<std::string>();
      const std::string etag = header_value(there, "etag");
      if (expected->empty())
        request.headers.emplace_back("If-None-Match", "*");
      else if (etag.starts_with('"'))  // a weak one would never match
        request.headers.emplace_back("If-Match", etag);
    }
    TRY(send_into(request, key, doing, stop));
    TRY_ASSIGN(const std::optional<ObjectBytes> there, read_object(key, request.is_urgent, stop));
    // Where it was refused and is there all the same, the answer to its first attempt was lost.
    if (!there || there->bytes != bytes) return std::optional<std::string>();
    return std::optional(there->tag);
  }

  Result<std::optional<ObjectBytes>> get(const std::string& key) override {
    TRY(check(key));
    if (is_folder(key)) {
      TRY_ASSIGN(const bool is_there, has_folder(key));
      return is_there ? std::optional(ObjectBytes{"", kFolderTag, {}}) : std::nullopt;
    }
    return read_object(key, false);
  }

  Result<ReadEnd> read(const ObjectToRead& object, const ByteSink& to, const std::stop_token& stop) override {
    TRY(check(object.key));
    Reading reading(object, to, {tag_of_answer});
    StoreRequest request{"GET", client_.place().url(object.key)};
    request.reading = &reading;
    const std::string doing = cat("read ", quoted(object.key));
    const Result<HttpResponse> response =
        client_.send(request, doing, stop, {301, 302, 307, 308, 404, 410, kAnother, kNothingMore});
    if (response && is_nothing(*response)) return ReadEnd::kGone;
    if (response && response->status >= 300 && response->status != kAnother &&
        response->status != kNothingMore)
      return fail(client_.refusal(request, *response, doing));
    return reading.finish(response);
  }

  // No header tells what was put, so small objects are read: of those, whoever asks wants to know it.
  Result<std::optional<StoredObject>> look(const std::string& key) override {
    TRY(check(key));
    if (is_folder(key)) {
      TRY_ASSIGN(const bool is_there, has_folder(key));
      return is_there ? std::optional(StoredObject{key, 0, kFolderTag, digest_of("")}) : std::nullopt;
    }
    TRY_ASSIGN(const HttpResponse there, look_at(key, cat("look at ", quoted(key)), false));
    if (is_nothing(there)) return std::optional<StoredObject>();
    const std::uint64_t size = size_of_answer(there);
    if (size > kRead) return std::optional(StoredObject{key, size, tag_of_answer(there), std::nullopt});
    TRY_ASSIGN(const std::optional<ObjectBytes> read, get(key));
    if (!read) return std::optional<StoredObject>();
    return std::optional(StoredObject{key, read->bytes.size(), read->tag, digest_of(read->bytes)});
  }

  Result<std::optional<StoredObject>> look_at_once(const std::string& key) override {
    TRY(check(key));
    TRY_ASSIGN(const HttpResponse there, look_at(key, cat("look at ", quoted(key)), true));
    if (is_nothing(there)) return std::optional<StoredObject>();
    return std::optional(StoredObject{key, size_of_answer(there), tag_of_answer(there), std::nullopt});
  }

  Result<void> list(const std::string& prefix,
                    const std::function<void(const StoredObject&)>& visit) override {
    return list_.walk(prefix, visit);
  }

  Result<void> remove(std::span<const std::string> keys, const MayWrite& may_write) override {
    for (const std::string& key : keys) TRY(check(key));
    return at_once(keys.size(), client_.place().sends.requests,
                   [&](std::size_t i) { return remove_one(keys[i], may_write); });
  }

 private:
  Result<std::optional<ObjectBytes>> read_object(const std::string& key, bool is_urgent,
                                                 const std::stop_token& stop = {}) {
    StoreRequest request{"GET", client_.place().url(key)};
    request.is_urgent = is_urgent;
    const std::string doing = cat("read ", quoted(key));
    TRY_ASSIGN(HttpResponse response, client_.send(request, doing, stop, {301, 302, 307, 308, 404, 410}));
    if (is_nothing(response)) return std::optional<ObjectBytes>();
    if (response.status >= 300) return fail(client_.refusal(request, response, doing));
    ObjectBytes found{"", tag_of_answer(response), age_of(response)};
    found.bytes = std::move(response.body);
    return std::optional(std::move(found));
  }

  Result<void> check_arrived(const FileToPut& file, const std::string& tag, const std::stop_token& stop) {
    ContentHasher hasher;
    const ByteSink to = [&](std::string_view bytes) {
      hasher.add(bytes);
      return Result<void>();
    };
    TRY_ASSIGN(const ReadEnd end, read({file.key, tag}, to, stop));
    if (end == ReadEnd::kWhole && hasher.finish() == file.content) return {};
    return fail(user_error(cat("What store ", quoted(client_.place().name), " has of ", quoted(file.key),
                               " is not what was sent"),
                           "Is there a proxy in between, or somebody else who sends it? Run it again")
                    .because(Blame::kRemote));
  }

  Result<HttpResponse> look_at(const std::string& key, const std::string& doing, bool is_urgent,
                               const std::stop_token& stop = {}) {
    StoreRequest request{"HEAD", client_.place().url(key)};
    request.is_urgent = is_urgent;
    TRY_ASSIGN(HttpResponse response, client_.send(request, doing, stop, {301, 302, 307, 308, 404, 410}));
    if (response.status >= 300 && !is_nothing(response))
      return fail(client_.refusal(request, response, doing));
    return response;
  }

  std::string path_of_folder(const std::string& key) const {
    return client_.place().folder_path(std::string_view(key).substr(0, key.size() - 1));
  }

  // Few servers show a folder without an index: 403 tells that there is one.
  Result<bool> has_folder(const std::string& key) {
    const StoreRequest request{"HEAD", client_.place().url_of_path(path_of_folder(key))};
    TRY_ASSIGN(const HttpResponse response,
               client_.send(request, cat("look at ", quoted(key)), {}, {403, 404, 410}));
    return !is_nothing(response);
  }

  // That a method is not allowed is the answer where a folder is, and where none can be made.
  Result<std::optional<std::string>> put_folder(const std::string& key) {
    TRY(make_folder(path_of_folder(key), {}));
    TRY_ASSIGN(const bool is_there, has_folder(key));
    if (is_there) return std::optional<std::string>(kFolderTag);
    return fail(user_error(cat("Cannot keep the empty folder ", quoted(key), ": the server of store ",
                               quoted(client_.place().name), " makes no folders"),
                           "Switch that on, in nginx `dav_methods PUT DELETE MKCOL`; or leave out "
                           "`empty_folders`")
                    .because(Blame::kRemote));
  }

  // What lies in it would go, too.
  Result<void> remove_folder(const std::string& key, const MayWrite& may_write) {
    TRY_ASSIGN(const bool is_there, has_folder(key));
    if (!is_there) return {};
    TRY_ASSIGN(const bool is_empty, list_.is_empty(key.substr(0, key.size() - 1)));
    if (!is_empty) return {};
    StoreRequest request{"DELETE", client_.place().url_of_path(path_of_folder(key)), {{"Depth", "infinity"}}};
    request.may_write = &may_write;
    TRY(client_.send(request, cat("remove ", quoted(key)), {}, {404, 410}));
    const std::lock_guard lock(mutex_);
    made_.erase(path_of_folder(key));
    return {};
  }

  // What lies there, once what is put now gets another tag than that: or whoever knows the old one would take
  // ours for it.
  Result<HttpResponse> look_before_put(const std::string& key, const std::string& doing,
                                       const std::stop_token& stop) {
    constexpr int kMostLooks = 4;
    for (int looks = 1;; ++looks) {
      TRY_ASSIGN(HttpResponse there, look_at(key, doing, true, stop));
      if (is_nothing(there) || !may_share_its_tag(there) || looks == kMostLooks) return there;
      wait_for_next_second(clock_);
    }
  }

  // A server removes a folder with all that lies in it. So that is looked for, and told by the depth.
  Result<void> remove_one(const std::string& key, const MayWrite& may_write) {
    if (is_folder(key)) return remove_folder(key, may_write);
    const std::string doing = cat("remove ", quoted(key));
    const StoreRequest look{"HEAD", client_.place().url(key)};
    TRY_ASSIGN(const HttpResponse there, client_.send(look, doing, {}, {301, 302, 307, 308, 404, 405, 410}));
    if (is_nothing(there) || there.status == 405) return {};
    if (there.status >= 300) return fail(client_.refusal(look, there, doing));
    StoreRequest request{"DELETE", look.url, {{"Depth", "0"}}};
    request.may_write = &may_write;
    TRY(client_.send(request, doing, {}, {404, 410}));
    return {};
  }

  // Makes folders when the server does not by itself. That something else lies there than was expected is an
  // answer, too: 412.
  Result<void> send_into(const StoreRequest& request, const std::string& key, const std::string& doing,
                         const std::stop_token& stop) {
    const std::string folder = client_.place().folder_path(path_folder(key));
    if (!is_made(folder)) {
      TRY_ASSIGN(const HttpResponse first, client_.send(request, doing, stop, {404, 409, 412, 500}));
      if (!may_lack_a_folder(first.status)) {
        note_made(folder);
        return {};
      }
      // Another trouble may be meant, of which the second attempt tells.
      if (make_folder(folder, stop)) note_made(folder);
    }
    TRY_ASSIGN(const HttpResponse sent, client_.send(request, doing, stop, {405, 409, 412}));
    if (sent.status != 405 && sent.status != 409) return {};
    TRY_ASSIGN(const bool made_way, remove_empty_folders(key, doing, request.may_write));
    if (!made_way) return fail(client_.refusal(request, sent, doing));
    TRY(client_.send(request, doing, stop, {412}));
    return {};
  }

  // Folders stay when nothing lies in them any more, and one may have the name of what is a file now. False
  // where there is none, or something lies in it; refused where something may.
  Result<bool> remove_empty_folders(const std::string& key, const std::string& doing,
                                    const MayWrite* may_write) {
    TRY_ASSIGN(const bool is_there, has_folder(cat(key, "/")));
    if (!is_there) return false;
    TRY_ASSIGN(const std::optional<std::vector<std::string>> folders, list_.folders_alone(key));
    if (!folders) return false;
    TRY_ASSIGN(const bool shows_all, shows_hidden_names(key, may_write));
    if (!shows_all) return fail(hides_names(key, doing));
    for (const std::string& folder : *folders)
      TRY(remove_folder(cat(folder, "/"), may_write == nullptr ? MayWrite() : *may_write));
    return true;
  }

  // Nobody else's names are guessed: one of ours is put there for a moment.
  Result<bool> shows_hidden_names(const std::string& folder, const MayWrite* may_write) {
    const std::string url = client_.place().url_of_path(cat(client_.place().folder_path(folder), kLookName));
    const std::string doing = cat("look at ", quoted(folder));
    StoreRequest request{"PUT", url};
    request.may_write = may_write;
    TRY_ASSIGN(const HttpResponse put, client_.send(request, doing, {}, {400, 403, 404, 405, 409}));
    if (put.status >= 300) return false;
    const Result<bool> shows = list_.shows(folder, kLookName);
    request = {"DELETE", url, {{"Depth", "0"}}};
    request.may_write = may_write;
    TRY(client_.send(request, doing, {}, {404, 410}));
    return shows;
  }

  Error hides_names(const std::string& folder, const std::string& doing) const {
    const std::string url = client_.place().url_of_path(client_.place().folder_path(folder));
    return user_error(
               cat("Cannot ", doing, ": a folder is called so in store ", quoted(client_.place().name),
                   ", and the server does not show whether it is empty: its lists leave out names that "
                   "begin with a dot"),
               cat("Remove the folder ", url, " there by hand, once nobody needs what lies in it"))
        .because(Blame::kRemote);
  }

  // `path` is the server's. From the innermost one up to the first that there is.
  Result<void> make_folder(const std::string& path, const std::stop_token& stop) {
    const std::string doing = cat("make folder ", quoted(path));
    const StoreRequest request{"MKCOL", client_.place().url_of_path(path)};
    TRY_ASSIGN(const HttpResponse first, client_.send(request, doing, stop, {301, 404, 405, 409}));
    if (first.status != 404 && first.status != 409) return {};  // made, or there already
    if (path == "/") return fail(client_.refusal(request, first, doing));
    const std::string_view bare = std::string_view(path).substr(0, path.size() - 1);
    TRY(make_folder(std::string(bare.substr(0, bare.rfind('/') + 1)), stop));
    TRY(client_.send(request, doing, stop, {301, 405}));
    return {};
  }

  bool is_made(const std::string& folder) {
    const std::lock_guard lock(mutex_);
    return made_.contains(folder);
  }
  void note_made(const std::string& folder) {
    const std::lock_guard lock(mutex_);
    made_.insert(folder);
  }
  FileSystem& files_;
  Clock& clock_;
  HttpClient client_;
  HttpList list_;
  std::mutex mutex_;            // guards what follows
  std::set<std::string> made_;  // folders that are there
};

}  // namespace

Result<std::unique_ptr<Store>> make_http_store(Host& host, const Workspace& workspace, const Service& service,
                                               Tally& tally) {
  TRY_ASSIGN(HttpPlace place, read_http_place(service, workspace));
  return std::unique_ptr<Store>(std::make_unique<HttpStore>(host, std::move(place), tally));
}

}  // namespace trainmake
