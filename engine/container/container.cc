#include "engine/container/container.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/hash.h"
#include "engine/base/resource_limits.h"
#include "engine/base/text.h"
#include "engine/container/merged.h"
#include "engine/container/programs.h"
#include "engine/container/unpack.h"
#include "engine/container/user.h"

namespace trainmake {
namespace {

constexpr const char* kHosts = "127.0.0.1\tlocalhost\n::1\tlocalhost\n";
constexpr std::size_t kMostLayers = 498;  // of overlayfs, with the skeleton and what is changed

// Its folders below `scratch`.
struct Places {
  std::string layers;    // links to the layers with short names, `0` on top: options are one page long
  std::string skeleton;  // below all layers: what must be there to be mounted on
  std::string upper, work, root, memory, state, hosts;

  explicit Places(const std::string& scratch)
      : layers(path_join(scratch, "layers")),
        skeleton(path_join(scratch, "skeleton")),
        upper(path_join(scratch, "upper")),
        work(path_join(scratch, "work")),
        root(path_join(scratch, "root")),
        memory(path_join(scratch, "memory")),
        state(path_join(memory, "state")),
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

// Unless something of that name is there.
Result<void> have_link(FileSystem& files, const std::vector<std::string>& layers, const Places& places,
                       const ContainerLink& link) {
  TRY_ASSIGN(const std::string folder,
             have_place(files, layers, places, std::string(path_folder(link.at)), PlaceKind::kFolder));
  const std::string at = path_join(folder, path_name(link.at));
  const std::string there = path_join(places.skeleton, at.substr(1));
  const std::optional<MergedPath> found = follow_merged(layers, at);
  TRY_ASSIGN(const Stat made, files.look(there));
  if (!found || found->entry || made.exists()) return {};
  TRY(files.make_folder(std::string(path_folder(there))));
  return files.make_link(link.target, there);
}

Result<std::string> file_of(FileSystem& files, const std::vector<std::string>& layers, const char* path) {
  const std::optional<MergedPath> found = follow_merged(layers, path);
  if (!found || !found->entry || !S_ISREG(found->entry->stat.st_mode)) return std::string();
  return read_file(files, found->entry->path, std::uint64_t{16} << 20U);
}

// Whoever runs in there may write to them.
Result<void> hand_over_folders(const std::vector<ContainerMount>& mounts, const ContainerUser& user) {
  for (const ContainerMount& mount : mounts) {
    if (!mount.writable || !unpacks_as_root() || user.uid == 0) continue;
    if (chown(mount.source.c_str(), user.uid, user.gid) != 0)
      return fail(system_error("Cannot give away", mount.source, errno));
  }
  return {};
}

Result<ContainerSpec> specify(FileSystem& files, const ContainerRequest& request, const Places& places) {
  const std::vector<std::string>& layers = request.layers;
  TRY_ASSIGN(const std::string passwd, file_of(files, layers, "/etc/passwd"));
  TRY_ASSIGN(const std::string group, file_of(files, layers, "/etc/group"));
  TRY_ASSIGN(ImageUser user, find_user(request.user, passwd, group));
  if (request.any_user && !unpacks_as_root()) user.ids = {};
  if (user.ids.uid != 0 && !unpacks_as_root())
    return fail(step_error(cat("The image runs as ", quoted(request.user),
                               ", and without root a command can be run as root of its own container alone"),
                           "Run trainmake as root, or build on a base whose user is root"));
  ContainerSpec spec{places.root,
                     request.arguments,
                     request.environment,
                     {},
                     user.ids,
                     {},
                     request.is_first,
                     request.network,
                     request.interactive && isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0};
  spec.environment.emplace("PATH", kContainerPath);
  spec.environment.emplace("HOME", user.home);
  for (const std::string& folder : folders_mounted_on())
    TRY(have_place(files, layers, places, folder, PlaceKind::kFolder));
  TRY_ASSIGN(spec.folder, have_place(files, layers, places, request.folder.empty() ? "/" : request.folder,
                                     PlaceKind::kFolder));
  std::vector<ContainerMount> mounts = request.mounts;
  mounts.insert(mounts.end(), request.devices.mounts.begin(), request.devices.mounts.end());
  // A runtime would say less of what is missing.
  TRY(check_program({layers, mounts, spec.environment.at("PATH"), spec.folder}, spec.arguments.front()));
  TRY(have_place(files, layers, places, "/tmp", PlaceKind::kFolder));
  TRY(write_file(files, places.hosts, kHosts));
  mounts.push_back({request.network ? "/etc/hosts" : places.hosts, "/etc/hosts"});
  if (request.network) mounts.push_back({"/etc/resolv.conf", "/etc/resolv.conf"});
  for (const ContainerMount& mount : mounts) {
    TRY_ASSIGN(const Stat source, files.look(mount.source, Links::kFollow));
    if (!source.exists()) continue;
    const PlaceKind kind = source.is(FileKind::kFolder) ? PlaceKind::kFolder : PlaceKind::kFile;
    TRY_ASSIGN(std::string at, have_place(files, layers, places, mount.at, kind));
    spec.mounts.push_back({mount.source, std::move(at), mount.writable});
  }
  for (const ContainerLink& link : request.devices.links) TRY(have_link(files, layers, places, link));
  spec.devices = request.devices.nodes;
  TRY(hand_over_folders(spec.mounts, spec.user));
  for (const auto& [name, value] : request.secrets) {
    spec.environment[name] = value;
    const std::string at = cat("/run/secrets/", name);
    TRY(have_place(files, layers, places, at, PlaceKind::kFile));  // where nothing is mounted on /run
    spec.mounts.push_back({path_join(places.memory, cat("secret-", name)), at});
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

bool is_oci(Runtime::Kind kind) { return kind == Runtime::Kind::kCrun || kind == Runtime::Kind::kRunc; }

std::vector<std::string> words_of(const Runtime& runtime, const ContainerSpec& spec, const Places& places,
                                  const std::string& name, const std::optional<Detached>& detached) {
  std::vector<std::string> words = {runtime.program};
  switch (runtime.kind) {
    case Runtime::Kind::kCrun:
      words.emplace_back("--cgroup-manager=disabled");
      [[fallthrough]];
    case Runtime::Kind::kRunc:
      words.insert(words.end(), {"--root", places.state, "run", "--bundle", places.memory});
      if (detached) words.insert(words.end(), {"--detach", "--pid-file", detached->pid_file});
      words.push_back(name);
      break;
    case Runtime::Kind::kBubblewrap:
      words.insert(words.end(), {"--args", cat(kHandedOver), "--"});
      words.insert(words.end(), spec.arguments.begin(), spec.arguments.end());
      break;
    case Runtime::Kind::kApptainer:
      for (std::string& word : render_apptainer(spec)) words.push_back(std::move(word));
      break;
  }
  return words;
}

// crun would stay while anything that the command left lives, and runc would leave a cgroup of it. A terminal
// is passed on by a runtime that stays.
std::optional<Detached> detached_of(const Runtime& runtime, const ContainerSpec& spec, const Places& places,
                                    const std::string& name) {
  if (!is_oci(runtime.kind) || spec.is_first || spec.terminal) return std::nullopt;
  Detached detached{path_join(places.memory, "pid"), {}};
  if (runtime.kind == Runtime::Kind::kRunc)
    detached.tidy_up = {runtime.program, "--root", places.state, "delete", "--force", name};
  return detached;
}

// It would pass over others without a word.
Result<void> check_devices_for_apptainer(const std::vector<ContainerDevice>& devices) {
  for (const ContainerDevice& device : devices) {
    if (device.source != device.at)
      return fail(step_error(cat("apptainer shows devices where the host has them, and cannot show ",
                                 quoted(device.source), " at ", quoted(device.at)),
                             "Install crun or bubblewrap"));
  }
  return {};
}

}  // namespace

Result<Child> start_container(FileSystem& files, const Runtime& runtime, const ContainerRequest& request) {
  const Places places(request.scratch);
  TRY_ASSIGN(Enclosure enclosure, overlay_of(files, request, places));
  TRY_ASSIGN(const ContainerSpec spec, specify(files, request, places));
  if (!is_oci(runtime.kind) && spec.user != ContainerUser())
    return fail(step_error(cat(name_of(runtime.kind), " cannot run a command as ", quoted(request.user),
                               ", the user of the image"),
                           "Install crun or runc"));
  if (runtime.kind == Runtime::Kind::kApptainer) TRY(check_devices_for_apptainer(spec.devices));
  // In memory alone, for they may hold secrets.
  for (const auto& [name, value] : request.secrets) enclosure.files[cat("secret-", name)] = value;
  std::map<std::string, std::string> environment = request.runtime_environment;
  if (is_oci(runtime.kind)) {
    enclosure.files["config.json"] = render_oci_config(spec);
  } else if (runtime.kind == Runtime::Kind::kBubblewrap) {
    enclosure.handed_over = "arguments";
    enclosure.files["arguments"] = render_bubblewrap(spec);
  } else {
    environment.merge(apptainer_environment(spec));
    environment["HOME"] = environment["APPTAINER_CONFIGDIR"] = places.memory;
  }
  // A name that no other container has: runc calls a cgroup by it, which is found should we be killed.
  const std::string name = own_cgroup_name(digest_of(request.scratch).hex());
  if (runtime.kind == Runtime::Kind::kRunc) sweep_cgroups(files);
  enclosure.detached = detached_of(runtime, spec, places, name);
  // The environment of its command is not for a program of this machine.
  return Child::start({words_of(runtime, spec, places, name, enclosure.detached),
                       std::move(environment),
                       request.scratch,
                       {},
                       std::move(enclosure),
                       request.interactive});
}

std::string changes_of(const ContainerRequest& request) { return Places(request.scratch).upper; }

std::vector<std::string> layers_below_changes(const ContainerRequest& request) {
  std::vector<std::string> layers = request.layers;
  layers.push_back(Places(request.scratch).skeleton);
  return layers;
}

}  // namespace trainmake
