#include "rules/image/difference.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "engine/base/file_system.h"
#include "engine/base/text.h"
#include "engine/container/merged.h"
#include "engine/container/unpack.h"
#include "rules/image/secret_search.h"

namespace trainmake {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 18U;
constexpr std::string_view kCapability = "security.capability";

Failure cannot_read(const std::string& path) { return fail(system_error("Cannot read", path, errno)); }

// Capabilities that a user namespace gave name its root; a layer's are everybody's.
std::string capability_for_all(std::string value) {
  constexpr std::size_t kOfOneNamespace = 24;
  if (value.size() != kOfOneNamespace || value[3] != 3) return value;
  value.resize(kOfOneNamespace - 4);
  value[3] = 2;
  return value;
}

// Those that a layer keeps, of a file or a folder.
Result<std::map<std::string, std::string>> xattrs_of(const std::string& path) {
  std::map<std::string, std::string> xattrs;
  std::vector<char> names(std::size_t{64} << 10U);
  const ssize_t size = llistxattr(path.c_str(), names.data(), names.size());
  if (size < 0)
    return errno == ENOTSUP ? xattrs : Result<std::map<std::string, std::string>>(cannot_read(path));
  for (const std::string& name : split({names.data(), static_cast<std::size_t>(size)}, '\0')) {
    const bool user = name.starts_with("user.") && !name.starts_with("user.overlay.");
    if (!user && name != kCapability) continue;
    std::string value(std::size_t{64} << 10U, '\0');
    const ssize_t length = lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (length < 0) return cannot_read(path);
    value.resize(static_cast<std::size_t>(length));
    xattrs[name] = name == kCapability ? capability_for_all(std::move(value)) : std::move(value);
  }
  return xattrs;
}

Result<TarEntry> entry_of(const std::string& source, const std::string& path, const struct stat& stat) {
  TarEntry entry;
  entry.path = path;
  entry.mode = stat.st_mode & 07777U;
  if (unpacks_as_root()) {
    entry.uid = stat.st_uid;
    entry.gid = stat.st_gid;
  }
  if (S_ISLNK(stat.st_mode)) {
    entry.kind = TarEntry::Kind::kLink;
    entry.mode = 0777;
    TRY_ASSIGN(entry.link_target, real_file_system().read_link(source));
    return entry;
  }
  if (S_ISDIR(stat.st_mode))
    entry.kind = TarEntry::Kind::kFolder;
  else
    entry.size = static_cast<std::uint64_t>(stat.st_size);
  TRY_ASSIGN(entry.xattrs, xattrs_of(source));
  return entry;
}

bool alike(const TarEntry& a, const TarEntry& b) {
  return a.kind == b.kind && a.mode == b.mode && a.size == b.size && a.link_target == b.link_target &&
         a.uid == b.uid && a.gid == b.gid && a.xattrs == b.xattrs;
}

Result<bool> same_content(const std::string& one, const std::string& other) {
  TRY_ASSIGN(const std::unique_ptr<FileReader> left, real_file_system().open(one));
  TRY_ASSIGN(const std::unique_ptr<FileReader> right, real_file_system().open(other));
  std::vector<char> a(kPiece), b(kPiece);
  for (;;) {
    TRY_ASSIGN(const std::size_t count, left->read(a));
    if (count == 0) return true;  // they are as long as each other
    for (std::size_t had = 0; had < count;) {
      TRY_ASSIGN(const std::size_t more, right->read({b.data() + had, count - had}));
      if (more == 0) return false;
      had += more;
    }
    if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(count), b.begin())) return false;
  }
}

class Finder {
 public:
  explicit Finder(Difference& difference) : difference_(difference) {}

  // Of a folder that lies at `path` in the image, over `below`.
  Result<void> folder(const std::string& upper, const std::string& path,
                      const std::vector<std::string>& below) {
    TRY_ASSIGN(const std::vector<FolderEntry> entries, real_file_system().list(upper));
    for (const FolderEntry& entry : entries)
      TRY(one(path_join(upper, entry.name), path_join(path, entry.name), find_merged(below, entry.name)));
    return {};
  }

 private:
  Result<void> one(const std::string& source, const std::string& path,
                   const std::optional<MergedEntry>& below) {
    struct stat stat {};
    if (lstat(source.c_str(), &stat) != 0) return cannot_read(source);
    if (is_whiteout(stat)) {
      if (below) hide(path_join(path_folder(path), cat(".wh.", path_name(path))));
      return {};
    }
    if (path_name(path).starts_with(".wh."))
      return fail(step_error(cat("The step made ", quoted(cat("/", path)),
                                 ", and in a layer a name that begins with `.wh.` deletes what is below"),
                             "Have it remove that, or call it otherwise"));
    const bool regular = S_ISREG(stat.st_mode);
    if (!regular && !S_ISDIR(stat.st_mode) && !S_ISLNK(stat.st_mode)) {
      difference_.left_out.push_back(path);
      return {};
    }
    TRY_ASSIGN(TarEntry entry, entry_of(source, path, stat));
    // Their owner may read them now, who may not have been allowed to.
    if (!S_ISLNK(stat.st_mode) && !unpacks_as_root())
      chmod(source.c_str(), regular ? 0600 : 0700);  // if it fails, reading it says so
    if (S_ISDIR(stat.st_mode)) return inner_folder(source, std::move(entry), below);
    if (regular && stat.st_nlink > 1) {
      const auto [first, is_new] = linked_.emplace(std::pair(stat.st_dev, stat.st_ino), entry);
      if (!is_new) {
        TarEntry link = first->second;  // its mode is no longer there to be read
        link.kind = TarEntry::Kind::kHardLink;
        link.link_target = std::exchange(link.path, path);
        link.size = 0;
        link.xattrs.clear();
        difference_.changes.push_back({std::move(link)});
        return {};
      }
    } else if (below && !below->is_folder()) {
      TRY_ASSIGN(const bool same, as_below(entry, source, *below));
      if (same) return {};
    }
    difference_.changes.push_back({std::move(entry), regular ? source : ""});
    return {};
  }

  Result<bool> as_below(const TarEntry& entry, const std::string& source, const MergedEntry& below) {
    if ((below.stat.st_mode & S_IFMT) != (entry.kind == TarEntry::Kind::kFile ? S_IFREG : S_IFLNK))
      return false;
    TRY_ASSIGN(const TarEntry before, entry_of(below.path, entry.path, below.stat));
    if (!alike(entry, before)) return false;
    return entry.kind == TarEntry::Kind::kFile ? same_content(source, below.path) : true;
  }

  // A folder goes before what is in it, and is left out when neither it nor that changed.
  Result<void> inner_folder(const std::string& source, TarEntry entry,
                            const std::optional<MergedEntry>& below) {
    const std::string path = entry.path;
    const bool merges = below && below->is_folder() && !is_opaque(source);
    bool changed = true;
    if (merges) {
      TRY_ASSIGN(const TarEntry before, entry_of(below->path, path, below->stat));
      changed = !alike(entry, before);
    }
    const std::size_t at = difference_.changes.size();
    difference_.changes.push_back({std::move(entry)});
    if (below && !merges) hide(below->is_folder() ? path_join(path, ".wh..wh..opq") : "");
    TRY(folder(source, path, merges ? below->folders : std::vector<std::string>()));
    if (!changed && difference_.changes.size() == at + 1) difference_.changes.pop_back();
    return {};
  }

  void hide(const std::string& path) {
    if (path.empty()) return;  // what is no folder is hidden by one anyway
    TarEntry whiteout;
    whiteout.path = path;
    difference_.changes.push_back({std::move(whiteout)});
  }

  Difference& difference_;
  std::map<std::pair<dev_t, ino_t>, TarEntry> linked_;  // the first of each
};

Error told_by(const std::string& path, const std::string& name) {
  return step_error(cat("The value of secret ", quoted(name), " stands in ", quoted(cat("/", path)),
                        ", which the step left in the image"),
                    cat("Have the step remove it, or write it below /run, which is in no layer"));
}

Result<void> check_entry(const TarEntry& entry, SecretSearch& search) {
  const auto check = [&](std::string_view text) -> Result<void> {
    search.begin();
    const std::string name = search.add(text);
    if (name.empty()) return {};
    return fail(told_by(entry.path, name));
  };
  TRY(check(entry.path));
  TRY(check(entry.link_target));
  for (const auto& [key, value] : entry.xattrs) TRY(check(value));
  return {};
}

}  // namespace

Result<Difference> find_difference(const std::string& upper, const std::vector<std::string>& layers) {
  Difference difference;
  TRY(Finder(difference).folder(upper, "", layers));
  return difference;
}

Result<void> write_difference(const Difference& difference, const Secrets& secrets, const ByteSink& sink,
                              const std::stop_token& stop) {
  TarWriter tar(sink);
  SecretSearch search(secrets);
  for (const Change& change : difference.changes) {
    TRY(check_entry(change.entry, search));
    TRY(tar.entry(change.entry));
    if (change.source.empty()) continue;
    search.begin();
    TRY(read_pieces(real_file_system(), change.source, stop, [&](std::string_view bytes) -> Result<void> {
      if (const std::string name = search.add(bytes); !name.empty())
        return fail(told_by(change.entry.path, name));
      return tar.content(bytes);
    }));
  }
  return tar.finish();
}

}  // namespace trainmake
