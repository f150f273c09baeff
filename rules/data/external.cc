#include "rules/data/external.h"

#include <algorithm>

#include "cache/stores/at_once.h"
#include "engine/base/codec.h"
#include "engine/base/process_table.h"
#include "engine/base/text.h"
#include "engine/base/url.h"
#include "rules/data/file_and_folder.h"
#include "rules/data/mirror.h"

namespace trainmake {
namespace {

constexpr std::string_view kHeader = "trainmake list 1\n";
constexpr std::string_view kFolderScheme = "dir:";

std::string encode(const ExternalList& list) {
  std::string bytes(kHeader);
  Encoder out(bytes);
  out.number(list.size());
  for (const ExternalObject& object : list) {
    out.string(object.key);
    out.number(object.size);
    out.string(object.tag);
    out.byte(object.here ? 1 : 0);
    if (object.here) out.digest(*object.here);
  }
  out.digest(digest_of(bytes));
  return bytes;
}

// What is damaged is as good as never listed.
std::optional<ExternalList> decode(std::string_view bytes) {
  constexpr std::size_t kDigestSize = 16;
  if (!bytes.starts_with(kHeader) || bytes.size() < kHeader.size() + kDigestSize) return std::nullopt;
  const std::string_view signed_part = bytes.substr(0, bytes.size() - kDigestSize);
  if (Decoder(bytes.substr(signed_part.size())).digest128() != digest_of(signed_part)) return std::nullopt;
  Decoder in(signed_part.substr(kHeader.size()));
  constexpr std::uint64_t kSmallest = 3 * sizeof(std::uint64_t) + 1;
  ExternalList list(in.count(kSmallest));
  for (ExternalObject& object : list) {
    object.key = in.string();
    object.size = in.number();
    object.tag = in.string();
    if (in.byte() != 0) object.here = in.sha256();
  }
  return in.at_end() ? std::optional(std::move(list)) : std::nullopt;
}

// What was brought here stays what it is, as long as its object is the same.
void take_over_blobs(const ExternalList& before, ExternalList& now) {
  auto known = before.begin();
  for (ExternalObject& object : now) {
    while (known != before.end() && known->key < object.key) ++known;
    const bool is_same = known != before.end() && known->key == object.key && known->tag == object.tag &&
                         known->size == object.size;
    if (is_same) object.here = known->here;
  }
}

const std::string& url_of(const Target& target) { return *target.find("url")->string(); }

bool can_be_file(const std::string& key) {
  constexpr std::size_t kLongestName = 255;  // of every file system that is in use
  const std::vector<std::string> names = split(key, '/');
  return !key.starts_with('/') && path_clean(key) == key && key.find('\0') == key.npos &&
         std::none_of(names.begin(), names.end(),
                      [](const std::string& name) { return name.size() > kLongestName; });
}

Error no_path(const Target& target, const std::string& key) {
  return user_error(cat("Object ", quoted(key), " in ", quoted(url_of(target)),
                        " cannot be a file of a job: its key is no plain path"),
                    "Name a prefix in `url` that it does not lie below")
      .at(target.place_of("url"))
      .because(Blame::kRemote);
}

Error listed_twice(const Target& target, const std::string& key) {
  return user_error(
             cat("The list of ", quoted(url_of(target)), " names ", quoted(key), " twice, and not alike"),
             "Run it again: perhaps it changed while it was listed")
      .at(target.place_of("url"))
      .because(Blame::kRemote);
}

Error file_and_folder(const Target& target, const std::string& file, const std::string& inside) {
  return user_error(cat("Object ", quoted(file), " in ", quoted(url_of(target)),
                        " cannot be a file of a job: there is ", quoted(inside),
                        ", too, and its folder has that name"),
                    "Remove one of them there, or name a prefix in `url` that not both lie below")
      .at(target.place_of("url"))
      .because(Blame::kRemote);
}

Error changed_since(const Target& target, const std::string& key) {
  return user_error(
             cat("Object ", quoted(key), " in ", quoted(url_of(target)), " changed since it was listed"),
             "Run it again: what it is now is asked for first")
      .because(Blame::kRemote);
}

Error comes_damaged(const Target& target, const std::string& key) {
  return user_error(cat("Object ", quoted(key), " in ", quoted(url_of(target)),
                        " comes damaged, however often it is read: it is not what its ETag and size tell"),
                    "Nothing of it was kept. Is there a proxy in between, or did its disk fail?")
      .because(Blame::kRemote);
}

Error has_no_tag(const Target& target, const std::string& key) {
  return user_error(cat("The list of ", quoted(url_of(target)), " tells no tag of ", quoted(key)),
                    "Nothing would tell when it changes: name its files with `fetch` instead")
      .at(target.place_of("url"))
      .because(Blame::kRemote);
}

void tell_waiting(const Doing& doing, const Target& target, const std::string& key) {
  doing.events(Message{target.label, cat("another trainmake is reading ", quoted(key), ": waiting for it")});
}

// Its last byte comes in any case, with an answer that tells whether the object is still that one.
Result<ReadEnd> go_on_with(Arriving& part, Store& store, const ExternalObject& object,
                           const std::stop_token& stop, const std::function<void(std::uint64_t)>& came) {
  if (part.size() > object.size) TRY(part.forget());
  const std::uint64_t known = std::min(part.size(), object.size - std::min<std::uint64_t>(object.size, 1));
  std::uint64_t twice = part.size() - known;
  came(known);
  const auto again = [&](const ByteSink& to) { return part.read(known, stop, to); };
  const auto to = [&](std::string_view bytes) -> Result<void> {
    came(bytes.size());
    const std::size_t left_out = std::min<std::uint64_t>(twice, bytes.size());
    twice -= left_out;
    return part.append(bytes.substr(left_out));
  };
  TRY_ASSIGN(const ReadEnd end, store.read({object.key, object.tag, object.size, known, again}, to, stop));
  if (end == ReadEnd::kWhole) TRY(part.append(""));  // one of no bytes is a file, too
  return end;
}

}  // namespace

std::string digest_of_list(const ExternalList& list) {
  Sha256Hasher hasher;
  for (const ExternalObject& object : list)
    hasher.raw(cat(object.key.size(), ":", object.key, " ", object.size, " ", object.tag, "\n"));
  return hasher.finish().hex();
}

Result<ExternalList> listed_in(Store& store) {
  ExternalList list;
  TRY(store.list("", [&](const StoredObject& object) {
    if (is_own_key(object.key) || object.key.empty() || object.key.ends_with('/')) return;
    list.push_back({object.key, object.size, object.tag, std::nullopt});
  }));
  std::sort(list.begin(), list.end(),
            [](const ExternalObject& a, const ExternalObject& b) { return a.key < b.key; });
  const auto alike = [](const ExternalObject& a, const ExternalObject& b) {
    return a.key == b.key && a.size == b.size && a.tag == b.tag;
  };
  list.erase(std::unique(list.begin(), list.end(), alike), list.end());
  return list;
}

Listing listing_of(const ExternalList& list, const std::string& dest) {
  Listing listing;
  listing.reserve(list.size());
  for (const ExternalObject& object : list) {
    ListedFile file;
    file.key = path_join(dest, object.key);
    file.size = object.size;
    file.mode = 0644;
    file.content = digest_of(cat("tag:", object.size, " ", object.tag));
    if (object.here) file.sha256 = *object.here;
    listing.push_back(std::move(file));
  }
  return listing;
}

bool is_external(const Target& target) { return target.find("url") != nullptr; }

std::vector<Error> wrong_url(const Value& url) {
  if (holds_login(*url.string()))
    return {user_error("`url` holds a login",
                       "Take it out: keys come from the environment and the files of each "
                       "service's own tools")};
  if (!url.string()->starts_with(kFolderScheme) && holds_query(*url.string()))
    return {user_error(cat("`url` has a query: ", quoted(without_query(*url.string()))),
                       "Leave out what follows `?` or `#`; a public file by its address, with a query even, "
                       "is `fetch = { url = ..., sha256 = ... }`")};
  if (url.string()->find(':') != std::string::npos) return {};
  return {user_error(cat("`url` does not say what kind of place it is: ", quoted(*url.string())),
                     "As `url = \"s3://bucket/prefix\"`, or `\"dir:/mnt/set\"` for a folder")};
}

std::vector<Error> wrong_digest(const Value& digest) {
  if (Sha256::parse(*digest.string())) return {};
  return {user_error(cat("`digest` is no SHA-256: ", quoted(*digest.string())),
                     "`trainmake data verify` says the one of what lies there now")};
}

std::optional<std::string> external_folder(const Workspace& workspace, const Target& target) {
  const std::string& url = url_of(target);
  if (!url.starts_with(kFolderScheme)) return std::nullopt;
  return absolute_path(workspace.path(url.substr(kFolderScheme.size())));
}

bool lies_in_store(const Workspace& workspace, const Target& target) {
  return is_external(target) && !external_folder(workspace, target);
}

Result<void> check_external(const Target& target) {
  if (!is_external(target) && target.find("digest") != nullptr)
    return fail(user_error("`digest` pins what lies at a `url`, and there is none",
                           "Leave it out: files here are looked at anyway")
                    .at(target.place_of("digest")));
  if (!is_external(target)) return {};
  const bool is_folder = url_of(target).starts_with(kFolderScheme);
  const auto refuse_beside_url = [&](std::initializer_list<const char*> names,
                                     const char* hint) -> Result<void> {
    for (const char* name : names) {
      if (target.find(name) == nullptr) continue;
      return fail(user_error(cat(quoted(target.label.text()), " has both `url` and `", name, "`"), hint)
                      .at(target.place_of(name)));
    }
    return {};
  };
  TRY(refuse_beside_url({"files", "fetch", "root"}, "What lies at a `url` is taken whole: leave one out"));
  if (!is_folder)
    TRY(refuse_beside_url(
        {"store", "prefix", "prune", "snapshot", "exclude", "split"},
        "What lies at a `url` is taken whole, and nothing is written there: leave one out"));
  if (target.find("store") == nullptr)
    TRY(refuse_beside_url(
        {"prefix", "prune", "snapshot"},
        "A folder is read where it lies, unless `store` names where it is sent: say that, or "
        "leave this out"));
  if (!is_folder && target.find("empty_folders") != nullptr)
    return fail(
        user_error("`empty_folders` is of folders, and this is a store: it has objects alone", "Leave it out")
            .at(target.place_of("empty_folders")));
  if (is_folder && target.find("digest") != nullptr)
    return fail(user_error("`digest` pins what lies in a store, and this is a folder",
                           "Leave it out: a folder's files are looked at anyway")
                    .at(target.place_of("digest")));
  return {};
}

Result<ExternalData::Place*> ExternalData::place_of(const Target& target) {
  const std::string& url = url_of(target);
  const std::lock_guard lock(mutex_);
  Place& place = places_[url];
  if (place.store) return &place;
  const Service service = as_it_is_there(service_at(services_.space, url));
  Result<std::unique_ptr<Store>> store = data_places_.store_at(service);
  if (!store) return fail(std::move(store).error().at(target.place_of("url")));
  place.store = *std::move(store);
  const std::string* endpoint = service.text("endpoint");
  const Digest128 identity = Hasher().field(url).field(endpoint == nullptr ? "" : *endpoint).finish();
  place.path = path_join(services_.workspace.cache, cat(kListedFolder, "/", identity.hex()));
  return &place;
}

Result<SharedExternalList> ExternalData::known(const Target& target) {
  TRY_ASSIGN(const Place* const place, place_of(target));
  const std::lock_guard lock(mutex_);
  SharedExternalList& list = lists_[place->path];
  if (list) return list;
  TRY_ASSIGN(const std::optional<std::string> bytes, read_file_if_there(services_.host.files, place->path));
  std::optional<ExternalList> kept = bytes ? decode(*bytes) : std::nullopt;
  if (kept) list = std::make_shared<const ExternalList>(*std::move(kept));
  return list;
}

Result<SharedExternalList> ExternalData::keep(const Place& place, ExternalList list) {
  TRY(write_file(services_.host.files, place.path, encode(list)));
  const std::lock_guard lock(mutex_);
  return lists_[place.path] = std::make_shared<const ExternalList>(std::move(list));
}

Result<SharedExternalList> ExternalData::look_again(const Target& target) {
  TRY_ASSIGN(Place* const place, place_of(target));
  const std::lock_guard lock(place->alone);
  return ask(target, *place);
}

Result<SharedExternalList> ExternalData::ask(const Target& target, Place& place) {
  TRY_ASSIGN(const SharedExternalList before, known(target));
  auto listed = listed_in(*place.store);
  if (!listed) return fail(std::move(listed).error().at(target.place_of("url")));
  ExternalList now = *std::move(listed);
  for (const ExternalObject& object : now) {
    if (!can_be_file(object.key)) return fail(no_path(target, object.key));
    if (object.tag.empty()) return fail(has_no_tag(target, object.key));
  }
  if (now.empty())
    return fail(user_error(cat("Nothing lies in ", quoted(url_of(target))),
                           "Is its prefix right? An object's name ends a prefix with a `/`")
                    .at(target.place_of("url"))
                    .because(Blame::kRemote));
  const auto twice =
      std::adjacent_find(now.begin(), now.end(),
                         [](const ExternalObject& a, const ExternalObject& b) { return a.key == b.key; });
  if (twice != now.end()) return fail(listed_twice(target, twice->key));
  if (const auto both = find_file_and_folder(now))
    return fail(file_and_folder(target, both->first, both->second));
  if (before) take_over_blobs(*before, now);
  return keep(place, std::move(now));
}

Result<SharedExternalList> ExternalData::pinned(const Target& target) {
  const std::string pin = target.string_or("digest", "");
  TRY_ASSIGN(Place* const place, place_of(target));
  const std::lock_guard lock(place->alone);
  TRY_ASSIGN(SharedExternalList list, known(target));
  if (list && digest_of_list(*list) == pin) return list;
  TRY_ASSIGN(list, ask(target, *place));
  const std::string is = digest_of_list(*list);
  if (is == pin) return list;
  return fail(user_error(cat("What lies in ", quoted(url_of(target)),
                             " is not what `digest` says: its list has ", is),
                         "Somebody changed it; when you trust that, write this digest")
                  .at(target.place_of("digest"))
                  .because(Blame::kRemote));
}

Result<bool> ExternalData::is_here(const ExternalList& list) {
  for (const ExternalObject& object : list) {
    if (!object.here) return false;
    TRY_ASSIGN(const bool kept, blobs_.has(*object.here));
    if (!kept) return false;
  }
  return true;
}

Result<ExternalData::Kept> ExternalData::check_kept(const ExternalList& list, const std::stop_token& stop) {
  Kept kept;
  for (const ExternalObject& object : list) {
    if (stop.stop_requested()) return fail(interrupted_error());
    if (!object.here) continue;
    TRY_ASSIGN(const bool is_there, blobs_.has(*object.here));
    if (!is_there) continue;
    ++kept.objects;
    TRY_ASSIGN(const bool is_sound, blobs_.is_sound(*object.here));
    if (!is_sound) kept.damaged.push_back(object.key);
  }
  return kept;
}

// Of this boot alone: after a power cut nothing tells which of its bytes are on the disk.
std::string ExternalData::arriving_path(const Place& place, const ExternalObject& object) const {
  const Digest128 identity = Hasher()
                                 .field(boot_of(services_.host.files))
                                 .field(place.path)
                                 .field(object.key)
                                 .field(object.tag)
                                 .number(object.size)
                                 .finish();
  return path_join(services_.workspace.cache, cat(kListedFolder, "/", kArrivingPart, identity.hex()));
}

Result<ExternalObject> ExternalData::get(const Place& place, const Target& target, ExternalObject object,
                                         const Doing& doing, const std::function<void(std::uint64_t)>& came) {
  constexpr int kMostTries = 3;
  TRY_ASSIGN(Arriving part, Arriving::take_up(services_.host, arriving_, arriving_path(place, object),
                                              doing.stop, [&] { tell_waiting(doing, target, object.key); }));
  if (!place.store->traits().is_digest(object.tag, object.size)) TRY(part.forget());
  ReadEnd end = ReadEnd::kDamaged;
  for (int tries = 0; end == ReadEnd::kDamaged; ++tries) {
    if (tries == kMostTries) return fail(comes_damaged(target, object.key));
    TRY_ASSIGN(end, go_on_with(part, *place.store, object, doing.stop, came));
    if (end != ReadEnd::kWhole) TRY(part.forget());
  }
  if (end == ReadEnd::kGone) return fail(changed_since(target, object.key));
  TRY_ASSIGN(const Blobs::Stored stored, part.become_blob(blobs_, doing.stop));
  object.here = stored.sha256;
  return object;
}

// What came before a cut is not asked for again, nor what came for another target of that `url` meanwhile.
Result<SharedExternalList> ExternalData::bring_here(const Target& target, const SharedExternalList& list,
                                                    const Doing& doing) {
  TRY_ASSIGN(Place* const place, place_of(target));
  const std::lock_guard one_alone(place->alone);
  TRY_ASSIGN(const SharedExternalList newest, known(target));
  ExternalList now = *list;
  if (newest) take_over_blobs(*newest, now);
  const bool is_afresh = doing.afresh && !std::exchange(place->came_afresh, true);
  std::vector<std::size_t> missing;
  std::uint64_t total = 0, done = 0;
  for (std::size_t i = 0; i < now.size(); ++i) {
    bool kept = false;
    if (now[i].here && !is_afresh) {
      TRY_ASSIGN(kept, blobs_.has(*now[i].here));
    }
    if (kept) continue;
    now[i].here.reset();
    missing.push_back(i);
    total += now[i].size;
  }
  if (missing.empty()) return std::make_shared<const ExternalList>(std::move(now));
  forget_old_arrivals(services_.host, path_join(services_.workspace.cache, kListedFolder));
  std::mutex mutex;  // guards now, done, kept_ns
  constexpr std::int64_t kKeptEvery_ns = 5'000'000'000;
  std::int64_t kept_ns = services_.host.clock.steady_ns();
  const auto came = [&](std::uint64_t bytes) {
    const std::lock_guard lock(mutex);
    done += bytes;
    doing.events(Progress{target.label, "fetching", std::min(done, total), total, true});
  };
  const Result<void> all =
      at_once(missing.size(), place->store->traits().puts_at_once, [&](std::size_t i) -> Result<void> {
        if (doing.stop.stop_requested()) return fail(interrupted_error());
        ExternalObject& object = now[missing[i]];
        TRY_ASSIGN(ExternalObject got, get(*place, target, object, doing, came));
        const std::lock_guard lock(mutex);
        object = std::move(got);
        const std::int64_t now_ns = services_.host.clock.steady_ns();
        if (now_ns - kept_ns < kKeptEvery_ns) return {};
        kept_ns = now_ns;
        return write_file(services_.host.files, place->path, encode(now));
      });
  TRY_ASSIGN(const SharedExternalList brought, keep(*place, std::move(now)));
  TRY(all);
  return brought;
}

}  // namespace trainmake
