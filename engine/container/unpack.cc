#include "engine/container/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <locale.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "engine/base/descriptor.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 18U;
constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";

using Archive = std::unique_ptr<archive, int (*)(archive*)>;

Error damaged(std::string_view why) {
  return step_error(cat("The layer cannot be unpacked: ", why)).because(Blame::kRemote);
}

// Names of a tar are UTF-8, whatever the locale of whoever runs us.
class Utf8Names {
 public:
  Utf8Names() : locale_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)), before_(uselocale(locale_)) {}
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;
  ~Utf8Names() {
    uselocale(before_);
    if (locale_ != nullptr) freelocale(locale_);
  }

 private:
  locale_t locale_, before_;
};

// The bytes of the blob, decompressed, hashed and counted on their way to the reader of tars.
class Plain {
 public:
  Plain(FileReader& blob, const UnpackLimits& limits, const std::stop_token& stop)
      : blob_(blob), limits_(limits), stop_(stop), archive_(archive_read_new(), archive_read_free) {
    archive_read_support_format_raw(archive_.get());
    archive_read_support_filter_gzip(archive_.get());
    archive_read_support_filter_zstd(archive_.get());
  }

  Result<void> open() {
    archive_entry* entry = nullptr;
    const auto read = [](archive*, void* self, const void** bytes) {
      return static_cast<Plain*>(self)->compressed(bytes);
    };
    if (archive_read_open(archive_.get(), this, nullptr, read, nullptr) != ARCHIVE_OK ||
        archive_read_next_header(archive_.get(), &entry) != ARCHIVE_OK)
      return fail(error());
    // What is compressed twice is a tar to this library, and to nobody else.
    constexpr int kOnce = 2;  // the bytes themselves count as one
    if (archive_filter_count(archive_.get()) > kOnce) return fail(damaged("it is compressed more than once"));
    return {};
  }

  la_ssize_t next(const void** bytes) {
    const la_ssize_t count = archive_read_data(archive_.get(), plain_.data(), plain_.size());
    if (count < 0) {
      failed_ = error();
      return -1;
    }
    total_ += static_cast<std::uint64_t>(count);
    if (total_ > limits_.bytes) {
      failed_ = damaged(cat("it grows beyond ", human_bytes(limits_.bytes)));
      return -1;
    }
    hasher_.raw({plain_.data(), static_cast<std::size_t>(count)});
    *bytes = plain_.data();
    return count;
  }

  // What follows the tar's end counts too.
  Result<Sha256> digest() {
    const void* bytes = nullptr;
    for (la_ssize_t count = 1; count != 0;) {
      count = next(&bytes);
      if (count < 0) return fail(*failed_);
    }
    return hasher_.finish();
  }

  std::optional<Error> failed() const { return failed_; }

 private:
  la_ssize_t compressed(const void** bytes) {
    Result<std::size_t> count =
        stop_.stop_requested() ? Result<std::size_t>(fail(interrupted_error())) : blob_.read(compressed_);
    if (!count) {
      failed_ = std::move(count).error();
      archive_set_error(archive_.get(), EIO, "it cannot be read");
      return -1;
    }
    *bytes = compressed_.data();
    return static_cast<la_ssize_t>(*count);
  }

  Error error() const {
    const char* why = archive_error_string(archive_.get());
    return failed_ ? *failed_ : damaged(printable(why == nullptr ? "it is damaged" : why));
  }

  FileReader& blob_;
  const UnpackLimits& limits_;
  std::stop_token stop_;
  Archive archive_;
  Sha256Hasher hasher_;
  std::uint64_t total_ = 0;
  std::optional<Error> failed_;
  std::vector<char> compressed_ = std::vector<char>(kPiece), plain_ = std::vector<char>(kPiece);
};

struct Place {
  Descriptor folder;
  std::string name;
};

// Folders get their modes and times when nothing is put into them any more.
struct MadeFolder {
  std::string path;
  ino_t inode;
  mode_t mode;
  timespec time;
};

class Unpacker {
 public:
  Unpacker(Descriptor root, const UnpackLimits& limits) : root_(std::move(root)), limits_(limits) {}

  Result<void> entry(archive* reader, archive_entry* entry) {
    const char* raw = archive_entry_pathname(entry);
    if (raw == nullptr || *raw == '\0') return fail(damaged("it has an entry without a name"));
    TRY_ASSIGN(const std::string path, within(raw));
    if (++entries_ > limits_.entries)
      return fail(damaged(cat("it has more than ", plural(limits_.entries, "entry"))));
    if (path.empty()) return folder_itself(entry);
    TRY_ASSIGN(const Place place, place_of(path));
    const std::string_view name = place.name;
    if (name.starts_with(kWhiteout)) return whiteout(place, path);
    if (const char* target = archive_entry_hardlink(entry)) return hard_link(place, path, target);
    switch (archive_entry_filetype(entry)) {
      case AE_IFREG:
        return file(place, path, reader, entry);
      case AE_IFDIR:
        return folder(place, path, entry);
      case AE_IFLNK:
        return link(place, path, entry);
      case AE_IFIFO:
        TRY(clear(place, path));
        if (mkfifoat(place.folder.get(), place.name.c_str(), 0600) != 0) return cannot("make", path);
        return attributes(place, path, entry);
      default:
        return {};
    }
  }

  Result<void> finish() {
    std::reverse(folders_.begin(), folders_.end());
    for (const MadeFolder& made : folders_) {
      const Descriptor folder = open_below(made.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      struct stat found {};
      if (!folder || fstat(folder.get(), &found) != 0 || found.st_ino != made.inode)
        continue;  // something else came in its place
      const timespec times[2] = {{0, UTIME_OMIT}, made.time};
      if (futimens(folder.get(), times) != 0 || fchmod(folder.get(), made.mode) != 0)
        return cannot("finish", made.path);
    }
    return {};
  }

  std::set<std::string> implied() const { return implied_; }

 private:
  static Failure cannot(const char* what, const std::string& path) {
    return fail(system_error(cat("Cannot ", what, " in the layer's folder"), path, errno));
  }

  // As a path below the root; refuses what climbs. Absolute ones begin at the root, as every runtime has it.
  static Result<std::string> within(std::string_view raw) {
    while (raw.starts_with('/')) raw.remove_prefix(1);
    for (const std::string& part : split(raw, '/')) {
      if (part == "..") return fail(damaged(cat(quoted(raw), " leads out of it")));
    }
    const std::optional<std::string> clean = path_clean(raw);
    if (!clean) return fail(damaged(cat(quoted(raw), " leads out of it")));
    return *clean;
  }

  // Links on the way are followed, and never lead out.
  Descriptor open_below(const std::string& path, int flags) const {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const char* name = path.empty() ? "." : path.c_str();
    return Descriptor(
        static_cast<int>(retried([&] { return syscall(SYS_openat2, root_.get(), name, &how, sizeof how); })));
  }

  // Its folder, made with those above it when the layer did not list them.
  Result<Place> place_of(const std::string& path) {
    const std::string above(path_folder(path));
    Descriptor folder = open_below(above, O_PATH | O_DIRECTORY);
    if (!folder && errno == ENOENT) {
      TRY_ASSIGN(const Place place, place_of(above));
      TRY(make_folder(place, above));
      implied_.insert(above);
      folder = open_below(above, O_PATH | O_DIRECTORY);
    }
    if (!folder && errno == ENOSYS)
      return fail(step_error("This kernel has no openat2, without which layers cannot be unpacked safely",
                             "Linux 5.6 and later have it"));
    if (!folder) return cannot("enter", above);
    return Place{std::move(folder), std::string(path_name(path))};
  }

  // What an earlier entry of the same name left goes.
  static Result<void> clear(const Place& place, const std::string& path) {
    if (unlinkat(place.folder.get(), place.name.c_str(), 0) == 0 || errno == ENOENT) return {};
    if (errno == EISDIR && unlinkat(place.folder.get(), place.name.c_str(), AT_REMOVEDIR) == 0) return {};
    if (errno == ENOTEMPTY) return fail(damaged(cat(quoted(path), " is in it as a folder and as a file")));
    return cannot("replace", path);
  }

  static std::optional<struct stat> look(const Place& place) {
    struct stat found {};
    if (fstatat(place.folder.get(), place.name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0)
      return std::nullopt;
    return found;
  }

  static bool is_whiteout(const struct stat& found) { return S_ISCHR(found.st_mode) && found.st_rdev == 0; }

  static Descriptor open_at(const Place& place, int flags) {
    return Descriptor(
        openat(place.folder.get(), place.name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600));
  }

  static Result<void> make_opaque(const Descriptor& folder, const std::string& path) {
    if (folder && fsetxattr(folder.get(), opaque_attribute(), "y", 1, 0) == 0) return {};
    return cannot("hide what is below", path);
  }

  static Result<void> whiteout(const Place& place, const std::string& path) {
    if (place.name == kOpaque) {
      const Place above{Descriptor(openat(place.folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), ""};
      return make_opaque(above.folder, path);
    }
    if (std::string_view(place.name).starts_with(".wh..wh.")) return {};  // aufs's own
    const std::string name = place.name.substr(kWhiteout.size());
    if (name.empty() || name == "." || name == "..")
      return fail(damaged(cat(quoted(path), " hides nothing that can be")));
    const Place hidden{Descriptor(dup(place.folder.get())), name};
    if (const std::optional<struct stat> found = look(hidden)) {
      // It is of this layer, and hides what is below; so does a folder once it is opaque.
      return S_ISDIR(found->st_mode) ? make_opaque(open_at(hidden, O_RDONLY | O_DIRECTORY), path)
                                     : Result<void>();
    }
    if (mknodat(hidden.folder.get(), name.c_str(), S_IFCHR, makedev(0, 0)) == 0) return {};
    return cannot("hide", path);
  }

  // Fine when there is one; what was hidden under its name before stays hidden.
  static Result<void> make_folder(const Place& place, const std::string& path) {
    const std::optional<struct stat> before = look(place);
    if (before && S_ISDIR(before->st_mode)) return {};
    if (before) TRY(clear(place, path));
    // The same whatever our umask is, and whosever folder this is in.
    if (mkdirat(place.folder.get(), place.name.c_str(), 0755) != 0 ||
        (unpacks_as_root() &&
         fchownat(place.folder.get(), place.name.c_str(), 0, 0, AT_SYMLINK_NOFOLLOW) != 0) ||
        fchmodat(place.folder.get(), place.name.c_str(), 0755, 0) != 0)
      return cannot("make", path);
    return before && is_whiteout(*before) ? make_opaque(open_at(place, O_RDONLY | O_DIRECTORY), path)
                                          : Result<void>();
  }

  Result<void> hard_link(const Place& place, const std::string& path, const char* raw) {
    TRY_ASSIGN(const std::string target, within(raw));
    if (target == path) return {};
    TRY_ASSIGN(const Place from, place_of(target));
    const std::optional<struct stat> found = look(from);
    if (!found || S_ISDIR(found->st_mode) || is_whiteout(*found))
      return fail(
          damaged(cat(quoted(path), " is a hard link to ", quoted(target), ", which is no file of it")));
    TRY(clear(place, path));
    if (linkat(from.folder.get(), from.name.c_str(), place.folder.get(), place.name.c_str(), 0) != 0)
      return cannot("link", path);
    return {};
  }

  Result<void> link(const Place& place, const std::string& path, archive_entry* entry) {
    const char* target = archive_entry_symlink(entry);
    if (target == nullptr || *target == '\0')
      return fail(damaged(cat(quoted(path), " is a link to nothing")));
    TRY(clear(place, path));
    if (symlinkat(target, place.folder.get(), place.name.c_str()) != 0) return cannot("make", path);
    return attributes(place, path, entry);
  }

  Result<void> file(const Place& place, const std::string& path, archive* reader, archive_entry* entry) {
    TRY(clear(place, path));
    const Descriptor out = open_at(place, O_WRONLY | O_CREAT | O_EXCL);
    if (!out) return cannot("make", path);
    const auto size = static_cast<std::uint64_t>(archive_entry_size(entry));
    if (size > limits_.bytes - bytes_)  // a sparse one may be large without a byte in the tar
      return fail(damaged(cat("its files grow beyond ", human_bytes(limits_.bytes))));
    bytes_ += size;
    for (;;) {
      const void* bytes = nullptr;
      std::size_t count = 0;
      la_int64_t offset = 0;
      const int status = archive_read_data_block(reader, &bytes, &count, &offset);
      if (status == ARCHIVE_EOF) break;
      if (status != ARCHIVE_OK) return fail(damaged(cat(quoted(path), " is cut short")));
      for (std::size_t done = 0; done < count;) {
        const ssize_t written = retried([&] {
          return pwrite(out.get(), static_cast<const char*>(bytes) + done, count - done,
                        offset + static_cast<off_t>(done));
        });
        if (written < 0) return cannot("write", path);
        done += static_cast<std::size_t>(written);
      }
    }
    if (ftruncate(out.get(), static_cast<off_t>(size)) != 0) return cannot("write", path);
    return attributes(place, path, entry);
  }

  Result<void> folder(const Place& place, const std::string& path, archive_entry* entry) {
    TRY(make_folder(place, path));
    implied_.erase(path);
    return told_folder(open_at(place, O_RDONLY | O_DIRECTORY), path, entry);
  }

  Result<void> told_folder(const Descriptor& open, const std::string& path, archive_entry* entry) {
    struct stat found {};
    if (!open || fstat(open.get(), &found) != 0) return cannot("open", path);
    // Listed again, it is as the last entry says.
    if (const auto [before, is_new] = told_.try_emplace(found.st_ino, folders_.size()); !is_new)
      folders_[before->second].inode = 0;
    told_[found.st_ino] = folders_.size();
    folders_.push_back({path, found.st_ino, archive_entry_perm(entry), time_of(entry)});
    return owner_and_xattrs(open, path, entry);
  }

  Result<void> folder_itself(archive_entry* entry) {
    if (archive_entry_filetype(entry) != AE_IFDIR) return fail(damaged("its root is no folder"));
    return told_folder(open_below("", O_RDONLY | O_DIRECTORY), "", entry);
  }

  static timespec time_of(archive_entry* entry) {
    return {archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
  }

  static Result<void> owner_and_xattrs(const Descriptor& open, const std::string& path,
                                       archive_entry* entry) {
    if (!open) return cannot("open", path);
    if (unpacks_as_root() && fchown(open.get(), static_cast<uid_t>(archive_entry_uid(entry)),
                                    static_cast<gid_t>(archive_entry_gid(entry))) != 0)
      return cannot("give away", path);
    archive_entry_xattr_reset(entry);
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
      const std::string_view known = name;
      // Overlayfs's own would let a layer point into others.
      const bool user = known.starts_with("user.") && !known.starts_with("user.overlay.");
      if (!user && !(known == "security.capability" && unpacks_as_root())) continue;
      if (fsetxattr(open.get(), name, value, size, 0) != 0 && errno != ENOTSUP)
        return cannot("set an attribute", path);
    }
    return {};
  }

  // Of what is no folder. The mode after the owner, which clears bits of it, and capabilities last.
  static Result<void> attributes(const Place& place, const std::string& path, archive_entry* entry) {
    const bool is_link = archive_entry_filetype(entry) == AE_IFLNK;
    const char* name = place.name.c_str();
    if (unpacks_as_root() && fchownat(place.folder.get(), name, static_cast<uid_t>(archive_entry_uid(entry)),
                                      static_cast<gid_t>(archive_entry_gid(entry)), AT_SYMLINK_NOFOLLOW) != 0)
      return cannot("give away", path);
    if (archive_entry_filetype(entry) == AE_IFREG)
      TRY(owner_and_xattrs(open_at(place, O_RDONLY), path, entry));
    if (!is_link && fchmodat(place.folder.get(), name, archive_entry_perm(entry), 0) != 0)
      return cannot("set the mode", path);
    const timespec times[2] = {{0, UTIME_OMIT}, time_of(entry)};
    if (utimensat(place.folder.get(), name, times, AT_SYMLINK_NOFOLLOW) != 0)
      return cannot("set the time", path);
    return {};
  }

  Descriptor root_;
  const UnpackLimits& limits_;
  std::uint64_t entries_ = 0;
  std::uint64_t bytes_ = 0;
  std::vector<MadeFolder> folders_;
  std::map<ino_t, std::size_t> told_;  // where in folders_
  std::set<std::string> implied_;
};

// A name that is no UTF-8 comes with a warning, and as it is: names are bytes.
bool has_next(archive* reader, archive_entry*& entry, int& status) {
  status = archive_read_next_header(reader, &entry);
  if (status == ARCHIVE_WARN) {
    const char* why = archive_error_string(reader);
    if (why != nullptr && std::string_view(why).find("can't be converted") != std::string_view::npos)
      status = ARCHIVE_OK;
  }
  return status == ARCHIVE_OK;
}

}  // namespace

bool unpacks_as_root() { return geteuid() == 0; }

const char* opaque_attribute() {
  return unpacks_as_root() ? "trusted.overlay.opaque" : "user.overlay.opaque";
}

Result<UnpackedTar> unpack_layer(FileReader& blob, const std::string& folder, const UnpackLimits& limits,
                                 const std::stop_token& stop) {
  const Utf8Names names;
  Plain plain(blob, limits, stop);
  TRY(plain.open());
  Descriptor root(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail(system_error("Cannot open", folder, errno));
  Unpacker unpacker(std::move(root), limits);
  const Archive reader(archive_read_new(), archive_read_free);
  archive_read_support_format_tar(reader.get());
  const auto read = [](archive*, void* from, const void** bytes) {
    return static_cast<Plain*>(from)->next(bytes);
  };
  int status = archive_read_open(reader.get(), &plain, nullptr, read, nullptr);
  archive_entry* entry = nullptr;
  while (status == ARCHIVE_OK && has_next(reader.get(), entry, status)) {
    Result<void> unpacked = unpacker.entry(reader.get(), entry);
    if (!unpacked) return fail(plain.failed() ? *plain.failed() : std::move(unpacked).error());
  }
  if (const std::optional<Error> error = plain.failed()) return fail(*error);
  if (status != ARCHIVE_EOF) {
    const char* why = archive_error_string(reader.get());
    return fail(damaged(printable(why == nullptr ? "it is damaged" : why)));
  }
  TRY(unpacker.finish());
  TRY_ASSIGN(const Sha256 digest, plain.digest());
  return UnpackedTar{digest, unpacker.implied()};
}

}  // namespace trainmake
