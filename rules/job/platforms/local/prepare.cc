#include "rules/job/platforms/local/prepare.h"

#include <map>
#include <set>
#include <utility>

#include "cache/lay_out.h"
#include "engine/base/disk_space.h"
#include "engine/base/loopback.h"
#include "engine/base/reserved_file.h"
#include "engine/base/text.h"
#include "engine/base/tree_size.h"
#include "rules/job/checkpoint.h"
#include "rules/job/container_layout.h"
#include "rules/job/contract_layout.h"
#include "rules/job/contracts.h"

namespace trainmake {
namespace {

// The folder that all of `paths` share.
std::string common_folder(const std::vector<std::string>& paths) {
  std::string shared(path_folder(paths.front()));
  for (const std::string& path : paths) {
    while (!shared.empty() && !path_below(path, shared)) shared = std::string(path_folder(shared));
  }
  return shared;
}

// `../..` out of `a/b`.
std::string way_up(std::string_view folder) {
  std::string up = "..";
  for (const char c : folder) up += c == '/' ? "/.." : "";
  return up;
}

// Data that is read in place is a tree of links into read-only views of the folders that it lies in.
class DataView {
 public:
  enum class Seen : std::uint8_t { kFromHere, kInContainer };
  DataView(FileSystem& files, const RunFolder& run, std::string root, Seen seen)
      : files_(files), run_(run), root_(std::move(root)), seen_(seen) {}

  Result<void> add(const GivenTree& tree, const std::string& folder) {
    std::vector<std::pair<std::string, std::string>> links;  // where, and to which file
    std::vector<std::string> sources;
    for (const ListedFile& file : *tree.files) {
      if (file.source.empty()) continue;
      TRY_ASSIGN(std::string source, resolved(path_join(root_, file.source)));
      sources.push_back(source);
      links.emplace_back(path_join(folder, file.key), std::move(source));
    }
    if (links.empty()) return {};
    const std::string top = common_folder(sources);
    TRY_ASSIGN(const std::string at, view_of(top));
    const std::string view = seen_ == Seen::kFromHere ? *path_below(at, run_.top) : at;
    std::string made, up;
    for (const auto& [where, source] : links) {
      if (std::string above(path_folder(where)); above != made) {
        TRY(files_.make_folder(above));
        if (seen_ == Seen::kFromHere) up = way_up(*path_below(above, run_.top));
        made = std::move(above);
      }
      // From where it lies: a short link costs no block of the disk.
      TRY(files_.make_link(path_join(up, path_join(view, *path_below(source, top))), where));
    }
    return {};
  }

  std::vector<ReadOnlyFolder> take() { return std::move(views_); }

 private:
  // A link among the data is read through; a relative one would mean something else in a view.
  Result<std::string> resolved(const std::string& path) {
    TRY_ASSIGN(const Stat stat, files_.look(path));
    if (!stat.is(FileKind::kLink)) return path;
    return follow_links(files_, path);
  }

  Result<std::string> view_of(const std::string& folder) {
    for (const ReadOnlyFolder& view : views_) {
      if (view.folder == folder) return view.at;
    }
    if (seen_ == Seen::kInContainer) {
      views_.push_back({folder, view_in_container(views_.size())});
      return views_.back().at;
    }
    views_.push_back({folder, cat(run_.read_only(), "/", views_.size())});
    TRY(files_.make_folder(views_.back().at));
    return views_.back().at;
  }

  FileSystem& files_;
  const RunFolder& run_;
  std::string root_;
  Seen seen_;
  std::vector<ReadOnlyFolder> views_;
};

Result<std::vector<ReadOnlyFolder>> lay_out_data(FileSystem& files, Blobs& blobs, const JobSpec& spec,
                                                 const RunFolder& run, const PrepareOptions& options,
                                                 const Copying& copying) {
  TRY(files.make_folder(run.data()));
  TRY_ASSIGN(std::string real_root, follow_links(files, options.root));
  DataView view(files, run, std::move(real_root),
                options.container ? DataView::Seen::kInContainer : DataView::Seen::kFromHere);
  for (const GivenTree& tree : spec.data) {
    const std::string folder = path_join(run.data(), tree.channel);
    TRY(files.make_folder(folder));
    TRY(view.add(tree, folder));
    for (const ListedFile& file : *tree.files) {
      if (!file.source.empty()) continue;
      if (is_folder(file.key)) {
        TRY(files.make_folder(path_join(folder, file.key)));
        continue;
      }
      TRY(lay_out(blobs, file, quoted(tree.label), path_join(folder, file.key), copying));
    }
  }
  return view.take();
}

// By these its processes are known as the run's, and its checkpoint is found, whatever the contract.
void mark(const JobSpec& spec, const Folders& real, RenderedJob& job) {
  job.environment[kRunVariable] = spec.run;
  job.environment[kOutputFolder] = real.output;
  job.environment[kCheckpointFolder] = real.checkpoint;
}

// Nodes are played on this machine: each has an address of its own.
std::vector<std::string> hosts_of(const Distribution& distribution) {
  std::vector<std::string> hosts;
  for (std::int64_t node = 0; node < distribution.nodes; ++node) hosts.push_back(loopback_host(node));
  return hosts;
}

template <typename Rendered>
void distribute(const Distribution& distribution, Rendered rendered, Order& order) {
  if (distribution.kind == Distribution::Kind::kMpi) {  // which starts them itself
    std::vector<std::string> words = mpirun_words(distribution);
    words.insert(words.end(), order.job.arguments.begin(), order.job.arguments.end());
    order.job.arguments = std::move(words);
    order.job.environment.merge(mpirun_environment());
    return;
  }
  const std::vector<std::string> hosts = hosts_of(distribution);
  for (const Task& task : tasks_of(distribution)) {
    order.tasks.push_back(rendered(
        Rank{.host = hosts[static_cast<std::size_t>(task.node)], .hosts = hosts, .has_gpus = !task.serves}));
  }
  order.job = order.tasks.front();
  order.distribution = distribution;
}

Result<void> prepare_in_container(FileSystem& files, const JobSpec& spec, const RunFolder& run,
                                  const Folders& here, const std::vector<ReadOnlyFolder>& views,
                                  const PrepareOptions& options, const Rank& first, Order& order) {
  ContainerLayout layout = layout_in_container(options.contract, spec, here, run.places(), first);
  for (const std::string& folder : layout.points) TRY(files.make_folder(folder));
  for (const auto& [path, text] : layout.files) {
    TRY(files.make_folder(std::string(path_folder(path))));
    TRY(write_file(files, path, text));
  }
  TRY(write_file(files, run.params(), params_json(spec.params, layout.folders)));
  const auto rendered = [&](const Rank& rank) {
    RenderedJob job = render_in_container(options.contract, spec, layout.folders, options.path, rank);
    mark(spec, folders_in_container(), job);
    return job;
  };
  order.job = rendered({});
  const std::optional<Distribution> distribution = distribution_of(spec.distribution, spec.resources);
  if (distribution) distribute(*distribution, rendered, order);
  // Each of several has a container of its own, and finds the others by what these do not share else.
  if (order.distribution) order.container->network = true;
  order.container->mounts = std::move(layout.mounts);
  for (const ReadOnlyFolder& view : views) order.container->mounts.push_back({view.folder, view.at});
  return {};
}

Result<void> prepare_processes(FileSystem& files, const JobSpec& spec, const RunFolder& run,
                               const Folders& here, const ContractLayout& layout,
                               const PrepareOptions& options, Order& order) {
  TRY(lay_out(files, layout));
  TRY(write_file(files, run.params(), params_json(spec.params, layout.folders)));
  const auto rendered = [&](const Rank& rank) {
    RenderedJob job = render(options.contract, spec, layout.folders, options.path, rank);
    mark(spec, here, job);
    return job;
  };
  order.job = rendered({});
  const std::optional<Distribution> distribution = distribution_of(spec.distribution, spec.resources);
  if (distribution) distribute(*distribution, rendered, order);
  return {};
}

std::uint64_t bytes_copied(const JobSpec& spec, const Listing& code) {
  std::uint64_t bytes = 0;
  for (const ListedFile& file : code) bytes += file.size;
  for (const GivenTree& tree : spec.data) {
    for (const ListedFile& file : *tree.files) bytes += file.source.empty() ? file.size : 0;
  }
  return bytes;
}

}  // namespace

Result<void> prepare(FileSystem& files, Blobs& blobs, const JobSpec& spec, const RunFolder& run,
                     const PrepareOptions& options) {
  // What tells whether the run has started is not ours to remove.
  const std::set<std::string> kept = {run.lock(), run.started(), run.exit()};
  TRY(remove_others(files, run.top,
                    [&](const std::string& name) { return kept.contains(path_join(run.top, name)); }));
  const Folders real{run.code(),       run.data(), run.output(), options.checkpoint,
                     run.log_folder(), run.home(), run.params()};
  Folders seen = real;
  if (!options.checkpoint_seen.empty()) seen.checkpoint = options.checkpoint_seen;
  const std::optional<Distribution> distribution = distribution_of(spec.distribution, spec.resources);
  // Files are the same for all; where they name a host, it is the first one.
  const Rank first = distribution ? Rank{.host = loopback_host(0), .hosts = hosts_of(*distribution)} : Rank{};
  const ContractLayout layout = layout_below(options.contract, spec, seen, run.places(), first);
  static const Listing kNoCode;
  const Listing& code = spec.code ? *spec.code : kNoCode;
  TRY(check_code(layout, code, real.code));
  Order order;
  order.container = options.container;
  const bool copies_code =
      !order.container || layout_in_container(options.contract, spec, real, "").has_own_code;
  const std::uint64_t bytes = bytes_copied(spec, copies_code ? code : kNoCode);
  // The cache that it is copied out of is on the same disk.
  if (!shares_copies(run.top))
    TRY(check_room(run.top, bytes, "the job's code, and what other jobs left for it"));
  if (options.progress != nullptr) options.progress->expect(bytes + bytes_resumed(spec));
  const Copying copying = options.progress != nullptr ? options.progress->copying() : Copying{};
  if (copies_code) TRY(lay_out(files, blobs, code, "the code", real.code, copying));
  TRY_ASSIGN(std::vector<ReadOnlyFolder> views, lay_out_data(files, blobs, spec, run, options, copying));
  TRY(set_aside_checkpoint(files, real.checkpoint));
  TRY(place_checkpoint(files, blobs, spec, real.checkpoint, copying));
  if (spec.resumed && spec.resumed->files)
    TRY(write_file(files, run.resumed(), encode(*spec.resumed->files)));
  TRY(write_file(files, run.reserve(), ReservedFile::empty()));
  for (const std::string& folder : {real.output, real.log, real.home}) TRY(files.make_folder(folder));
  if (order.container) {
    TRY(prepare_in_container(files, spec, run, real, views, options, first, order));
  } else {
    TRY(prepare_processes(files, spec, run, seen, layout, options, order));
    order.read_only = std::move(views);
    if (seen.checkpoint != real.checkpoint) order.seen = {{real.checkpoint, seen.checkpoint}};
  }
  order.gpus = options.gpus;
  order.limits = options.limits;
  if (order.gpus) TRY(write_file(files, run.waiting(), cat("waits for ", plural(order.gpus->count, "gpu"))));
  order.secrets = spec.secrets;
  order.timeout_s = spec.timeout_s;
  return write_file(files, run.order(), render(order));
}

}  // namespace trainmake
