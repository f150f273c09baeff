// Sends a layer while it is made, beside making it. When that fails it is of no matter: the layer lies in the
// store then, and is sent from there, which can be begun again.
#pragma once

#include <atomic>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>

#include "rules/image/blob_source.h"

namespace trainmake {

// Layers of less are sent when they are made.
inline constexpr std::uint64_t kRelayedBytes = std::uint64_t{8} << 20U;

class Relay {
 public:
  Relay(Registry& registry, const std::string& repository, const std::stop_token& stop);
  ~Relay();  // gives up what is still on its way

  ByteSink sink();                           // never fails
  void end(const BlobRef& layer);            // that was all
  bool wait();                               // for its end: whether the layer is there
  bool is_over() const { return is_over_; }  // one way or the other: it holds no more memory
  const BlobRef& layer() const { return layer_; }

 private:
  RelayedBlob blob_;
  BlobRef layer_;
  bool arrived_ = false;
  std::atomic<bool> is_over_ = false;
  const std::stop_callback<std::function<void()>> on_stop_;
  std::jthread sending_;  // last: it works with what stands above
};

}  // namespace trainmake
