#include "rules/image/places.h"

#include <algorithm>

#include "engine/base/text.h"
#include "rules/image/reference.h"
#include "rules/image/registry_service.h"

namespace trainmake {
namespace {

std::string repository(const Target& image) { return path_join(image.label.folder, image.label.name); }

std::string flat(std::string name) {
  std::replace(name.begin(), name.end(), '/', '-');
  return name;
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

Registry* Places::remote(const RemotePlace& place) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Registry>& registry =
      remotes_[cat(place.host, "\n", place.url, "\n", place.ca, place.insecure ? "\ninsecure" : "")];
  if (!registry)
    registry = services_.registries.remote(services_.host, place, services_.tally,
                                           [this](std::string why) { tell(std::move(why)); });
  return registry.get();
}

Places::Listening Places::listen(WaitNotice tell) {
  const std::lock_guard lock(mutex_);
  return {*this, listeners_.insert(listeners_.end(), std::move(tell))};
}

Places::Listening::~Listening() {
  const std::lock_guard lock(places_.mutex_);
  places_.listeners_.erase(at_);
  places_.told_.clear();
}

// Held meanwhile: whoever listens is there until it has been told.
void Places::tell(std::string why) {
  const std::lock_guard lock(mutex_);
  if (listeners_.empty() || why == told_) return;  // requests that go out together wait together
  told_ = why;
  listeners_.back()(std::move(why));
}

Result<Registry*> Places::at(const std::string& host) {
  if (host.empty()) return layout_.get();
  const Service* first = nullptr;
  RemotePlace place{host};
  for (const std::string& name : services_.space.names("registry")) {
    const Service& service = *services_.space.find("registry", name);
    TRY_ASSIGN(const RegistryService read, read_registry_service(service, services_.workspace));
    if (read.place.host != host) continue;
    if (first != nullptr && read.place != place)
      return fail(
          user_error(cat("Registries ", quoted(first->name), " and ", quoted(name), " are both at ",
                         quoted(host), ", and reach it in different ways"),
                     "Give both the same `endpoint`, `insecure` and `ca`, and the same scheme in `url`")
              .at(service.where));
    first = &service;
    place = read.place;
  }
  return remote(place);
}

Result<ImagePlace> Places::of(const Target& image) {
  const std::string name = image.string_or("registry", services_.space.default_registry);
  if (name.empty())
    return ImagePlace{layout_.get(), repository(image), "", "", compression_of(image, nullptr)};
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
  TRY_ASSIGN(const RegistryService read, read_registry_service(*service, services_.workspace));
  ImagePlace place;
  place.host = read.place.host;
  place.repository = path_join(read.path, read.is_flat ? flat(repository(image)) : repository(image));
  if (const std::string wrong = wrong_repository(place.repository); !wrong.empty())
    return fail(
        user_error(cat("Image ", quoted(image.label.shortest_from(services_.workspace.here)), " would be ",
                       quoted(place.repository), " in the registry, and that name ", wrong),
                   "Rename the target or its folder")
            .at(image.where));
  place.registry = remote(read.place);
  if (const std::string* endpoint = service->text("endpoint")) place.endpoint = *endpoint;
  place.compression = compression_of(image, service);
  return place;
}

std::vector<std::string> tags_of(const Target& image) {
  std::vector<std::string> tags = image.strings("tags");
  if (tags.empty()) tags.emplace_back("latest");
  return tags;
}

}  // namespace trainmake
