// Layers unpacked into folders by DiffID: once on this machine for each user, whatever workspace asks.
// Whoever uses one holds a lock on it, so that nobody sweeps it away; one that is unpacked anew takes its
// place beside it, and waits for nobody who uses it. Thread rule: any thread.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "engine/base/host.h"
#include "engine/base/tree_size.h"
#include "engine/container/unpack.h"

namespace trainmake {

struct UnpackedLayer {
  std::string folder;             // never to be written to
  std::set<std::string> implied;  // as UnpackedTar has them
  FileLock in_use;
};

class UnpackedLayers {
 public:
  // `folder` as `shared_folder` says.
  UnpackedLayers(Host& host, std::string folder, UnpackLimits limits = {})
      : host_(host), folder_(std::move(folder)), limits_(limits) {}

  // Below `$XDG_CACHE_HOME/trainmake`, else `~/.cache/trainmake`; "" without either. Of root and of other
  // people they differ: owners and overlayfs's attributes do.
  static std::string shared_folder(const Environment& environment);
  // Below a folder that several machines see, and people share: one for each of these.
  static std::string folder_below(const std::string& shared);

  // Verified, it is looked at as a whole, and unpacked anew when somebody changed it.
  enum class Trust : std::uint8_t { kAsItIs, kVerify };
  // `blob` gives the path of the layer's tar, and is asked only when it has to be unpacked.
  Result<UnpackedLayer> take(const Sha256& diff_id, const std::function<Result<std::string>()>& blob,
                             const std::stop_token& stop, Trust trust = Trust::kAsItIs) const;
  // Whether it is there, as far as a look at its folder tells.
  Result<bool> has(const Sha256& diff_id) const;
  const std::string& folder() const { return folder_; }
  // Removes what nobody has taken for that long but for `needed`, and what was left half done.
  Result<Swept> collect(std::chrono::hours unused, const std::set<Sha256>& needed = {}) const;

 private:
  Result<void> put_aside(const Sha256& diff_id) const;
  Result<void> unpack(const Sha256& diff_id, const std::string& blob, const std::stop_token& stop) const;
  std::string look_of(const std::string& folder) const;
  Result<std::optional<std::set<std::string>>> implied(const Sha256& diff_id, Trust trust) const;
  std::string path(const Sha256& diff_id, std::string_view ending = "") const;

  Host& host_;
  std::string folder_;
  UnpackLimits limits_;
};

}  // namespace trainmake
