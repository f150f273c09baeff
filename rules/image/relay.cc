#include "rules/image/relay.h"

namespace trainmake {

Relay::Relay(Registry& registry, const std::string& repository, const std::stop_token& stop)
    : on_stop_(stop, [this] { blob_.give_up(); }), sending_([this, &registry, repository, stop] {
        arrived_ = registry.put(repository, blob_, stop).has_value();
        blob_.drop();  // nobody takes what still comes
        is_over_ = true;
      }) {}

Relay::~Relay() { blob_.give_up(); }

ByteSink Relay::sink() {
  return [this](std::string_view bytes) {
    blob_.add(bytes);
    return Result<void>();
  };
}

void Relay::end(const BlobRef& layer) {
  layer_ = layer;
  blob_.end(layer);
}

bool Relay::wait() {
  sending_.join();
  return arrived_;
}

}  // namespace trainmake
