#include "engine/container/container.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/hash.h"
#include "engine/base/text.h"
#include "engine/container/merged.h"
#include "engine/container/unpack.h"
#include "engine/container/user.h"

namespace trainmake {
namespace {

constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr const char* kHosts = "127.0.0.1\tlocalhost\n::1\tlocalhost\n";
constexpr std::size_t kMostLayers = 498;  // of overlayfs, with the skeleton and what is changed

// Its folders below `scratch`.
struct Places {
  std::string layers;    // links to the layers with short names, `0` on top: options are one page long
  std::string skeleton;  // below all layers: what must be there to be mounted on
  std::string upper, work, root, memory, hosts;

  explicit Places(const std::string& scratch)
      : layers(path_join(scratch, "layers")),
        skeleton(path_join(scratch, "skeleton")),
        upper(path_join(scratch, "upper")),
        work(path_join(scratch, "work")),
        root(path_join(scratch, "root")),
        memory(path_join(scratch, "memory")),
        hosts(path_join(scratch, "hosts")) {}
};

enum class PlaceKind : std::uint8_t { kFolder, kFile };

Error circular(const std::string& path) {
  return step_error(cat("Links of the image go round in circles: ", quoted(path)));
}

// As one of the image: whoever makes it, with whatever umask and below whosever folder.
Result<void> make_roots_folder(FileSystem& files, const std::string& path, unsigned mode) {
  TRY(files.make_folder(path));
  if (unpacks_as_root() && chown(path.c_str(), 0, 0) != 0)
    return fail(system_error("Cannot own", path, errno));
  if (chmod(path.c_str(), mode) != 0) return fail(system_error("Cannot set the mode of", path, errno));
  return {};
}

// Where `path` leads in the layers. What is missing there is made in the skeleton.
Result<std::string> have_place(FileSystem& files, const std::vector<std::string>& layers,
                               const Places& places, const std::string& path, PlaceKind kind) {
  const std::optional<MergedPath> found = follow_merged(layers, path);
  if (!found) return fail(circular(path));
  if (found->entry) return found->path;
  const std::string below = found->path.substr(1);
  for (std::size_t slash = below.find('/'); slash != below.npos; slash = below.find('/', slash + 1))
    TRY(make_roots_folder(files, path_join(places.skeleton, below.substr(0, slash)), 0755));
  const std::string there = path_join(places.skeleton, below);
  if (kind == PlaceKind::kFile)
    TRY(write_file(files, there, ""));
  else if (!below.empty())
    TRY(make_roots_folder(files, there, below == "tmp" ? 01777 : 0755));
  return found->path;
}

Result<std::string> file_of(FileSystem& files, const std::vector<std::string>& layers, const char* path) {
  const std::optional<MergedPath> found = follow_merged(layers, path);
  if (!found || !found->entry || !S_ISREG(found->entry->stat.st_mode)) return std::string();
  return read_file(files, found->entry->path, std::uint64_t{16} << 20U);
}

Result<void> check_program(const std::vector<std::string>& layers, const std::string& program) {
  const std::optional<MergedPath> found = follow_merged(layers, program);
  if (found && found->entry && (found->entry->stat.st_mode & 0111U) != 0 && !found->entry->is_folder())
    return {};
  return fail(
      step_error(cat("The image has no ", quoted(program), " to run a command with"),
                 "Build it on a base that has a shell; if it has one, `--force` unpacks its layers anew"));
}

Result<ContainerSpec> specify(FileSystem& files, const ContainerRequest& request, const Places& places) {
  const std::vector<std::string>& layers = request.layers;
  TRY(check_program(layers, request.arguments.front()));
  TRY_ASSIGN(const std::string passwd, file_of(files, layers, "/etc/passwd"));
  TRY_ASSIGN(const std::string group, file_of(files, layers, "/etc/group"));
  TRY_ASSIGN(const ImageUser user, find_user(request.user, passwd, group));
  if (user.ids.uid != 0 && !unpacks_as_root())
    return fail(step_error(cat("The image runs as ", quoted(request.user),
                               ", and without root a command can be run as root of its own container alone"),
                           "Run trainmake as root, or build on a base whose user is root"));
  ContainerSpec spec{places.root, request.arguments, request.environment, {}, user.ids, {}};
  spec.environment.emplace("PATH", kPath);
  spec.environment.emplace("HOME", user.home);
  for (const std::string& folder : folders_mounted_on())
    TRY(have_place(files, layers, places, folder, PlaceKind::kFolder));
  TRY_ASSIGN(spec.folder, have_place(files, layers, places, request.folder.empty() ? "/" : request.folder,
                                     PlaceKind::kFolder));
  TRY(have_place(files, layers, places, "/tmp", PlaceKind::kFolder));
  TRY(write_file(files, places.hosts, kHosts));
  std::vector<ContainerMount> mounts = request.mounts;
  mounts.push_back({places.hosts, "/etc/hosts"});
  if (request.network) mounts.push_back({"/etc/resolv.conf", "/etc/resolv.conf"});
  for (const ContainerMount& mount : mounts) {
    TRY_ASSIGN(const Stat source, files.look(mount.source, Links::kFollow));
    if (!source.exists()) continue;
    const PlaceKind kind = source.is(FileKind::kFolder) ? PlaceKind::kFolder : PlaceKind::kFile;
    TRY_ASSIGN(std::string at, have_place(files, layers, places, mount.at, kind));
    spec.mounts.push_back({mount.source, std::move(at)});
  }
  for (const auto& [name, value] : request.secrets) {
    spec.environment[name] = value;
    spec.mounts.push_back({path_join(places.memory, cat("secret-", name)), cat("/run/secrets/", name)});
  }
  return spec;
}

Result<Enclosure> overlay_of(FileSystem& files, const ContainerRequest& request, const Places& places) {
  if (request.layers.size() > kMostLayers)
    return fail(step_error(cat("The image has ", plural(request.layers.size(), "layer"), ", and at most ",
                               kMostLayers, " can lie one above the other")));
  for (const std::string& folder : {places.layers, places.work, places.root, places.memory})
    TRY(files.make_folder(folder));
  // What is changed may be anybody's to run as somebody else, in there.
  if (chmod(request.scratch.c_str(), 0700) != 0)
    return fail(system_error("Cannot set the mode of", request.scratch, errno));
  for (const std::string& folder : {places.skeleton, places.upper})
    TRY(make_roots_folder(files, folder, 0755));
  Enclosure enclosure{places.memory, {}, "", places.root, places.layers, "lowerdir=", request.network};
  for (std::size_t i = 0; i < request.layers.size(); ++i) {
    TRY(files.make_link(request.layers[i], path_join(places.layers, cat(i))));
    enclosure.overlay += cat(i, ":");
  }
  enclosure.overlay += "../skeleton,upperdir=../upper,workdir=../work";
  // Folders that are renamed are copied: what is changed stays readable by itself.
  enclosure.overlay += unpacks_as_root() ? ",redirect_dir=off,metacopy=off,index=off" : ",userxattr";
  return enclosure;
}

std::vector<std::string> words_of(const Runtime& runtime, const ContainerSpec& spec, const Places& places,
                                  const std::string& name) {
  const std::string state = path_join(places.memory, "state");
  std::vector<std::string> words = {runtime.program};
  switch (runtime.kind) {
    case Runtime::Kind::kCrun:
      words.insert(words.end(),
                   {"--cgroup-manager=disabled", "--root", state, "run", "--bundle", places.memory, name});
      break;
    case Runtime::Kind::kRunc:
      words.insert(words.end(), {"--root", state, "run", "--bundle", places.memory, name});
      break;
    case Runtime::Kind::kBubblewrap:
      words.insert(words.end(), {"--args", cat(kHandedOver), "--"});
      words.insert(words.end(), spec.arguments.begin(), spec.arguments.end());
      break;
  }
  return words;
}

}  // namespace

Result<Child> start_container(FileSystem& files, const Runtime& runtime, const ContainerRequest& request) {
  const Places places(request.scratch);
  TRY_ASSIGN(Enclosure enclosure, overlay_of(files, request, places));
  TRY_ASSIGN(const ContainerSpec spec, specify(files, request, places));
  const bool is_bubblewrap = runtime.kind == Runtime::Kind::kBubblewrap;
  if (is_bubblewrap && spec.user != ContainerUser())
    return fail(step_error(
        cat("bubblewrap cannot run a command as ", quoted(request.user), ", the user of the image"),
        "Install crun or runc"));
  // In memory alone, for they may hold secrets.
  for (const auto& [name, value] : request.secrets) enclosure.files[cat("secret-", name)] = value;
  if (is_bubblewrap) enclosure.handed_over = "arguments";
  enclosure.files[is_bubblewrap ? "arguments" : "config.json"] =
      is_bubblewrap ? render_bubblewrap(spec) : render_oci_config(spec);
  // A name that no other container has: runc calls a cgroup by it.
  const std::string name = cat("trainmake-", digest_of(request.scratch).hex());
  // The environment is the command's alone: what an image says in it is not for a program of this machine.
  return Child::start({words_of(runtime, spec, places, name), {}, request.scratch, {}, std::move(enclosure)});
}

std::string changes_of(const ContainerRequest& request) { return Places(request.scratch).upper; }

std::vector<std::string> layers_below_changes(const ContainerRequest& request) {
  std::vector<std::string> layers = request.layers;
  layers.push_back(Places(request.scratch).skeleton);
  return layers;
}

}  // namespace trainmake
