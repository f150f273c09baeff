#include "rules/job/left_files.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/base/text.h"
#include "rules/job/container_layout.h"
#include "rules/job/contracts.h"
#include "rules/job/provenance.h"

namespace trainmake {
namespace {

constexpr int kMostLinks = 40;  // as the kernel has it

// So that no link on our own way to a folder is taken for one that the run made.
Result<void> resolve(FileSystem& files, std::vector<LeftFiles::View>& views) {
  for (LeftFiles::View& view : views) {
    TRY_ASSIGN(view.here, follow_links(files, view.here));
  }
  return {};
}

std::vector<LeftFiles::View> views_of(const Contract& contract, const Folders& here) {
  std::vector<LeftFiles::View> views;
  for (const ContainerMount& mount : layout_in_container(contract, JobSpec(), here, "").mounts) {
    const bool is_written =
        mount.source == here.output || mount.source == here.checkpoint || mount.source == here.log;
    if (is_written && !mount.source.empty()) views.push_back({mount.at, mount.source});
  }
  return views;
}

Result<Contract> contract_of(const Contract& usual, const Space& space, const Run& run) {
  const std::string given = contract_given_to(run);
  if (given.empty() || given == usual.version) return usual;
  const std::string name = told_by(given).name;
  auto found = contract_named(space, name);
  // Those that trainmake knows keep their folders, whatever else a version of them says.
  const bool is_declared = space.find("contract", name) != nullptr;
  if (found && (!is_declared || given.starts_with(contract_in_container(*found, false).version)))
    return *std::move(found);
  return fail(user_error(cat("What run ", quoted(run.id), " left cannot be read: its contract ", quoted(name),
                             found ? " is declared as another by now" : " is not declared any more"),
                         "Declare it in TRAINSPACE.lua as it was"));
}

}  // namespace

Result<LeftFiles> LeftFiles::by_process(FileSystem& files, const std::vector<std::string>& written,
                                        const std::vector<View>& seen) {
  std::vector<View> views, all = {{"/", "/"}};
  for (const std::string& folder : written) views.push_back({folder, folder});
  TRY(resolve(files, views));
  for (View view : seen) {
    TRY_ASSIGN(view.at, follow_links(files, view.at));
    TRY_ASSIGN(view.here, follow_links(files, view.here));
    all.push_back(std::move(view));
  }
  return LeftFiles(files, std::move(all), std::move(views));
}

Result<LeftFiles> LeftFiles::in_container(FileSystem& files, std::vector<View> written) {
  TRY(resolve(files, written));
  return LeftFiles(files, written, written);
}

const LeftFiles::View* LeftFiles::view_of(const std::string& path) const {
  const View* innermost = nullptr;
  for (const View& view : seen_) {
    if (path_below(path, view.at) && (innermost == nullptr || view.at.size() > innermost->at.size()))
      innermost = &view;
  }
  return innermost;
}

// "" of a folder that is only on the way to those that the run saw.
Result<std::string> LeftFiles::on_this_machine(const std::string& path) const {
  if (const View* view = view_of(path)) return path_join(view->here, *path_below(path, view->at));
  const bool is_on_the_way = std::any_of(
      seen_.begin(), seen_.end(), [&](const View& view) { return path_below(view.at, path).has_value(); });
  if (is_on_the_way) return std::string();
  return fail(
      user_error(cat("it leads to ", quoted(path), " of the container, which is nothing that the job wrote"),
                 "Let the job copy it to its output folder"));
}

Result<LeftFiles::Found> LeftFiles::find(const std::string& path) const {
  std::vector<std::string> left;  // names still to go, the next one last
  const auto push = [&left](std::string_view names) {
    std::vector<std::string> parts = split(names, '/');
    left.insert(left.end(), std::make_move_iterator(parts.rbegin()), std::make_move_iterator(parts.rend()));
  };
  push(path_join(written_.front().at, path));
  Found found;
  std::string seen_at = "/";
  for (int links = 0; !left.empty();) {
    const std::string name = std::move(left.back());
    left.pop_back();
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      seen_at = std::string(path_folder(seen_at));
      if (seen_at.empty()) seen_at = "/";
      continue;
    }
    const std::string next = path_join(seen_at, name);
    TRY_ASSIGN(found.at, on_this_machine(next));
    if (found.at.empty()) {
      seen_at = next;
      continue;
    }
    TRY_ASSIGN(const Stat stat, files_->look(found.at));
    if (!stat.is(FileKind::kLink)) {
      seen_at = next;
      continue;
    }
    if (++links > kMostLinks) return fail(user_error(cat("Too many links lead on from ", quoted(path))));
    TRY_ASSIGN(const std::string target, files_->read_link(found.at));
    if (target.starts_with('/')) seen_at = "/";
    push(target);
  }
  TRY_ASSIGN(found.at, on_this_machine(seen_at));
  if (!found.at.empty()) {
    TRY_ASSIGN(found.stat, files_->look(found.at));
  } else {
    found.stat.kind = FileKind::kOther;
  }
  return found;
}

bool LeftFiles::is_written(const std::string& at) const {
  return std::any_of(written_.begin(), written_.end(),
                     [&](const View& view) { return path_below(at, view.here).has_value(); });
}

Result<LeftFiles> left_by(Platform& platform, FileSystem& files, const Space& space, const Run& run,
                          const std::vector<std::string>& also, const std::stop_token& stop) {
  const JobHandle job = JobHandle::of(run);
  // What another machine left is no process's of this one; and checkpoints, which may be large, are brought
  // from it for those alone who go on from them.
  const bool is_far = platform.traits.reads_stores;
  Folders here;
  TRY_ASSIGN(here.output, platform.left(job, {Left::kOutput, also, stop}));
  TRY_ASSIGN(here.log, platform.left(job, {Left::kLogs, {}, stop}));
  if (!is_far) {
    TRY_ASSIGN(here.checkpoint, platform.left(job, {Left::kCheckpoint, {}, stop}));
  }
  if (is_far || told_by(contract_given_to(run)).in_container) {
    TRY_ASSIGN(const Contract contract, contract_of(platform.traits.contract, space, run));
    return LeftFiles::in_container(files, views_of(contract, here));
  }
  std::vector<std::string> written = {here.output};
  for (const std::string& folder : {here.checkpoint, here.log}) {
    if (!folder.empty()) written.push_back(folder);
  }
  TRY_ASSIGN(const std::string seen, platform.left(job, {Left::kCheckpointSeen, {}, stop}));
  if (seen.empty()) return LeftFiles::by_process(files, written);
  return LeftFiles::by_process(files, written, {{seen, here.checkpoint}});
}

}  // namespace trainmake
