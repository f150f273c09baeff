#include "rules/job/platforms/uai/uai_outputs.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "cache/stores/at_once.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kAtOnce = 8;

bool is_wanted(const std::vector<std::string>& paths, const std::string& path) {
  return std::any_of(paths.begin(), paths.end(),
                     [&](const std::string& wanted) { return path_below(path, wanted).has_value(); });
}

Result<void> bring_object(Host& host, const Bringing& wanted, const StoredObject& object,
                          const std::string& to) {
  TRY_ASSIGN(const Stat there, host.files.look(to));
  if (there.is(FileKind::kFile) && there.size == object.size) return {};
  TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, host.files.create(to, {.large = true}));
  TRY_ASSIGN(const ReadEnd end,
             wanted.store.read(
                 {object.key, object.tag, object.size},
                 [&](std::string_view bytes) { return writer->append(bytes); }, wanted.stop));
  if (end == ReadEnd::kWhole) return writer->commit();
  return fail(
      user_error(cat(quoted(object.key),
                     end == ReadEnd::kGone ? " was replaced or removed while it was read" : " came damaged"),
                 "Run it again: it is read anew")
          .because(Blame::kRemote));
}

}  // namespace

Result<void> bring(Host& host, const Bringing& wanted) {
  TRY(host.files.make_folder(wanted.to));
  if (wanted.paths.empty()) return {};
  const auto heeding = wanted.store.heed(wanted.stop);
  std::vector<StoredObject> objects;
  TRY(wanted.store.list(wanted.prefix, [&](const StoredObject& object) {
    if (is_wanted(wanted.paths, object.key.substr(wanted.prefix.size()))) objects.push_back(object);
  }));
  return at_once(objects.size(), kAtOnce, [&](std::size_t i) -> Result<void> {
    const StoredObject& object = objects[i];
    const std::string path = object.key.substr(wanted.prefix.size());
    const bool is_marker = path.ends_with('/');
    const std::string plain = is_marker ? path.substr(0, path.size() - 1) : path;
    if (path_clean(plain) != plain || plain.starts_with('/'))
      return fail(
          step_error(cat("The job left ", quoted(object.key), " in its output, which is no plain path"),
                     "Let it write files whose names have no `..` and no doubled slashes"));
    const std::string at = path_join(wanted.to, plain);
    return is_marker ? host.files.make_folder(at) : bring_object(host, wanted, object, at);
  });
}

Result<void> put_checkpoint(Store& store, const std::string& prefix, const Checkpoint& checkpoint,
                            const Blobs& blobs, const std::stop_token& stop) {
  if (!checkpoint.files)
    return fail(step_error(cat("The list of files of the checkpoint of run ", checkpoint.run,
                               " is no longer in the cache, or damaged"),
                           "`resume = false` begins without one"));
  const Listing& files = *checkpoint.files;
  return at_once(files.size(), kAtOnce, [&](std::size_t i) -> Result<void> {
    const ListedFile& file = files[i];
    if (is_folder(file.key)) return {};
    if (!file.link_target.empty())
      return fail(step_error(cat("The checkpoint of run ", checkpoint.run, " has a link, ", quoted(file.key),
                                 ", and a store has none"),
                             "`resume = false` begins without it; let the job write files alone there"));
    const FileToPut put{.key = cat(prefix, kCheckpoints, "/", file.key),
                        .path = blobs.path(file.sha256),
                        .content = file.content};
    TRY(store.put_file(put, stop));
    return {};
  });
}

}  // namespace trainmake
