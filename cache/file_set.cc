#include "cache/file_set.h"

#include <algorithm>

#include "cache/shared_root.h"
#include "engine/base/glob.h"
#include "engine/base/text.h"
#include "engine/base/walk.h"

namespace trainmake {
namespace {

constexpr int kTries = 3;  // files that change while they are read are read again, a few times

std::string escaped(std::string_view path) {
  std::string pattern;
  for (const char c : path) {
    if (std::string_view("*?[]{}\\").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

// One walk: plain paths together, each glob by itself (its excludes are its own).
struct Group {
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  bool allow_empty = false;
  bool plain = false;
  std::vector<int> lines;  // of include, or one for all of it
};

void add_group(const Value& value, std::vector<Group>& groups) {
  if (const Glob* glob = value.glob()) {
    groups.push_back({glob->include, glob->exclude, glob->allow_empty, false, {value.line}});
  } else if (const std::string* path = value.string()) {
    if (groups.empty() || !groups.back().plain) groups.push_back({{}, {}, false, true, {}});
    groups.back().include.push_back(escaped(*path));
    groups.back().lines.push_back(value.line);
  }
}

std::vector<Group> groups_of(const Value& files) {
  std::vector<Group> groups;
  add_group(files, groups);
  if (const Table* table = files.table()) {
    for (const Value& item : table->items) add_group(item, groups);
  }
  return groups;
}

Location line_of(const Group& group, const std::string& pattern, const Location& where) {
  const auto found = std::find(group.include.begin(), group.include.end(), pattern);
  const auto at = static_cast<std::size_t>(found - group.include.begin());
  const int line = at < group.lines.size() ? group.lines[at] : group.lines.front();
  return {where.file, line != 0 ? line : where.line};
}

std::string unescaped(std::string_view pattern) {
  std::string path;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    path += pattern[i];
  }
  return path;
}

// The first folder on the way to what a pattern names, itself included, that is a link; "" when there is
// none.
std::string linked_folder(FileSystem& files, const std::string& top, const std::string& path) {
  for (std::size_t end = 0; end != path.npos && !path.empty();) {
    end = path.find('/', end + 1);
    const std::string folder = path_join(top, path.substr(0, end));
    const Result<Stat> itself = files.look(folder);
    const Result<Stat> target = files.look(folder, Links::kFollow);
    const bool leads_to_folder = target && target->is(FileKind::kFolder);
    if (itself && itself->is(FileKind::kLink) && leads_to_folder) return path.substr(0, end);
    if (!leads_to_folder) break;
  }
  return "";
}

std::string elsewhere_hint(const std::string& folder) {
  return cat("`url = \"dir:", folder, "\"` takes what lies there, in place of `files`");
}

Error unmatched(Host& host, const FileSetRequest& request, const std::string& top, bool is_plain,
                const std::string& pattern) {
  const auto parsed = PathPattern::parse(pattern);
  const std::string link = linked_folder(host.files, top,
                                         !parsed                ? ""
                                         : parsed->is_literal() ? parsed->path()
                                                                : parsed->root());
  if (!link.empty())
    return user_error(cat(quoted(link), " is a link to a folder, and those are not entered"),
                      request.knows_url ? elsewhere_hint(path_join(request.folder, link))
                                        : std::string("Name the files where the link leads to"));
  if (!is_plain) {
    return user_error(cat("Pattern ", quoted(pattern), " matches no file"),
                      "Correct it, or write `glob { \"...\", allow_empty = true }` when that is fine");
  }
  const std::string path = unescaped(pattern);
  const Result<Stat> stat = host.files.look(path_join(top, path), Links::kFollow);
  if (stat && stat->is(FileKind::kFolder))
    return user_error(cat(quoted(path), " is a folder"),
                      cat("Write `glob \"", path, "/**\"` for all that is in it"));
  const bool wild = path.find_first_of("*?[{") != std::string::npos;
  return user_error(cat("There is no file ", quoted(path)),
                    wild ? cat("A pattern is written `glob \"", path, "\"`")
                         : std::string("Paths are from the project's folder"));
}

Error all_of(std::vector<Error> errors) {
  Error first = std::move(errors.front());
  first.beside.assign(std::make_move_iterator(errors.begin() + 1), std::make_move_iterator(errors.end()));
  return first;
}

// The folder that an absolute pattern, or one that climbs out, starts from.
std::string outside_folder(const FileSetRequest& request, std::string pattern) {
  pattern.resize(std::min(pattern.find_first_of("*?[{"), pattern.size()));
  if (!pattern.ends_with('/')) pattern = path_folder(pattern);
  while (pattern.size() > 1 && pattern.ends_with('/')) pattern.pop_back();
  const std::string folder = path_join(request.folder, pattern);
  return path_clean(folder).value_or(folder);
}

bool leads_out(const std::string& pattern) {
  const std::vector<std::string> names = split(pattern, '/');
  return pattern.starts_with('/') || std::find(names.begin(), names.end(), "..") != names.end();
}

Result<void> check_patterns(const FileSetRequest& request) {
  std::vector<Error> wrong;
  for (const Group& group : groups_of(*request.files)) {
    for (const auto* patterns : {&group.include, &group.exclude}) {
      for (const std::string& pattern : *patterns) {
        auto parsed = PathPattern::parse(pattern);
        if (parsed) continue;
        wrong.push_back(std::move(parsed).error().at(line_of(group, pattern, request.where)));
        if (request.knows_url && leads_out(pattern))
          wrong.back().hint = elsewhere_hint(outside_folder(request, unescaped(pattern)));
      }
    }
  }
  for (const std::string& pattern : request.exclude) {
    auto parsed = PathPattern::parse(pattern);
    if (!parsed) wrong.push_back(std::move(parsed).error().at(request.where));
  }
  return wrong.empty() ? Result<void>() : fail(all_of(std::move(wrong)));
}

std::string common_folder(const std::string& a, const std::string& b) {
  std::size_t end = 0;
  for (std::size_t i = 0;; ++i) {
    const bool a_ends = i == a.size() || a[i] == '/';
    const bool b_ends = i == b.size() || b[i] == '/';
    if (a_ends && b_ends) end = i;
    if (i == a.size() || i == b.size() || a[i] != b[i]) break;
  }
  return a.substr(0, end);
}

// A pattern is of a path; who writes it as in a .gitignore means a name, wherever it is.
void tell_of_names(const FileSetRequest& request, const std::vector<WalkedFile>& files,
                   std::vector<std::string>& notes) {
  for (const std::string& text : request.exclude) {
    const Result<PathPattern> pattern = PathPattern::parse(text);
    if (!pattern || text.find('*') == text.npos || text.find('/') != text.npos) continue;
    const auto meant = std::find_if(files.begin(), files.end(), [&](const WalkedFile& file) {
      return pattern->matches(path_name(file.path));
    });
    if (meant != files.end())
      notes.push_back(cat("`exclude` ", quoted(text), " is of the project's folder alone and leaves ",
                          quoted(meant->path), " in; ", quoted(cat("**/", text)), " is of all folders"));
  }
}

}  // namespace

Result<std::string> shared_root(const Value& files) {
  std::optional<std::string> root;
  for (const Group& group : groups_of(files)) {
    for (const std::string& text : group.include) {
      TRY_ASSIGN(const PathPattern pattern, PathPattern::parse(text));
      root = root ? common_folder(*root, pattern.root()) : pattern.root();
    }
  }
  return root.value_or("");
}

struct FileSets::Gathered {
  std::vector<WalkedFile> files;
  std::vector<std::string> folders;
  Looks looks;
  std::vector<std::string> notes;
};

FileSets::FileSets(Host& host, const Workspace& workspace, FileDigests& digests)
    : host_(host), workspace_(workspace), digests_(digests) {}

Result<const IgnoreRules*> FileSets::ignore_rules(const std::string& folder) {
  std::lock_guard lock(mutex_);
  const auto found = ignores_.find(folder);
  if (found != ignores_.end()) return found->second.get();
  TRY_ASSIGN(std::unique_ptr<IgnoreRules> rules, IgnoreRules::of(host_.files, workspace_.path(folder)));
  return (ignores_[folder] = std::move(rules)).get();
}

void FileSets::look_at_ignore_files(const std::string& folder, const IgnoreRules& rules,
                                    const std::vector<std::string>& folders, Looks& looks) {
  const auto add = [&](const std::string& path) {
    if (const Result<Stat> stat = host_.files.look(path_join(workspace_.root, path), Links::kFollow)) {
      looks.files.push_back({path, *stat, std::nullopt, Links::kFollow});
    }
  };
  for (const std::string& walked : folders) add(path_join(path_join(folder, walked), ".gitignore"));
  // From the project's folder up to the top of the work tree.
  for (std::string at = workspace_.path(folder); path_below(at, rules.worktree()); at = path_folder(at)) {
    const std::string file = path_join(at, ".gitignore");
    add(path_below(file, workspace_.root).value_or(file));
    if (at == rules.worktree()) break;
  }
  for (const std::string& source : rules.sources()) add(path_below(source, workspace_.root).value_or(source));
  if (const std::optional<IgnoreRules::Index> index = rules.index()) {
    looks.files.push_back({path_below(index->path, workspace_.root).value_or(index->path), index->stat,
                           std::nullopt, Links::kFollow});
  }
}

// A repository that appears, here or above, ignores files from then on; and git looks for its own settings
// below these.
void FileSets::look_for_repositories(const std::string& folder, const IgnoreRules* rules, Looks& looks) {
  for (const char* name : {"HOME", "XDG_CONFIG_HOME"}) looks.add_variable(name, host_.environment.get(name));
  const std::string end = rules != nullptr ? rules->worktree() : std::string("/");
  for (std::string at = workspace_.path(folder); !at.empty() && at != end; at = path_folder(at)) {
    const std::string path = path_join(at, ".git");
    looks.files.push_back({path_below(path, workspace_.root).value_or(path), Stat{}});
  }
  if (rules == nullptr) looks.files.push_back({"/.git", Stat{}});
}

// A project that begins in a folder above what a pattern names takes that away from this one. Folders that
// were listed say so themselves.
void FileSets::look_for_boundaries(const FileSetRequest& request, const std::vector<std::string>& patterns,
                                   Looks& looks) {
  std::string last = "/";
  for (const std::string& text : patterns) {
    const Result<PathPattern> pattern = PathPattern::parse(text);
    if (!pattern || pattern->root() == last) continue;
    last = pattern->root();
    for (std::string at = last; !at.empty(); at = path_folder(at)) {
      const std::string file = path_join(path_join(request.folder, at), "TRAINFILE.lua");
      if (const Result<Stat> stat = host_.files.look(workspace_.path(file)))
        looks.files.push_back({file, *stat});
    }
  }
}

Result<FileSets::Gathered> FileSets::gather(const FileSetRequest& request, const IgnoreRules* ignore) {
  Gathered all;
  const std::string top = workspace_.path(request.folder);
  std::vector<Error> wrong;
  for (const Group& group : groups_of(*request.files)) {
    std::vector<std::string> exclude = group.exclude;
    if (!group.plain) exclude.insert(exclude.end(), request.exclude.begin(), request.exclude.end());
    WalkRequest walking{top,           group.include, std::move(exclude), "TRAINFILE.lua",
                        request.links, ignore,        workspace_.cache,   request.empty_folders};
    Result<Walked> walked = walk(host_.files, walking);
    if (!walked) {
      Error error = std::move(walked).error();
      if (!error.where.known()) error.where = line_of(group, group.include.front(), request.where);
      return fail(std::move(error));
    }
    for (const std::string& pattern : walked->unmatched) {
      if (!group.allow_empty)
        wrong.push_back(
            unmatched(host_, request, top, group.plain, pattern).at(line_of(group, pattern, request.where)));
    }
    for (const auto& [folder, stat] : walked->folders) {
      all.looks.folders.push_back({path_join(request.folder, folder), stat});
      all.folders.push_back(folder);
    }
    look_for_boundaries(request, group.include, all.looks);
    for (const std::string& pattern : walked->unmatched) {  // what is allowed to be missing may appear
      const std::string path = group.plain ? unescaped(pattern) : PathPattern::parse(pattern)->root();
      if (const Result<Stat> stat = host_.files.look(path_join(top, path));
          stat && !stat->is(FileKind::kFolder)) {
        all.looks.files.push_back({path_join(request.folder, path), *stat});
      }
    }
    for (const std::string& link : walked->folder_links)
      all.notes.push_back(
          cat(quoted(path_join(request.folder, link)), " is a link to a folder and was not entered"));
    for (const std::string& path : walked->special)
      all.notes.push_back(
          cat(quoted(path_join(request.folder, path)), " is no regular file and was left out"));
    if (all.files.empty())
      all.files = std::move(walked->files);
    else
      all.files.insert(all.files.end(), std::make_move_iterator(walked->files.begin()),
                       std::make_move_iterator(walked->files.end()));
  }
  if (!wrong.empty()) return fail(all_of(std::move(wrong)));
  tell_of_names(request, all.files, all.notes);
  const auto by_path = [](const WalkedFile& a, const WalkedFile& b) { return a.path < b.path; };
  if (!std::is_sorted(all.files.begin(), all.files.end(), by_path))
    std::stable_sort(all.files.begin(), all.files.end(), by_path);
  all.files.erase(std::unique(all.files.begin(), all.files.end(),
                              [](const WalkedFile& a, const WalkedFile& b) { return a.path == b.path; }),
                  all.files.end());
  return all;
}

Result<FileSet> FileSets::read(const FileSetRequest& request) {
  TRY(check_patterns(request));
  const IgnoreRules* ignore = nullptr;
  if (request.gitignore) {
    TRY_ASSIGN(ignore, ignore_rules(request.folder));
  }
  const std::optional<std::string> dest = path_clean(request.dest);
  if (!dest || dest->starts_with('/'))
    return fail(user_error(cat("`dest` ", quoted(request.dest), " is no folder to put keys under"),
                           "Write it as `app/src`: no first slash, no `..`")
                    .at(request.where));
  std::string root;
  if (request.root) {
    const std::optional<std::string> clean = path_clean(*request.root);
    if (!clean)
      return fail(
          user_error(cat("`root` ", quoted(*request.root), " leads out of the project")).at(request.where));
    root = *clean;
  } else {
    TRY_ASSIGN(root, shared_root(*request.files));
  }
  for (int attempt = 1;; ++attempt) {
    const std::int64_t looked_at = host_.clock.now_ns();
    TRY_ASSIGN(Gathered found, gather(request, ignore));
    TRY_ASSIGN(FileDigests::Digested digested, digests_.digest(request.folder, found.files, looked_at));
    if (!digested.unsteady.empty()) {
      if (attempt < kTries) continue;
      return fail(step_error(cat(quoted(path_join(request.folder, digested.unsteady.front())),
                                 " changes while it is read"),
                             "Run again when nothing writes to it")
                      .at(request.where));
    }
    FileSet set{{}, {}, std::move(found.looks), std::move(digested.keys), std::move(found.notes)};
    if (request.gitignore) look_for_repositories(request.folder, ignore, set.looks);
    if (ignore != nullptr) look_at_ignore_files(request.folder, *ignore, found.folders, set.looks);
    set.files.reserve(found.files.size());
    set.paths.reserve(found.files.size());
    set.looks.files.reserve(set.looks.files.size() + found.files.size());
    for (std::size_t i = 0; i < found.files.size(); ++i) {
      WalkedFile& file = found.files[i];
      const std::optional<std::string> key =
          root.empty() ? std::optional<std::string>(file.path) : path_below(file.path, root);
      const bool is_folder = file.stat.is(FileKind::kFolder);
      if (is_folder && key && key->empty()) continue;  // all of the set's: it is there in any case
      if (!key || key->empty()) {
        return fail(user_error(cat(quoted(file.path), " does not lie below `root` ", quoted(root)),
                               "Every file's key is its path from there")
                        .at(request.where));
      }
      if (is_folder) {
        set.files.push_back({path_join(*dest, *key), "", "", 0, 0755U, digested.digests[i], {}});
        set.paths.push_back(std::move(file.path));
        continue;
      }
      std::string from_root = path_join(request.folder, file.path);
      const bool executable = (file.stat.mode & 0100U) != 0;
      set.looks.files.push_back({from_root, file.stat, std::nullopt, request.links});
      set.files.push_back({path_join(*dest, *key),
                           std::move(from_root),
                           std::move(file.link_target),
                           file.stat.size,
                           executable ? 0755U : 0644U,
                           digested.digests[i],
                           {}});
      set.paths.push_back(std::move(file.path));
    }
    return set;
  }
}

Result<Listing> FileSets::store(Listing files, Blobs& blobs, const std::stop_token& stop) {
  for (ListedFile& file : files) {
    if (!file.link_target.empty()) continue;
    TRY_ASSIGN(const Blobs::Stored stored, blobs.put_file(workspace_.path(file.source), stop));
    if (stored.content != file.content)
      return fail(step_error(cat(quoted(file.source), " changed while it was read"),
                             "Run again: nothing was recorded"));
    file.sha256 = stored.sha256;
    file.source.clear();
  }
  return files;
}

}  // namespace trainmake
