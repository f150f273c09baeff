#include "engine/container/user.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "engine/base/text.h"

namespace trainmake {
namespace {

using Fields = std::vector<std::string>;

// Lines of a file like /etc/passwd that have at least `count` fields.
std::vector<Fields> entries_of(std::string_view file, std::size_t count) {
  std::vector<Fields> entries;
  for (const std::string& line : split(file, '\n')) {
    Fields fields = split(line, ':');
    if (fields.size() >= count) entries.push_back(std::move(fields));
  }
  return entries;
}

std::optional<Fields> entry_of(const std::vector<Fields>& entries, const std::string& name) {
  const std::optional<std::uint32_t> number = whole_number<std::uint32_t>(name);
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Fields& fields) {
    return fields[0] == name || (number && whole_number<std::uint32_t>(fields[2]) == number);
  });
  return found == entries.end() ? std::nullopt : std::optional(*found);
}

Error nobody(std::string_view kind, const std::string& name) {
  return step_error(cat("The image has no ", kind, " ", quoted(name), ", which its config names"));
}

}  // namespace

Result<ImageUser> find_user(std::string_view text, std::string_view passwd, std::string_view group) {
  const std::size_t colon = text.find(':');
  const std::string name(text.empty() ? std::string_view("0") : text.substr(0, colon));
  const std::vector<Fields> groups = entries_of(group, 3);
  const std::optional<Fields> known = entry_of(entries_of(passwd, 6), name);
  ImageUser user;
  const std::optional<std::uint32_t> uid = whole_number<std::uint32_t>(known ? (*known)[2] : name);
  if (!uid) return fail(nobody("user", name));
  user.ids.uid = *uid;
  user.home = known ? (*known)[5] : *uid == 0 ? "/root" : "/";
  if (colon != std::string_view::npos) {
    const std::string wanted(text.substr(colon + 1));
    const std::optional<Fields> entry = entry_of(groups, wanted);
    const std::optional<std::uint32_t> gid = whole_number<std::uint32_t>(entry ? (*entry)[2] : wanted);
    if (!gid) return fail(nobody("group", wanted));
    user.ids.gid = *gid;
    return user;
  }
  if (!known) return user;
  user.ids.gid = whole_number<std::uint32_t>((*known)[3]).value_or(0);
  for (const Fields& fields : groups) {
    const std::vector<std::string> members =
        split(fields.size() > 3 ? std::string_view(fields[3]) : std::string_view(), ',');
    const std::optional<std::uint32_t> gid = whole_number<std::uint32_t>(fields[2]);
    if (gid && std::find(members.begin(), members.end(), (*known)[0]) != members.end())
      user.ids.groups.push_back(*gid);
  }
  return user;
}

}  // namespace trainmake
