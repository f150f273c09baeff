#include "rules/job/platforms/uai/uai_data.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "cache/file_digests.h"
#include "cache/stores/at_once.h"
#include "engine/base/text.h"
#include "rules/job/layout_progress.h"

namespace trainmake {
namespace {

std::string content_of(const ListedFile& file) {
  return file.source.empty() && !is_folder(file.key) ? file.sha256.hex() : file.content.hex();
}

// All that lies in the data folder, sorted: equal for jobs that are given the same.
Digest128 identity_of(const JobSpec& spec) {
  std::vector<std::pair<std::string, std::string>> all;
  for (const GivenTree& tree : spec.data) {
    for (const ListedFile& file : *tree.files)
      all.emplace_back(path_join(tree.channel, file.key), content_of(file));
  }
  std::sort(all.begin(), all.end());
  Hasher hasher;
  for (const auto& [key, content] : all) hasher.field(key).field(content);
  return hasher.finish();
}

Result<Digest128> digest_of_file(FileSystem& files, const std::string& path, const std::stop_token& stop) {
  ContentHasher hasher;
  TRY(read_pieces(files, path, stop, [&](std::string_view bytes) -> Result<void> {
    hasher.add(bytes);
    return {};
  }));
  return hasher.finish();
}

constexpr std::string_view kMarkOfBefore = "whole\n";  // when a mark told nothing else

// `SIZE TAG KEY` of each object.
using LinesByKey = std::map<std::string, std::string>;

Result<LinesByKey> lines_of(Store& store, const std::string& folder) {
  LinesByKey lines;
  TRY(store.list(folder + "/", [&](const StoredObject& object) {
    lines[object.key] = cat(object.size, " ", object.tag, " ", object.key);
  }));
  return lines;
}

std::string text_of(const LinesByKey& lines) {
  std::string text;
  for (const auto& [key, line] : lines) text += line + "\n";
  return text;
}

LinesByKey lines_in(const std::string& text) {
  LinesByKey lines;
  for (const std::string& line : split(text, '\n')) {
    const std::size_t tag = line.find(' '), key = line.find(' ', std::min(tag, line.size() - 1) + 1);
    if (tag != line.npos && key != line.npos) lines[line.substr(key + 1)] = line;
  }
  return lines;
}

// Of files that are read where they lie, the folder that they all lie in at their paths; "" when there is
// none.
std::string folder_in_place(const GivenTree& tree, const std::string& root) {
  std::string folder;
  for (const ListedFile& file : *tree.files) {
    const std::string end = cat("/", file.key);
    const std::optional<std::string> path = path_clean(path_join(root, file.source));
    if (file.source.empty() || !path || !path->ends_with(end)) return "";
    const std::string its = path->substr(0, path->size() - end.size());
    if (!folder.empty() && its != folder) return "";
    folder = its;
  }
  return folder;
}

}  // namespace

// Of a store, the folder that it is, and `path` below that.
std::optional<UaiFolder> UaiData::folder_of(const GivenTree& tree, bool is_ufs, std::string& path) const {
  constexpr std::string_view kStore = "store:", kDir = "dir:";
  if (!tree.store.starts_with(kStore)) {
    const std::string here = folder_in_place(tree, workspace_.root);
    return is_ufs && !here.empty() ? uai_ufs_of(options_, here) : std::nullopt;
  }
  const std::string where = tree.store.substr(kStore.size());
  if (where.starts_with("ufile://"))  // not ours
    return is_ufs ? std::nullopt : uai_bucket_of(service_at(space_, where));
  const std::size_t slash = where.find('/');
  const Service* store = space_.find("store", where.substr(0, slash));
  path = slash == where.npos ? "" : where.substr(slash + 1);
  const std::string* url = store == nullptr ? nullptr : store->text("url");
  if (url == nullptr) return std::nullopt;
  if (!is_ufs) return uai_bucket_of(*store);
  if (!url->starts_with(kDir)) return std::nullopt;
  return uai_ufs_of(options_, path_join(workspace_.root, url->substr(kDir.size())));
}

// Where it lies so that its files are found at their paths; "" when it does not.
std::string UaiData::url_of(const GivenTree& tree, bool is_ufs) const {
  std::string path;
  const std::optional<UaiFolder> folder = folder_of(tree, is_ufs, path);
  if (!folder) return "";
  std::string url = folder->url(path);
  if (tree.channel.empty()) return url;
  const std::string end = cat("/", tree.channel, "/");
  return url.ends_with(end) ? url.substr(0, url.size() - end.size() + 1) : "";
}

bool UaiData::is_read_where_it_lies(const JobSpec& spec, const UaiPlace& place) const {
  return spec.data.size() == 1 && !url_of(spec.data.front(), place.folder.is_ufs).empty();
}

Result<std::string> UaiData::url_for(const JobSpec& spec, const UaiPlace& place, const Patience& waiting) {
  if (!is_read_where_it_lies(spec, place)) return put_together(spec, place, waiting);
  TRY(check_readable(spec.data.front(), place));
  return url_of(spec.data.front(), place.folder.is_ufs);
}

Result<void> UaiData::check_readable(const GivenTree& tree, const UaiPlace& place) const {
  const std::string url = url_of(tree, place.folder.is_ufs);
  const std::string wrong = url.empty() ? "" : wrong_data_url(url);
  if (wrong.empty()) return {};
  return fail(user_error(cat("UAI-Train cannot read ", quoted(url), ": it ", wrong),
                         cat("Give ", quoted(tree.label), " a `prefix` of such folders")));
}

Result<void> UaiData::put(const Piece& piece, Store& store, const std::stop_token& stop) {
  const ListedFile& file = *piece.file;
  if (is_folder(file.key)) {
    TRY(store.put(piece.key, "", std::nullopt));
    return {};
  }
  FileToPut put{.key = piece.key, .path = blobs_.path(file.sha256), .content = file.content};
  if (!file.source.empty()) {
    put.path = path_join(workspace_.root, file.source);
  } else {
    TRY_ASSIGN(const Stat blob, host_.files.look(put.path));
    if (!blob.exists())
      return fail(
          step_error(cat(quoted(file.key), " of ", quoted(piece.tree->label), " is not on this machine"),
                     "Give the job one data target alone, which is read where it lies"));
    TRY_ASSIGN(put.content, digest_of_file(host_.files, put.path, stop));
  }
  TRY_ASSIGN(const PutFile done, store.put_file(put, stop));
  if (done.copied || done.found) return {};
  ++tally_.uploaded_objects;
  tally_.uploaded_bytes += done.sent;
  return {};
}

Result<void> UaiData::put_all(const std::vector<Piece>& pieces, Store& store, const Patience& waiting) {
  LayoutProgress progress(host_.clock, waiting);
  std::mutex mutex;  // guards it
  for (const Piece& piece : pieces) progress.expect(piece.file->size);
  return at_once(pieces.size(), store.traits().puts_at_once, [&](std::size_t i) -> Result<void> {
    if (waiting.stop.stop_requested()) return fail(interrupted_error());
    TRY(put(pieces[i], store, waiting.stop));
    const std::lock_guard lock(mutex);
    progress.copied(pieces[i].file->size);
    return {};
  });
}

// What lies in the folder, each as a line: what it was when it was whole is kept in a mark beside it, and
// compared before every job that reads it.
Result<std::string> UaiData::put_together(const JobSpec& spec, const UaiPlace& place,
                                          const Patience& waiting) {
  Store& store = *place.store;
  const std::string folder = place.folder.ours(cat("given/", identity_of(spec).hex()));
  const std::string mark = folder + ".whole", url = place.folder.url(folder);
  TRY_ASSIGN(const std::optional<ObjectBytes> whole, store.get(mark));
  TRY_ASSIGN(const LinesByKey there, lines_of(store, folder));
  if (whole && whole->bytes == text_of(there)) return url;
  LinesByKey before = whole ? lines_in(whole->bytes) : LinesByKey();
  if (whole && whole->bytes == kMarkOfBefore) before = there;
  std::set<std::string> wanted;
  std::vector<Piece> lacking;
  for (const GivenTree& tree : spec.data) {
    for (const ListedFile& file : *tree.files) {
      std::string key = path_join(folder, path_join(tree.channel, file.key));
      wanted.insert(key);
      const auto now = there.find(key);
      const auto then = before.find(key);
      const bool is_there = now != there.end() && then != before.end() && now->second == then->second;
      if (!is_there) lacking.push_back({std::move(key), &tree, &file});
    }
  }
  TRY(put_all(lacking, store, waiting));
  if (wanted.empty()) {
    wanted.insert(folder + "/");
    TRY(store.put(folder + "/", "", std::nullopt));
  }
  std::vector<std::string> others;
  for (const auto& [key, line] : there) {
    if (!wanted.contains(key)) others.push_back(key);
  }
  TRY(store.remove(others, {}));
  TRY_ASSIGN(const LinesByKey now, lines_of(store, folder));
  TRY(store.put(mark, text_of(now), std::nullopt));
  return url;
}

}  // namespace trainmake
