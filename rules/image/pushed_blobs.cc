#include "rules/image/pushed_blobs.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "engine/base/json.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

struct Remembered {
  std::string host, repository;
  std::set<Sha256> digests;
  std::set<Sha256> kept;
  std::optional<Sha256> last;
};

// Nothing of a file that is not ours or is damaged: then the registry is asked.
Remembered parse(const std::string& text) {
  const auto json = parse_json<nlohmann::json>(text);
  if (!json.is_object()) return {};
  const auto list = [&](const char* name) {
    std::set<Sha256> digests;
    for (const nlohmann::json& entry : json.value(name, nlohmann::json::array())) {
      const auto digest = entry.is_string() ? Sha256::parse(entry.get<std::string>()) : std::nullopt;
      if (digest) digests.insert(*digest);
    }
    return digests;
  };
  return {text_at(json, "host"), text_at(json, "repository"), list("blobs"), list("kept"),
          Sha256::parse(text_at(json, "last"))};
}

}  // namespace

std::string PushedBlobs::path() const {
  return path_join(folder_, cat(digest_of(path_join(registry_, repository_)).hex(), ".json"));
}

Result<PushedBlobs> PushedBlobs::read(Host& host, const ImageStore& store, const ImagePlace& place) {
  PushedBlobs pushed(host, path_join(store.folder(), "pushed"));
  pushed.registry_ = place.service();
  pushed.repository_ = place.repository;
  if (place.is_layout()) return pushed;
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(host.files, pushed.path()));
  const Remembered remembered = parse(text.value_or(""));
  pushed.digests_ = remembered.digests;
  pushed.last_ = remembered.last;
  pushed.kept_ = remembered.kept;
  return pushed;
}

Result<std::string> PushedBlobs::elsewhere(const Sha256& digest) const {
  TRY_ASSIGN(const Stat folder, host_->files.look(folder_));
  if (!folder.exists()) return "";
  TRY_ASSIGN(const std::vector<FolderEntry> entries, host_->files.list(folder_));
  for (const FolderEntry& entry : entries) {
    TRY_ASSIGN(const auto text, read_file_if_there(host_->files, path_join(folder_, entry.name)));
    const Remembered other = parse(text.value_or(""));
    if (other.host == registry_ && other.repository != repository_ && other.digests.contains(digest))
      return other.repository;
  }
  return "";
}

Result<void> PushedBlobs::write() const {
  const auto list = [](const std::set<Sha256>& digests) {
    nlohmann::json names = nlohmann::json::array();
    for (const Sha256& digest : digests) names.push_back(digest.hex());
    return names;
  };
  const nlohmann::json json = {{"host", registry_},
                               {"repository", repository_},
                               {"blobs", list(digests_)},
                               {"kept", list(keeps_)},
                               {"last", last_ ? last_->hex() : ""}};
  return write_file(host_->files, path(), json.dump());
}

}  // namespace trainmake
