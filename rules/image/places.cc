#include "rules/image/places.h"

#include "engine/base/text.h"
#include "rules/image/reference.h"

namespace trainmake {
namespace {

std::string repository(const Target& image) { return path_join(image.label.folder, image.label.name); }

// `url` of a registry: scheme, host with its port, and a path that all its repositories share.
struct RegistryUrl {
  std::string scheme, host, path;
};

Result<RegistryUrl> registry_url(const Service& service) {
  RegistryUrl parts;
  std::string rest = *service.text("url");
  if (const std::size_t scheme = rest.find("://"); scheme != std::string::npos) {
    parts.scheme = rest.substr(0, scheme);
    rest = rest.substr(scheme + 3);
  }
  while (rest.ends_with('/')) rest.pop_back();
  const std::size_t slash = rest.find('/');
  parts.host = rest.substr(0, slash);
  if (slash != std::string::npos) parts.path = rest.substr(slash + 1);
  const bool fine = parts.scheme.empty() || parts.scheme == "http" || parts.scheme == "https";
  if (fine && !parts.host.empty() && parts.host.find('@') == std::string::npos) return parts;
  return fail(
      user_error(
          cat("Registry ", quoted(service.name), " has a `url` that is none: ", quoted(*service.text("url"))),
          "Write it as `registry.example.com/team`; logins are `docker login`'s, not the url's")
          .at(service.where));
}

// As the image says, or else its registry.
Compression compression_of(const Target& image, const Service* registry) {
  const std::string* theirs = registry == nullptr ? nullptr : registry->text("compression");
  return parse_compression(image.string_or("compression", theirs == nullptr ? "" : *theirs))
      .value_or(Compression::kGzip);
}

}  // namespace

std::string ImagePlace::text() const { return is_layout() ? "" : path_join(host, repository); }

std::string ImagePlace::address(const Sha256& digest, const std::string& tag) const {
  return cat(is_layout() ? "oci:" : cat("registry:", host, "/"), repository, ":", tag, "@",
             digest_text(digest));
}

Places::Places(const ImageServices& services)
    : services_(services), layout_(services.registries.layout(services.host, services.workspace)) {}

Registry* Places::remote(const std::string& host, const std::string& url, bool insecure) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Registry>& registry = remotes_[cat(host, " ", url, insecure ? " insecure" : "")];
  if (!registry) registry = services_.registries.remote(services_.host, host, url, insecure, services_.tally);
  return registry.get();
}

Registry* Places::remote_of(const Service& service, const std::string& scheme, const std::string& host) {
  const std::string* endpoint = service.text("endpoint");
  const Value* insecure = service.attributes.find("insecure");
  const bool plain = insecure != nullptr && insecure->boolean() != nullptr && *insecure->boolean();
  return remote(host,
                endpoint != nullptr ? *endpoint
                : scheme.empty()    ? ""
                                    : cat(scheme, "://", host),
                plain);
}

Result<Registry*> Places::at(const std::string& host) {
  if (host.empty()) return layout_.get();
  for (const std::string& name : services_.space.names("registry")) {
    const Service& service = *services_.space.find("registry", name);
    TRY_ASSIGN(const RegistryUrl url, registry_url(service));
    if (url.host == host) return remote_of(service, url.scheme, url.host);
  }
  return remote(host, "", false);
}

Result<ImagePlace> Places::of(const Target& image) {
  const std::string name = image.string_or("registry", services_.space.default_registry);
  if (name.empty()) return ImagePlace{layout_.get(), repository(image), "", compression_of(image, nullptr)};
  const Service* service = services_.space.find("registry", name);
  if (service == nullptr) {
    const std::string meant = did_you_mean(name, services_.space.names("registry"));
    return fail(user_error(cat("There is no registry ", quoted(name)),
                           meant.empty()
                               ? "Registries are declared in TRAINSPACE.lua: `registry \"hub\" { url = "
                                 "\"registry.example.com/team\" }`"
                               : meant)
                    .at(image.place_of("registry")));
  }
  TRY_ASSIGN(const RegistryUrl url, registry_url(*service));
  ImagePlace place;
  place.host = url.host;
  place.repository = path_join(url.path, repository(image));
  if (const std::string wrong = wrong_repository(place.repository); !wrong.empty())
    return fail(user_error(cat("Image ", quoted(image.label.text()), " would be ", quoted(place.repository),
                               " in the registry, and that name ", wrong),
                           "Rename the target or its folder")
                    .at(image.where));
  place.registry = remote_of(*service, url.scheme, url.host);
  place.compression = compression_of(image, service);
  return place;
}

std::vector<std::string> tags_of(const Target& image) {
  std::vector<std::string> tags = image.strings("tags");
  if (tags.empty()) tags.emplace_back("latest");
  return tags;
}

}  // namespace trainmake
