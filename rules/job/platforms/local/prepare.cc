#include "rules/job/platforms/local/prepare.h"

#include <map>
#include <set>
#include <utility>

#include "cache/lay_out.h"
#include "engine/base/text.h"
#include "engine/base/tree_size.h"

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
  DataView(FileSystem& files, const RunFolder& run, std::string root)
      : files_(files), run_(run), root_(std::move(root)) {}

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
    const std::string view = *path_below(at, run_.top);
    std::string made, up;
    for (const auto& [where, source] : links) {
      if (std::string above(path_folder(where)); above != made) {
        TRY(files_.make_folder(above));
        up = way_up(*path_below(above, run_.top));
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
    views_.push_back({folder, cat(run_.read_only(), "/", views_.size())});
    TRY(files_.make_folder(views_.back().at));
    return views_.back().at;
  }

  FileSystem& files_;
  const RunFolder& run_;
  std::string root_;
  std::vector<ReadOnlyFolder> views_;
};

Result<std::vector<ReadOnlyFolder>> lay_out_data(FileSystem& files, Blobs& blobs, const JobSpec& spec,
                                                 const RunFolder& run, const std::string& root) {
  TRY(files.make_folder(run.data()));
  TRY_ASSIGN(std::string real_root, follow_links(files, root));
  DataView view(files, run, std::move(real_root));
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
      TRY(lay_out(blobs, file, quoted(tree.label), path_join(folder, file.key)));
    }
  }
  return view.take();
}

}  // namespace

Result<void> prepare(FileSystem& files, Blobs& blobs, const JobSpec& spec, const RunFolder& run,
                     const PrepareOptions& options) {
  // What tells whether the run has started is not ours to remove.
  const std::set<std::string> kept = {run.lock(), run.started(), run.exit()};
  TRY(remove_others(files, run.top,
                    [&](const std::string& name) { return kept.contains(path_join(run.top, name)); }));
  TRY(lay_out(files, blobs, spec.code ? *spec.code : Listing(), "the code", run.code()));
  Order order;
  TRY_ASSIGN(order.read_only, lay_out_data(files, blobs, spec, run, options.root));
  const Folders folders{run.code(),       run.data(), run.output(), options.checkpoint,
                        run.log_folder(), run.home(), run.params()};
  for (const std::string& folder : {folders.output, folders.checkpoint, folders.log, folders.home})
    TRY(files.make_folder(folder));
  TRY(write_file(files, run.params(), params_json(spec.params, folders)));
  order.job = render(spec, folders, options.path);
  order.secrets = spec.secrets;
  order.timeout_s = spec.timeout_s;
  return write_file(files, run.order(), render(order));
}

}  // namespace trainmake
