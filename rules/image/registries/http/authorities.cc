#include "rules/image/registries/http/authorities.h"

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kFolders[] = {"/etc/docker/certs.d", "/etc/containers/certs.d"};
constexpr std::string_view kPem = "-----BEGIN CERTIFICATE-----";
constexpr std::uint64_t kLargest = std::uint64_t{16} << 20U;

Result<void> add(const Host& host, const std::string& path, std::string& all) {
  TRY_ASSIGN(const std::string text, read_file(host.files, path, kLargest));
  if (text.find(kPem) == text.npos)
    return fail(
        user_error(cat(quoted(path), " holds no certificate in PEM"),
                   cat("One begins with `", kPem, "`; `openssl x509 -inform der` makes it of another form")));
  all += cat(text, "\n");
  return {};
}

}  // namespace

Result<std::string> authorities_for(const Host& host, const RemotePlace& place) {
  std::string all;
  if (!place.ca.empty()) {
    Result<void> added = add(host, place.ca, all);
    if (!added) {
      Error error = std::move(added).error();
      if (error.hint.empty()) error.hint = cat("`ca` of ", quoted(place.host), " in TRAINSPACE.lua names it");
      return fail(std::move(error));
    }
  }
  for (const std::string_view folder : kFolders) {
    const std::string of_host = path_join(folder, place.host);
    const Result<Stat> there = host.files.look(of_host, Links::kFollow);
    if (!there || !there->is(FileKind::kFolder)) continue;
    TRY_ASSIGN(const std::vector<FolderEntry> entries, host.files.list(of_host));
    for (const FolderEntry& entry : entries) {
      if (entry.name.ends_with(".crt")) TRY(add(host, path_join(of_host, entry.name), all));
    }
  }
  return all;
}

}  // namespace trainmake
