#include "engine/container/nvidia.h"

#include <algorithm>
#include <map>

#include "engine/base/text.h"
#include "engine/container/cdi.h"

namespace trainmake {
namespace {

constexpr const char* kKind = "nvidia.com/gpu";
constexpr const char* kGpusOfDriver = "/proc/driver/nvidia/gpus";
constexpr const char* kSystemPath = "/usr/sbin:/sbin:/usr/bin:/bin";
constexpr const char* kToMakeCdi = "`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`, as root";

#if defined(__aarch64__)
constexpr std::string_view kProcessor = "AArch64";  // in ldconfig's words
#else
constexpr std::string_view kProcessor = "x86-64";
#endif

Result<bool> is_there(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const Stat stat, files.look(path, Links::kFollow));
  return stat.exists();
}

Result<std::vector<FolderEntry>> entries_of(FileSystem& files, const std::string& folder) {
  TRY_ASSIGN(const Stat stat, files.look(folder, Links::kFollow));
  return stat.is(FileKind::kFolder) ? files.list(folder) : std::vector<FolderEntry>();
}

// Numbers of nodes may go another way than nvidia-smi's, and a scheduler knows the one or the other.
Result<void> find_out_the_rest(FileSystem& files, std::vector<GpuName>& gpus) {
  TRY_ASSIGN(const std::vector<FolderEntry> buses, entries_of(files, kGpusOfDriver));
  for (const FolderEntry& bus : buses) {
    TRY_ASSIGN(const std::optional<std::string> text,
               read_file_if_there(files, path_join(path_join(kGpusOfDriver, bus.name), "information")));
    const auto told = text ? parse_gpu_information(*text) : std::nullopt;
    if (!told) continue;
    for (GpuName& gpu : gpus) {
      if (gpu.id.empty() && gpu.minor == told->first) gpu.id = told->second;
      if (!gpu.minor && gpu.id == told->second) gpu.minor = told->first;
    }
  }
  return {};
}

struct CdiFile {
  std::string path;
  CdiSpec spec;
};

// Those that go before others first.
Result<std::vector<CdiFile>> find_cdi_files(FileSystem& files, const std::string& folder) {
  std::vector<std::string> folders = {"/var/run/cdi", "/etc/cdi"};
  if (!folder.empty()) folders = {folder};
  std::vector<CdiFile> found;
  for (const std::string& each : folders) {
    TRY_ASSIGN(const std::vector<FolderEntry> entries, entries_of(files, each));
    for (const FolderEntry& entry : entries) {
      if (!entry.name.ends_with(".yaml") && !entry.name.ends_with(".json")) continue;
      const std::string path = path_join(each, entry.name);
      TRY_ASSIGN(const std::string text, read_file(files, path, std::uint64_t{16} << 20U));
      std::optional<CdiSpec> spec = parse_cdi(text);
      if (spec && spec->kind == kKind) found.push_back({path, *std::move(spec)});
    }
  }
  return found;
}

Error not_in_cdi(const GpuName& gpu, const std::vector<CdiFile>& files) {
  return user_error(cat("GPU ", gpu.index, gpu.id.empty() ? "" : cat(" (", gpu.id, ")"),
                        " cannot be given to a container: ", quoted(files.front().path), " has no device ",
                        quoted(cat(gpu.index)), " of kind ", quoted(kKind)),
                    cat("Write that file anew: ", kToMakeCdi));
}

// A driver was replaced since the file was written, more often than not.
Result<void> check_sources(FileSystem& files, const DeviceEdits& edits, const CdiFile& file) {
  std::vector<std::string> sources;
  for (const ContainerDevice& node : edits.nodes) sources.push_back(node.source);
  for (const ContainerMount& mount : edits.mounts) sources.push_back(mount.source);
  for (const std::string& source : sources) {
    TRY_ASSIGN(const bool there, is_there(files, source));
    if (!there)
      return fail(user_error(cat(quoted(file.path), " names ", quoted(source), ", which is not there"),
                             cat("Write that file anew: ", kToMakeCdi)));
  }
  return {};
}

bool is_library(std::string_view name) { return name.starts_with("lib") && name.find(".so") != name.npos; }

// Programs ask for `libcuda.so.1`, a link to the file that a CDI file names; it has a hook call ldconfig,
// which would make it.
Result<void> add_library_names(FileSystem& files, DeviceEdits& edits) {
  std::map<std::string, std::string> paths;  // in the container, by what the host's file is
  std::vector<std::string> folders;
  const auto add_name = [&](const std::string& name, const std::string& target) {
    const std::string at = path_join(kDriverLibraries, name);
    if (at != target) edits.links.push_back({at, target});
  };
  for (const ContainerMount& mount : edits.mounts) {
    if (!is_library(path_name(mount.source))) continue;
    TRY_ASSIGN(std::string real, follow_links(files, mount.source));
    paths.emplace(std::move(real), mount.at);
    add_name(std::string(path_name(mount.at)), mount.at);
    std::string folder(path_folder(mount.source));
    if (std::find(folders.begin(), folders.end(), folder) == folders.end()) folders.push_back(folder);
  }
  for (const std::string& folder : folders) {
    TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list(folder));
    for (const FolderEntry& entry : entries) {
      if (entry.kind != FileKind::kLink || !is_library(entry.name)) continue;
      const auto real = follow_links(files, path_join(folder, entry.name));
      const auto found = real ? paths.find(*real) : paths.end();
      if (found == paths.end()) continue;
      add_name(entry.name, found->second);
      const std::string beside = path_join(path_folder(found->second), entry.name);
      if (beside != found->second) edits.links.push_back({beside, std::string(path_name(found->second))});
    }
  }
  return {};
}

struct CdiDevice {
  const CdiFile* file = nullptr;
  const DeviceEdits* edits = nullptr;
};

std::optional<CdiDevice> find_device(const std::vector<CdiFile>& files, const std::string& name) {
  for (const CdiFile& file : files) {
    const auto found = file.spec.devices.find(name);
    if (found != file.spec.devices.end()) return CdiDevice{&file, &found->second};
  }
  return std::nullopt;
}

Result<DeviceEdits> edits_by_cdi(FileSystem& files, const std::vector<GpuName>& gpus,
                                 const std::vector<CdiFile>& cdi) {
  DeviceEdits edits;
  for (const GpuName& gpu : gpus) {
    std::optional<CdiDevice> device = find_device(cdi, gpu.id);
    if (!device) device = find_device(cdi, cat(gpu.index));
    if (!device) return fail(not_in_cdi(gpu, cdi));
    DeviceEdits all = *device->edits;
    all.add(device->file->spec.common);
    TRY(check_sources(files, all, *device->file));
    edits.add(all);
  }
  TRY(add_library_names(files, edits));
  return edits;
}

Error no_driver(const std::string& what) {
  return user_error(
      cat("GPUs cannot be given to a container: ", what),
      cat("Load the driver (`nvidia-modprobe -u -c=0`, as root), or write a CDI file: ", kToMakeCdi));
}

Result<void> add_nodes(FileSystem& files, const std::vector<GpuName>& gpus, DeviceEdits& edits) {
  const auto add = [&](const std::string& node) { edits.nodes.push_back({node, node}); };
  for (const GpuName& gpu : gpus) add(cat("/dev/nvidia", gpu.minor.value_or(gpu.index)));
  add("/dev/nvidiactl");
  add("/dev/nvidia-uvm");
  for (const ContainerDevice& node : edits.nodes) {
    TRY_ASSIGN(const bool there, is_there(files, node.source));
    if (!there) return fail(no_driver(cat("there is no ", quoted(node.source))));
  }
  TRY_ASSIGN(const bool has_tools, is_there(files, "/dev/nvidia-uvm-tools"));
  if (has_tools) add("/dev/nvidia-uvm-tools");
  return {};
}

Result<void> add_libraries(Host& host, DeviceEdits& edits) {
  const auto ran = host.processes.run({{"ldconfig", "-p"}, {{"PATH", kSystemPath}}, ""}, {});
  if (!ran) return fail(no_driver("there is no `ldconfig` that could tell where its libraries are"));
  for (const auto& [name, path] : parse_driver_libraries(ran->output)) {
    TRY_ASSIGN(const std::string real, follow_links(host.files, path));
    edits.mounts.push_back({real, path_join(kDriverLibraries, name)});
  }
  const std::string wanted = path_join(kDriverLibraries, "libcuda.so.1");
  const bool has_cuda = std::any_of(edits.mounts.begin(), edits.mounts.end(),
                                    [&](const ContainerMount& mount) { return mount.at == wanted; });
  return has_cuda ? Result<void>() : fail(no_driver("`ldconfig -p` names no libcuda.so.1"));
}

Result<DeviceEdits> edits_as_found(Host& host, const std::vector<GpuName>& gpus) {
  DeviceEdits edits;
  TRY(add_nodes(host.files, gpus, edits));
  TRY(add_libraries(host, edits));
  for (const char* path : {"/usr/bin/nvidia-smi", "/run/nvidia-persistenced/socket"}) {
    TRY_ASSIGN(const bool there, is_there(host.files, path));
    if (there) edits.mounts.push_back({path, path});
  }
  return edits;
}

}  // namespace

Result<DeviceEdits> edits_for_gpus(Host& host, std::vector<GpuName> gpus, const std::string& cdi) {
  TRY(find_out_the_rest(host.files, gpus));
  TRY_ASSIGN(const std::vector<CdiFile> specs, find_cdi_files(host.files, cdi));
  TRY_ASSIGN(DeviceEdits edits,
             specs.empty() ? edits_as_found(host, gpus) : edits_by_cdi(host.files, gpus, specs));
  std::vector<std::string> numbers;
  for (std::size_t i = 0; i < gpus.size(); ++i) numbers.push_back(cat(i));
  edits.environment[kLibraryPath] = kDriverLibraries;
  edits.environment["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID";
  edits.environment["CUDA_VISIBLE_DEVICES"] = edits.environment["NVIDIA_VISIBLE_DEVICES"] =
      join(numbers, ",");
  return edits;
}

std::optional<std::pair<int, std::string>> parse_gpu_information(std::string_view text) {
  std::optional<int> minor;
  std::string id;
  for (const std::string& line : split(text, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon == line.npos) continue;
    const std::string_view name = trim(std::string_view(line).substr(0, colon));
    const std::string_view value = trim(std::string_view(line).substr(colon + 1));
    if (name == "GPU UUID") id = value;
    if (name == "Device Minor") minor = whole_number<int>(value);
  }
  if (!minor || id.empty()) return std::nullopt;
  return std::pair(*minor, id);
}

std::vector<std::pair<std::string, std::string>> parse_driver_libraries(std::string_view text) {
  constexpr std::string_view kArrow = " => ";
  std::map<std::string, std::string> found;
  for (const std::string& line : split(text, '\n')) {
    const std::size_t arrow = line.find(kArrow), words = line.find(" (");
    if (arrow == line.npos || words == line.npos || words > arrow) continue;
    const std::string name(trim(line.substr(0, words)));
    const bool is_drivers = name.starts_with("libcuda.so.") || name.starts_with("libcudadebugger.so.") ||
                            name.starts_with("libnvcuvid.so.") ||
                            (name.starts_with("libnvidia-") && !name.starts_with("libnvidia-container"));
    if (is_drivers && line.substr(words, arrow - words).find(kProcessor) != line.npos)
      found.emplace(name, trim(line.substr(arrow + kArrow.size())));
  }
  return {found.begin(), found.end()};
}

}  // namespace trainmake
