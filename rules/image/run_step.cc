#include "rules/image/run_step.h"

#include <algorithm>
#include <iterator>

#include "cache/lay_out.h"
#include "engine/base/child.h"
#include "engine/base/log_file.h"
#include "engine/base/log_lines.h"
#include "engine/base/text.h"
#include "engine/base/threads.h"
#include "engine/base/working_folder.h"
#include "engine/container/container.h"
#include "engine/container/implied_folders.h"
#include "engine/container/merged.h"
#include "engine/container/runtime.h"
#include "rules/image/difference.h"
#include "rules/image/documents.h"
#include "rules/image/exact_modes.h"
#include "rules/image/pack.h"
#include "rules/image/unpack_image.h"

namespace trainmake {
namespace {

// 1980: the first year that a zip, and so a wheel, can tell. Python compares what it compiled by content
// then, and not by times, which a layer does not keep.
constexpr const char* kEpoch = "315532800";

// In the place of a layer, of what changed nothing.
constexpr std::string_view kNoLayer = "null";

// Where a step writes: to whoever looks on and into a file, its secrets hidden.
class StepLog {
 public:
  StepLog(LogFile file, const Secrets& secrets, const std::function<void(std::string)>& tell)
      : file_(std::move(file)), redactor_(values_of(secrets)), tell_(tell) {}

  Result<void> add(std::string_view bytes) { return write(redactor_.pass(bytes)); }
  Result<void> finish() {
    TRY(write(redactor_.finish()));
    lines_.finish([&](std::string_view line) { take(line); });
    return {};
  }
  const LastLines& last() const { return last_; }

 private:
  Result<void> write(const std::string& bytes) {
    TRY(file_.append(bytes));
    lines_.add(bytes, [&](std::string_view line) { take(line); });
    return {};
  }

  void take(std::string_view line) {
    last_.add(std::string(line));
    tell_(std::string(line));
  }

  LogFile file_;
  Redactor redactor_;
  LogLines lines_;
  LastLines last_;
  const std::function<void(std::string)>& tell_;
};

// The container is gone, with all that it started, when this returns.
Result<ChildEnd> watch(Child child, StepLog& log, const std::stop_token& stop) {
  std::string bytes;
  for (bool more = true; more || !child.ended();) {
    if (stop.stop_requested()) return fail(interrupted_error());
    bytes.clear();
    TRY_ASSIGN(more, child.read(bytes, std::chrono::milliseconds(100)));
    TRY(log.add(bytes));
  }
  TRY(log.finish());
  return *child.ended();
}

Result<std::vector<std::string>> names_in(FileSystem& files, const std::string& folder) {
  TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list(folder));
  std::vector<std::string> names;
  for (const FolderEntry& entry : entries) names.push_back(entry.name);
  return names;
}

// A folder of `inputs` must not take the place of one of the base: `/app` is not there any more then, or
// `/bin`.
Result<void> check_hidden(const std::vector<std::string>& layers, const std::string& at) {
  const std::optional<MergedPath> found = follow_merged(layers, at);
  if (!found || !found->entry || !found->entry->is_folder()) return {};
  return fail(user_error(
      cat("`inputs` would hide the base's folder ", quoted(found->path)),
      "Put them below a folder of another name: they lie in the working folder by their paths from the "
      "project's folder"));
}

// As curl, pip, apt and others say it.
bool wants_network(const LastLines& last) {
  constexpr std::string_view kSigns[] = {"resolv",      "etwork",    "onnect",    "ETIMEDOUT",
                                         "ENETUNREACH", "EAI_AGAIN", "esolution", "service not",
                                         "bad address", "ot fetch",  "download",  "No matching distribution"};
  return std::any_of(last.all().begin(), last.all().end(), [&](const std::string& line) {
    return std::any_of(std::begin(kSigns), std::end(kSigns),
                       [&](std::string_view sign) { return line.find(sign) != line.npos; });
  });
}

Error failure_of(const RunStep& step, const ChildEnd& end, const LastLines& last, const std::string& log) {
  const std::string how =
      end.signal != 0 ? cat("ended by signal ", end.signal) : cat("exit code ", end.exit_code);
  std::string message = cat("The step ", quoted(step.command), " failed: ", how);
  for (const std::string& line : last.all()) message += cat("\n  ", printable(line));
  return step_error(
      std::move(message),
      cat(!step.network && wants_network(last) ? "It had no network: `network = true` gives it one. " : "",
          "All that it wrote is in ", quoted(log)));
}

}  // namespace

RunSteps::RunSteps(Host& host, const Workspace& workspace, Blobs& blobs, const ImageStore& store)
    : host_(host),
      cache_(workspace.cache),
      blobs_(blobs),
      store_(store),
      shared_(unpacked_layers_folder(host.environment, workspace)) {}

std::string RunSteps::key(const StepRoot& root, const RunStep& step) const {
  const CommandConfig config = command_config_of(root.config);
  Hasher hasher;
  hasher.field("run-step-2")
      .field(name_of(root.compression))
      .field(root.architecture)
      .number(root.layers.size());
  for (const PlacedLayer& placed : root.layers) hasher.field(placed.layer.diff_id.hex());
  hasher.number(config.environment.size());
  for (const auto& [name, value] : config.environment) hasher.field(name).field(value);
  hasher.field(config.user).field(config.workdir);
  hasher.field(step.command).field(step.inputs).number(step.network ? 1 : 0);
  for (const std::string& secret : step.secrets) hasher.field(secret);
  return hasher.finish().hex();
}

std::string RunSteps::memo_path(const StepRoot& root, const RunStep& step) const {
  return path_join(cache_, cat("layers/", key(root, step), ".json"));
}

std::string RunSteps::log_path(const StepRoot& root, const RunStep& step) const {
  return path_join(cache_, cat("layers/", key(root, step), ".log"));
}

Result<std::optional<StepResult>> RunSteps::remembered(const StepRoot& root, const RunStep& step) const {
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(host_.files, memo_path(root, step)));
  if (!text) return std::optional<StepResult>();
  if (*text == kNoLayer) return std::optional(StepResult());
  std::optional<Layer> layer = parse_memo(*text, root.compression);
  return layer ? std::optional(StepResult{std::move(layer)}) : std::nullopt;
}

// Each is looked at as a whole once, however many steps ask for it.
bool RunSteps::is_first_check(const Sha256& diff_id) const {
  const std::lock_guard lock(mutex_);
  return checked_.insert(diff_id).second;
}

Result<std::vector<UnpackedLayer>> RunSteps::unpack(const StepRoot& root, bool afresh, const Say& say,
                                                    const std::stop_token& stop) const {
  const auto trust_in = [&](const Sha256& diff_id) {
    return afresh && is_first_check(diff_id) ? UnpackedLayers::Trust::kVerify
                                             : UnpackedLayers::Trust::kAsItIs;
  };
  return unpack_layers(
      UnpackedLayers(host_, shared_), root.layers, store_, trust_in,
      [&] { say("Unpacking what it is built on"); }, stop);
}

Result<StepResult> RunSteps::make_layer(Compression compression, const std::string& upper,
                                        const std::vector<std::string>& layers, const Secrets& secrets,
                                        const std::function<void(std::string)>& tell,
                                        const std::stop_token& stop) const {
  TRY_ASSIGN(const Difference difference, find_difference(upper, layers));
  for (const std::string& path : difference.left_out)
    tell(cat("Left out of the layer: ", printable(path), ", which is no file, folder or link"));
  if (difference.changes.empty()) return StepResult();
  Layer layer;
  TRY_ASSIGN(layer.blob, store_.make(layer_media_type(compression), [&](const ByteSink& out) -> Result<void> {
    Packer packer(compression, processor_count(), out);
    TRY(write_difference(
        difference, secrets, [&](std::string_view bytes) { return packer.add(bytes); }, stop));
    TRY_ASSIGN(layer.diff_id, packer.finish());
    return {};
  }));
  return StepResult{std::move(layer)};
}

Result<StepResult> RunSteps::run(const StepRoot& root, const RunStep& step, const Secrets& secrets,
                                 bool afresh, const Say& say, const std::function<void(std::string)>& tell,
                                 const std::stop_token& stop) const {
  const CommandConfig config = command_config_of(root.config);
  TRY_ASSIGN(const std::unique_ptr<WorkingFolder> own,
             WorkingFolder::make(host_, path_join(cache_, "steps")));
  const WorkingFolder& scratch = *own;
  TRY_ASSIGN(const Runtime runtime, find_runtime(host_, scratch.path("runtimes"), runtime_memo(shared_)));
  TRY_ASSIGN(const std::vector<UnpackedLayer> below, unpack(root, afresh, say, stop));
  ContainerRequest request;
  TRY_ASSIGN(const bool mended, mend_implied(below, scratch.path("mended")));
  if (mended) request.layers.push_back(scratch.path("mended"));
  for (const UnpackedLayer& layer : below) request.layers.push_back(layer.folder);
  request.arguments = {"/bin/sh", "-c", step.command};
  request.environment = config.environment;
  request.environment.emplace("SOURCE_DATE_EPOCH", kEpoch);
  request.folder = config.workdir;
  request.user = config.user;
  request.secrets = secrets;
  request.network = step.network;
  request.scratch = scratch.path("container");
  TRY_ASSIGN(const Listing files, step.files ? step.files() : Result<Listing>(Listing()));
  const std::string inputs = scratch.path("inputs");
  TRY(lay_out(host_.files, blobs_, files, "the step's `inputs`", inputs, {stop}));
  TRY(set_exact_modes(files, inputs));
  TRY_ASSIGN(const std::vector<std::string> names, names_in(host_.files, inputs));
  for (const std::string& name : names) {
    if (!is_utf8(name))
      return fail(user_error(cat("No runtime can be told of the input ", quoted(name), ", which is no UTF-8"),
                             "Rename it, or put it into a folder of `inputs` whose name is"));
    const std::string at = path_join(config.workdir, name);
    TRY(check_hidden(request.layers, at));
    request.mounts.push_back({path_join(inputs, name), at});
  }
  const std::string log = log_path(root, step);
  TRY(write_file(host_.files, log, ""));
  TRY_ASSIGN(LogFile file, LogFile::open(log));
  StepLog output(std::move(file), secrets, tell);
  TRY_ASSIGN(Child child, start_container(host_.files, runtime, request));
  TRY_ASSIGN(const ChildEnd end, watch(std::move(child), output, stop));
  if (end.exit_code != 0) return fail(failure_of(step, end, output.last(), log));
  TRY_ASSIGN(const StepResult result, make_layer(root.compression, changes_of(request),
                                                 layers_below_changes(request), secrets, tell, stop));
  TRY(write_file(host_.files, memo_path(root, step),
                 result.layer ? render_memo(*result.layer) : std::string(kNoLayer)));
  return result;
}

}  // namespace trainmake
