#include "engine/base/process_table.h"

#include <algorithm>

#include "engine/base/child.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

std::string folder_of(int process) { return cat("/proc/", process); }

}  // namespace

std::optional<Process> parse_process(std::string_view stat) {
  // proc(5): number, name in parentheses (which may hold any byte), then fields from the third on.
  constexpr std::size_t kState = 0, kParent = 1, kSession = 3, kBirth = 19;
  const std::size_t name = stat.find(" ("), after = stat.rfind(") ");
  if (name == stat.npos || after == stat.npos || after < name) return std::nullopt;
  const std::vector<std::string> fields = split(trim(stat.substr(after + 2)), ' ');
  if (fields.size() <= kBirth || fields[kState] == "Z" || fields[kState] == "X") return std::nullopt;
  const auto number = whole_number<int>(stat.substr(0, name)), parent = whole_number<int>(fields[kParent]),
             session = whole_number<int>(fields[kSession]);
  const auto birth = whole_number<std::uint64_t>(fields[kBirth]);
  if (!number || !parent || !session || !birth) return std::nullopt;
  return Process{*number, *parent, *session, *birth};
}

std::optional<Process> find_process(FileSystem& files, int number) {
  const auto stat = read_file(files, folder_of(number) + "/stat");
  return stat ? parse_process(*stat) : std::nullopt;
}

Result<std::vector<Process>> living_processes(FileSystem& files) {
  TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list("/proc"));
  std::vector<Process> living;
  for (const FolderEntry& entry : entries) {
    const std::optional<int> number = whole_number<int>(entry.name);
    if (!number) continue;
    if (const std::optional<Process> process = find_process(files, *number)) living.push_back(*process);
  }
  return living;
}

std::optional<std::vector<std::string>> environment_of(FileSystem& files, const Process& process) {
  const auto bytes = read_file(files, folder_of(process.number) + "/environ");
  if (!bytes) return std::nullopt;
  std::vector<std::string> lines;
  for (std::string& line : split(*bytes, '\0')) {
    if (line.find('=') != line.npos) lines.push_back(std::move(line));
  }
  return lines;
}

std::string boot_of(FileSystem& files) {
  std::string boot(trim(read_file(files, "/proc/sys/kernel/random/boot_id").value_or("")));
  const auto container = files.read_link("/proc/self/ns/pid");  // pid:[4026531836]
  return boot.empty() || !container ? boot : cat(boot, "/", *container);
}

bool is_this_boot(FileSystem& files, std::string_view boot) {
  const std::string now = boot_of(files);
  return !boot.empty() && (boot == now || now.starts_with(cat(boot, "/")));
}

std::vector<Process> with_descendants(const std::vector<Process>& processes, std::vector<Process> members) {
  const auto is_member = [&](int number) {
    return std::any_of(members.begin(), members.end(),
                       [&](const Process& member) { return member.number == number; });
  };
  for (bool more = true; more;) {
    more = false;
    for (const Process& process : processes) {
      if (is_member(process.number) || !is_member(process.parent)) continue;
      members.push_back(process);
      more = true;
    }
  }
  return members;
}

Result<std::vector<Process>> descendants_of_this_process(FileSystem& files) {
  TRY_ASSIGN(const std::vector<Process> living, living_processes(files));
  const auto is_self = [](const Process& process) { return process.number == process_id(); };
  const auto self = std::find_if(living.begin(), living.end(), is_self);
  if (self == living.end()) return std::vector<Process>();
  std::vector<Process> descendants = with_descendants(living, {*self});
  descendants.erase(descendants.begin());
  return descendants;
}

}  // namespace trainmake
