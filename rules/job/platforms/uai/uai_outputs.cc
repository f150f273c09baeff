#include "rules/job/platforms/uai/uai_outputs.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "cache/stores/at_once.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kCheckpoints = "checkpoint/";
constexpr std::size_t kAtOnce = 8;

Result<bool> wants_checkpoints(FileSystem& files, const UaiRun& run) {
  TRY_ASSIGN(const std::optional<std::string> wanted, read_file_if_there(files, run.wanted()));
  const std::vector<std::string> paths = split(wanted.value_or(""), '\n');
  return std::any_of(paths.begin(), paths.end(),
                     [](const std::string& path) { return cat(path, "/").starts_with(kCheckpoints); });
}

Result<void> bring(Host& host, Store& store, const StoredObject& object, const std::string& to) {
  TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, host.files.create(to, {.large = true}));
  TRY_ASSIGN(const ReadEnd end,
             store.read({object.key, object.tag, object.size},
                        [&](std::string_view bytes) { return writer->append(bytes); }, {}));
  if (end == ReadEnd::kWhole) return writer->commit();
  return fail(
      user_error(cat(quoted(object.key),
                     end == ReadEnd::kGone ? " was replaced or removed while it was read" : " came damaged"),
                 "Run it again: it is read anew")
          .because(Blame::kRemote));
}

// What lies below `prefix` and is wanted, as files in the folder `to`, which is there when it is whole.
Result<void> bring_folder(Host& host, Store& store, const std::string& prefix, const std::string& arriving,
                          const std::string& to, const std::function<bool(const std::string&)>& is_wanted) {
  std::vector<StoredObject> objects;
  TRY(store.list(prefix, [&](const StoredObject& object) { objects.push_back(object); }));
  TRY(host.files.remove(arriving));
  TRY(host.files.make_folder(arriving));
  TRY(at_once(objects.size(), kAtOnce, [&](std::size_t i) -> Result<void> {
    const StoredObject& object = objects[i];
    const std::string path = object.key.substr(prefix.size());
    if (path.empty() || !is_wanted(path)) return {};
    const bool is_marker = path.ends_with('/');
    const std::string plain = is_marker ? path.substr(0, path.size() - 1) : path;
    if (path_clean(plain) != plain || plain.starts_with('/'))
      return fail(
          step_error(cat("The job left ", quoted(object.key), " in its output, which is no plain path"),
                     "Let it write files whose names have no `..` and no doubled slashes"));
    const std::string at = path_join(arriving, plain);
    return is_marker ? host.files.make_folder(at) : bring(host, store, object, at);
  }));
  TRY(host.files.remove(to));
  return host.files.rename(arriving, to);
}

}  // namespace

Result<void> bring_outputs(Host& host, Store& store, const std::string& prefix, const UaiRun& run) {
  TRY_ASSIGN(const Stat there, host.files.look(run.output()));
  if (there.exists()) return {};
  TRY_ASSIGN(const bool with_checkpoints, wants_checkpoints(host.files, run));
  return bring_folder(host, store, prefix, run.incoming(), run.output(), [&](const std::string& path) {
    return with_checkpoints || !path.starts_with(kCheckpoints);
  });
}

Result<void> bring_checkpoint(Host& host, Store& store, const std::string& prefix, const UaiRun& run) {
  return bring_folder(host, store, cat(prefix, kCheckpoints), run.arriving_checkpoint(), run.checkpoint(),
                      [](const std::string&) { return true; });
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
    if (!file.link_target.empty())
      return fail(step_error(cat("The checkpoint of run ", checkpoint.run, " has a link, ", quoted(file.key),
                                 ", and a store has none"),
                             "`resume = false` begins without it; let the job write files alone there"));
    const FileToPut put{
        .key = cat(prefix, kCheckpoints, file.key), .path = blobs.path(file.sha256), .content = file.content};
    TRY(store.put_file(put, stop));
    return {};
  });
}

}  // namespace trainmake
