#include "engine/container/render.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

constexpr const char* kName = "trainmake";  // of a machine that nobody else sees

// Docker's, without devices: a layer can hold none.
const std::vector<std::string>& capabilities() {
  static const std::vector<std::string> names = {"CAP_AUDIT_WRITE",      "CAP_CHOWN",   "CAP_DAC_OVERRIDE",
                                                 "CAP_FOWNER",           "CAP_FSETID",  "CAP_KILL",
                                                 "CAP_NET_BIND_SERVICE", "CAP_SETFCAP", "CAP_SETGID",
                                                 "CAP_SETPCAP",          "CAP_SETUID",  "CAP_SYS_CHROOT"};
  return names;
}

Json mount_json(const char* type, const std::string& source, const std::string& at,
                std::vector<std::string> options) {
  return {{"destination", at}, {"type", type}, {"source", source}, {"options", std::move(options)}};
}

Json mounts_json(const ContainerSpec& spec) {
  Json mounts = {mount_json("proc", "proc", "/proc", {"nosuid", "noexec", "nodev"}),
                 mount_json("tmpfs", "tmpfs", "/dev", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
                 mount_json("devpts", "devpts", "/dev/pts",
                            {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}),
                 mount_json("tmpfs", "shm", "/dev/shm", {"nosuid", "noexec", "nodev", "mode=1777"}),
                 mount_json("none", "/sys", "/sys", {"rbind", "ro", "nosuid", "noexec", "nodev"}),
                 mount_json("tmpfs", "tmpfs", "/run", {"nosuid", "nodev", "mode=755"})};
  for (const ContainerMount& mount : spec.mounts)
    mounts.push_back(mount_json("none", mount.source, mount.at, {"rbind", mount.writable ? "rw" : "ro"}));
  // Not made anew, which only root of the host may.
  for (const ContainerDevice& device : spec.devices)
    mounts.push_back(mount_json("none", device.source, device.at, {"bind", "rw", "nosuid", "noexec"}));
  return mounts;
}

// Of all that there are: apptainer gives root those that are not named.
std::string dropped() {
  std::vector<std::string> names = {"CAP_AUDIT_CONTROL",   "CAP_AUDIT_READ",   "CAP_AUDIT_WRITE",
                                    "CAP_BLOCK_SUSPEND",   "CAP_BPF",          "CAP_CHECKPOINT_RESTORE",
                                    "CAP_CHOWN",           "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH",
                                    "CAP_FOWNER",          "CAP_FSETID",       "CAP_IPC_LOCK",
                                    "CAP_IPC_OWNER",       "CAP_KILL",         "CAP_LEASE",
                                    "CAP_LINUX_IMMUTABLE", "CAP_MAC_ADMIN",    "CAP_MAC_OVERRIDE",
                                    "CAP_MKNOD",           "CAP_NET_ADMIN",    "CAP_NET_BIND_SERVICE",
                                    "CAP_NET_BROADCAST",   "CAP_NET_RAW",      "CAP_PERFMON",
                                    "CAP_SETFCAP",         "CAP_SETGID",       "CAP_SETPCAP",
                                    "CAP_SETUID",          "CAP_SYS_ADMIN",    "CAP_SYS_BOOT",
                                    "CAP_SYS_CHROOT",      "CAP_SYS_MODULE",   "CAP_SYS_NICE",
                                    "CAP_SYS_PACCT",       "CAP_SYS_PTRACE",   "CAP_SYS_RAWIO",
                                    "CAP_SYS_RESOURCE",    "CAP_SYS_TIME",     "CAP_SYS_TTY_CONFIG",
                                    "CAP_SYSLOG",          "CAP_WAKE_ALARM"};
  const std::vector<std::string>& kept = capabilities();
  std::erase_if(names, [&](const std::string& name) {
    return std::find(kept.begin(), kept.end(), name) != kept.end();
  });
  return join(names, ",");
}

// A row of comma-separated values, in which a quoted one may hold any character.
std::string apptainer_mount(const std::string& source, const std::string& at, std::string_view options) {
  const auto quoted_field = [](std::string_view name, const std::string& path) {
    std::string field = cat("\"", name, "=");
    for (const char c : path) field += c == '"' ? "\"\"" : std::string(1, c);
    return field + "\"";
  };
  return cat("type=bind,", quoted_field("source", source), ",", quoted_field("destination", at), options);
}

}  // namespace

const std::vector<std::string>& folders_mounted_on() {
  static const std::vector<std::string> folders = {"/proc", "/dev", "/sys", "/run"};
  return folders;
}

std::string render_oci_config(const ContainerSpec& spec) {
  Json environment = Json::array();
  for (const auto& [name, value] : spec.environment) environment.push_back(cat(name, "=", value));
  Json user = {{"uid", spec.user.uid}, {"gid", spec.user.gid}};
  if (!spec.user.groups.empty()) user["additionalGids"] = spec.user.groups;
  Json namespaces = Json::array();
  if (spec.is_first) namespaces.push_back({{"type", "pid"}});
  for (const char* type : {"mount", "ipc"}) namespaces.push_back({{"type", type}});
  if (!spec.network) namespaces.push_back({{"type", "uts"}});
  const Json caps = capabilities();
  Json config = {
      {"ociVersion", "1.0.2"},
      {"process",
       {{"terminal", spec.terminal},
        {"user", user},
        {"args", spec.arguments},
        {"env", environment},
        {"cwd", spec.folder},
        {"capabilities", {{"bounding", caps}, {"effective", caps}, {"permitted", caps}}}}},
      {"root", {{"path", spec.root}}},
      {"mounts", mounts_json(spec)},
      {"linux",
       {{"namespaces", namespaces},
        {"maskedPaths",
         {"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/sched_debug", "/sys/firmware"}},
        {"readonlyPaths", {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}}}};
  if (!spec.network) config["hostname"] = kName;
  return config.dump(1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string> render_apptainer(const ContainerSpec& spec) {
  std::vector<std::string> words = {
      "--silent",    "--nocolor", "exec",       "--cleanenv", "--no-eval",  "--no-umask",
      "--drop-caps", dropped(),   "--writable", "--contain",  "--no-mount", "hostfs,bind-paths,tmp,home,cwd",
      "--pwd",       spec.folder};
  const auto home = spec.environment.find("HOME");
  for (const ContainerMount& mount : spec.mounts) {
    // Only so HOME is what the environment says.
    if (home != spec.environment.end() && mount.at == home->second && mount.writable)
      words.insert(words.end(), {"--home", cat(mount.source, ":", mount.at)});
    else
      words.insert(words.end(),
                   {"--mount", apptainer_mount(mount.source, mount.at, mount.writable ? "" : ",ro")});
  }
  for (const ContainerDevice& device : spec.devices)
    words.insert(words.end(), {"--mount", apptainer_mount(device.source, device.at, "")});
  words.push_back(spec.root);
  words.insert(words.end(), spec.arguments.begin(), spec.arguments.end());
  return words;
}

std::map<std::string, std::string> apptainer_environment(const ContainerSpec& spec) {
  std::map<std::string, std::string> environment = {{"PATH", "/usr/sbin:/sbin:/usr/bin:/bin"}};
  for (const auto& [name, value] : spec.environment) {
    if (name != "HOME") environment[cat("APPTAINERENV_", name)] = value;
  }
  return environment;
}

std::string render_bubblewrap(const ContainerSpec& spec) {
  std::vector<std::string> words = {"--bind",        spec.root,      "/",    "--proc", "/proc",   "--dev",
                                    "/dev",          "--ro-bind",    "/sys", "/sys",   "--tmpfs", "/run",
                                    "--unshare-pid", "--unshare-ipc"};
  if (!spec.network) words.insert(words.end(), {"--unshare-uts", "--hostname", kName});
  words.insert(words.end(), {"--die-with-parent", "--chdir", spec.folder});
  if (!spec.terminal) words.emplace_back("--new-session");
  for (const ContainerMount& mount : spec.mounts)
    words.insert(words.end(), {mount.writable ? "--bind" : "--ro-bind", mount.source, mount.at});
  for (const ContainerDevice& device : spec.devices)
    words.insert(words.end(), {"--dev-bind", device.source, device.at});
  words.insert(words.end(), {"--cap-drop", "ALL"});
  for (const std::string& name : capabilities()) words.insert(words.end(), {"--cap-add", name});
  for (const auto& [name, value] : spec.environment) words.insert(words.end(), {"--setenv", name, value});
  std::string text;
  for (const std::string& word : words) text.append(word).push_back('\0');
  return text;
}

}  // namespace trainmake
