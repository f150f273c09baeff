#include "cache/stores/http/http_list.h"

#include <algorithm>
#include <chrono>

#include "engine/base/file_system.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kQuestion =
    R"(<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/>)"
    R"(<getlastmodified/><getetag/></prop></propfind>)";

constexpr int kDeepest = 100;

// Trainmake's own folder, as a server has it: no data of others.
bool is_own_folder(const HttpPlace& place, const std::string& folder, const std::string& name_there) {
  return place.is_as_it_is_there && folder.empty() && name_there == "~.trainmake";
}

bool is_look(const HttpListed& entry) { return entry.name == kLookName && !entry.is_folder; }

std::string shown(const std::string& folder) { return quoted(folder.empty() ? "." : folder); }

}  // namespace

void wait_for_next_second(Clock& clock) {
  constexpr std::int64_t kSecond_ms = 1000;
  constexpr std::int64_t kBehind_ms = 20;  // a file's time may be that much behind the server's
  const std::int64_t begun_ms = clock.now_ns() / 1'000'000 % kSecond_ms;
  clock.wait(std::chrono::milliseconds(kSecond_ms - begun_ms + kBehind_ms), {});
}

Result<void> HttpList::walk(const std::string& prefix,
                            const std::function<void(const StoredObject&)>& visit) {
  std::vector<std::string> folders = {std::string(path_folder(prefix))};
  while (!folders.empty()) {
    const std::string folder = std::move(folders.back());
    folders.pop_back();
    if (std::count(folder.begin(), folder.end(), '/') >= kDeepest)
      return fail(user_error(cat("Cannot list ", quoted(prefix), ": store ", quoted(client_.place().name),
                                 " has folders in folders without an end, as ", quoted(folder)),
                             "Does a link on the server lead back to a folder above it?")
                      .because(Blame::kRemote));
    TRY_ASSIGN(const std::vector<HttpListed> entries, entries_of(folder));
    for (const HttpListed& entry : entries) {
      if (is_own_folder(client_.place(), folder, entry.name)) continue;
      const std::optional<std::string> name = client_.place().name_in_key(entry.name);
      if (!name || *name == "." || *name == "..") continue;
      const std::string key = path_join(folder, *name);
      const bool leads_on = key.starts_with(prefix) || prefix.starts_with(key + "/");
      if (entry.is_folder && leads_on)
        folders.push_back(key);
      else if (!entry.is_folder && key.starts_with(prefix))
        visit({key, entry.size, entry.tag, std::nullopt});
    }
  }
  return {};
}

Result<bool> HttpList::is_empty(const std::string& folder) {
  TRY_ASSIGN(const std::vector<HttpListed> entries, entries_of(folder));
  return std::all_of(entries.begin(), entries.end(), is_look);
}

Result<bool> HttpList::shows(const std::string& folder, std::string_view name) {
  TRY_ASSIGN(const Answer answer, ask(folder));
  return std::any_of(answer.entries.begin(), answer.entries.end(),
                     [&](const HttpListed& entry) { return entry.name == name; });
}

Result<std::optional<std::vector<std::string>>> HttpList::folders_alone(const std::string& folder) {
  std::vector<std::string> found = {folder};
  for (std::size_t next = 0; next < found.size(); ++next) {
    TRY_ASSIGN(const std::vector<HttpListed> entries, entries_of(found[next]));
    for (const HttpListed& entry : entries) {
      const std::optional<std::string> name = client_.place().name_in_key(entry.name);
      if (is_look(entry)) continue;
      const bool is_too_deep = std::count(found[next].begin(), found[next].end(), '/') >= kDeepest;
      if (!entry.is_folder || !name || is_too_deep) return std::optional<std::vector<std::string>>();
      found.push_back(path_join(found[next], *name));
    }
  }
  std::reverse(found.begin(), found.end());
  return std::optional(std::move(found));
}

// Once all tags are told that this second can tell: who believes them later must not take another for them.
Result<std::vector<HttpListed>> HttpList::entries_of(const std::string& folder) {
  constexpr int kMostLooks = 4;
  for (int looks = 1;; ++looks) {
    TRY_ASSIGN(Answer answer, ask(folder));
    if (looks == kMostLooks || !may_share_their_tags(answer.entries, answer.response))
      return std::move(answer.entries);
    wait_for_next_second(clock_);
  }
}

Result<HttpList::Answer> HttpList::ask(const std::string& folder) {
  if (way_ == Way::kAutoindex) return indexed(folder);
  const HttpPlace& place = client_.place();
  const StoreRequest request{"PROPFIND",
                             place.url_of_path(place.folder_path(folder)),
                             {{"Depth", "1"}, {"Content-Type", "application/xml; charset=utf-8"}},
                             kQuestion};
  TRY_ASSIGN(HttpResponse response, client_.send(request, cat("list ", shown(folder)), {}, {404, 405, 501}));
  if (response.status == 207) {
    way_ = Way::kPropfind;
    TRY_ASSIGN(std::vector<HttpListed> listed, parse_multistatus(response.body, place.folder_path(folder)));
    return Answer{std::move(listed), std::move(response)};
  }
  // A server that knows no PROPFIND may say that of a folder which is there.
  if (response.status == 404 && way_ == Way::kPropfind) return Answer();
  return indexed(folder);
}

Result<HttpList::Answer> HttpList::indexed(const std::string& folder) {
  const HttpPlace& place = client_.place();
  const StoreRequest request{"GET", place.url_of_path(place.folder_path(folder))};
  TRY_ASSIGN(HttpResponse response, client_.send(request, cat("list ", shown(folder)), {}, {403, 404, 405}));
  if (response.status == 404) return Answer();
  std::optional<std::vector<HttpListed>> listed = parse_autoindex(response.body);
  if (response.status >= 300 || !listed)
    return fail(user_error(cat("Cannot list ", shown(folder), ": store ", quoted(place.name),
                               " has no list of a folder"),
                           "Switch one on at the server: in nginx `dav_ext_methods PROPFIND OPTIONS` "
                           "(libnginx-mod-http-dav-ext), or `autoindex on` with `autoindex_format json`")
                    .because(Blame::kRemote));
  way_ = Way::kAutoindex;
  return Answer{*std::move(listed), std::move(response)};
}

}  // namespace trainmake
