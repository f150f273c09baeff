#include "cache/stores/http/http_list.h"

#include "engine/base/file_system.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kQuestion =
    R"(<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/>)"
    R"(<getlastmodified/><getetag/></prop></propfind>)";

}  // namespace

Result<void> HttpList::walk(const std::string& prefix,
                            const std::function<void(const StoredObject&)>& visit) {
  std::vector<std::string> folders = {std::string(path_folder(prefix))};
  while (!folders.empty()) {
    const std::string folder = std::move(folders.back());
    folders.pop_back();
    TRY_ASSIGN(const std::vector<HttpListed> entries, entries_of(folder));
    for (const HttpListed& entry : entries) {
      const std::optional<std::string> name = name_in_key(entry.name);
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
  return entries.empty();
}

Result<std::vector<HttpListed>> HttpList::entries_of(const std::string& folder) {
  if (way_ == Way::kAutoindex) return indexed(folder);
  const HttpPlace& place = client_.place();
  const StoreRequest request{"PROPFIND",
                             place.url_of_path(place.folder_path(folder)),
                             {{"Depth", "1"}, {"Content-Type", "application/xml; charset=utf-8"}},
                             kQuestion};
  TRY_ASSIGN(const HttpResponse response,
             client_.send(request, cat("list ", quoted(folder)), {}, {404, 405, 501}));
  if (response.status == 207) {
    way_ = Way::kPropfind;
    return parse_multistatus(response.body, place.folder_path(folder));
  }
  // A server that knows no PROPFIND may say that of a folder which is there.
  if (response.status == 404 && way_ == Way::kPropfind) return std::vector<HttpListed>();
  return indexed(folder);
}

Result<std::vector<HttpListed>> HttpList::indexed(const std::string& folder) {
  const HttpPlace& place = client_.place();
  const StoreRequest request{"GET", place.url_of_path(place.folder_path(folder))};
  TRY_ASSIGN(const HttpResponse response,
             client_.send(request, cat("list ", quoted(folder)), {}, {403, 404, 405}));
  if (response.status == 404) return std::vector<HttpListed>();
  std::optional<std::vector<HttpListed>> listed = parse_autoindex(response.body);
  if (response.status >= 300 || !listed)
    return fail(user_error(cat("Cannot list ", quoted(folder), ": store ", quoted(place.name),
                               " has no list of a folder"),
                           "Switch one on at the server: in nginx `dav_ext_methods PROPFIND OPTIONS` "
                           "(libnginx-mod-http-dav-ext), or `autoindex on` with `autoindex_format json`")
                    .because(Blame::kRemote));
  way_ = Way::kAutoindex;
  return *std::move(listed);
}

}  // namespace trainmake
