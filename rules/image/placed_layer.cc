#include "rules/image/placed_layer.h"

#include "engine/base/text.h"
#include "rules/image/registry.h"

namespace trainmake {

Result<void> fetch(const PlacedBlob& wanted, const ImageStore& store, const std::stop_token& stop) {
  TRY_ASSIGN(const std::optional<std::uint64_t> here, store.size_of(wanted.blob.digest, nullptr));
  if (here == wanted.blob.size) return {};
  const bool is_elsewhere = wanted.from != nullptr && !wanted.from->host().empty();
  if (!is_elsewhere)
    return fail(step_error(
        cat("The blob sha256:", wanted.blob.digest.hex(), " is neither here nor in a registry any more"),
        "`--force` on the image that it is of, which may be the base, makes it again"));
  TRY_ASSIGN(const BlobRef made, store.make(wanted.blob.media_type, [&](const ByteSink& out) {
    return wanted.from->read(wanted.repository, wanted.blob, out, stop);
  }));
  CHECK(made.digest == wanted.blob.digest);
  return {};
}

}  // namespace trainmake
