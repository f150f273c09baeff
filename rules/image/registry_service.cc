#include "rules/image/registry_service.h"

#include "engine/base/text.h"

namespace trainmake {

Result<RegistryService> read_registry_service(const Service& service, const Workspace& workspace) {
  const std::string& url = *service.text("url");
  std::string rest = url;
  std::string scheme;
  if (const std::size_t end = rest.find("://"); end != std::string::npos) {
    scheme = rest.substr(0, end);
    rest = rest.substr(end + 3);
  }
  while (rest.ends_with('/')) rest.pop_back();
  const std::size_t slash = rest.find('/');
  RegistryService read;
  read.place.host = rest.substr(0, slash);
  if (slash != std::string::npos) read.path = rest.substr(slash + 1);
  const bool fine = scheme.empty() || scheme == "http" || scheme == "https";
  if (!fine || read.place.host.empty() || read.place.host.find('@') != std::string::npos)
    return fail(
        user_error(cat("Registry ", quoted(service.name), " has a `url` that is none: ", quoted(url)),
                   "Write it as `registry.example.com/team`; logins are `trainmake login`'s, not the url's")
            .at(service.where));
  if (!scheme.empty()) read.place.url = cat(scheme, "://", read.place.host);
  if (const std::string* endpoint = service.text("endpoint")) read.place.url = *endpoint;
  read.place.insecure = service.says_yes("insecure");
  read.is_flat = service.says_yes("flat");
  if (const std::string* ca = service.text("ca")) read.place.ca = path_join(workspace.root, *ca);
  // Whoever vouches for it does so over TLS.
  if (!read.place.ca.empty() && read.place.url.empty() && !read.place.insecure)
    read.place.url = cat("https://", read.place.host);
  return read;
}

}  // namespace trainmake
