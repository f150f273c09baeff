#include "engine/container/render.h"

#include <nlohmann/json.hpp>

#include "engine/base/text.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

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
    mounts.push_back(mount_json("none", mount.source, mount.at, {"rbind", "ro"}));
  return mounts;
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
  for (const char* type : {"pid", "mount", "ipc", "uts"}) namespaces.push_back({{"type", type}});
  const Json caps = capabilities();
  return Json{
      {"ociVersion", "1.0.2"},
      {"hostname", "trainmake"},
      {"process",
       {{"terminal", false},
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
        {"readonlyPaths", {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}}}}
      .dump(1, ' ', false, Json::error_handler_t::replace);
}

std::string render_bubblewrap(const ContainerSpec& spec) {
  std::vector<std::string> words = {"--bind",        spec.root,       "/",
                                    "--proc",        "/proc",         "--dev",
                                    "/dev",          "--ro-bind",     "/sys",
                                    "/sys",          "--tmpfs",       "/run",
                                    "--unshare-pid", "--unshare-ipc", "--unshare-uts",
                                    "--hostname",    "trainmake",     "--die-with-parent",
                                    "--new-session", "--chdir",       spec.folder};
  for (const ContainerMount& mount : spec.mounts)
    words.insert(words.end(), {"--ro-bind", mount.source, mount.at});
  words.insert(words.end(), {"--cap-drop", "ALL"});
  for (const std::string& name : capabilities()) words.insert(words.end(), {"--cap-add", name});
  for (const auto& [name, value] : spec.environment) words.insert(words.end(), {"--setenv", name, value});
  std::string text;
  for (const std::string& word : words) text.append(word).push_back('\0');
  return text;
}

}  // namespace trainmake
