#include "rules/data/transfer.h"

namespace trainmake {
namespace {

constexpr std::int64_t kTellEvery_ns = 20'000'000'000;

}  // namespace

Transfer::Transfer(Host& host, const Workspace& workspace, const StorePlace& place, const Label& label,
                   const Listing& listing, const MirrorChange& changed)
    : host_(host),
      workspace_(workspace),
      place_(place),
      label_(label),
      listing_(listing),
      changed_(changed) {}

Result<void> Transfer::announce() {
  if (changed_.send.empty() && changed_.remove.empty()) return {};
  return tell();
}

Result<void> Transfer::run(const Doing& doing) {
  if (auto moved = move(doing); !moved) {
    // Worth a try: what failed is what counts.
    static_cast<void>(tell());
    return moved;
  }
  return tell();
}

Result<void> Transfer::move(const Doing& doing) {
  // First, because a folder's key may have become a file's, or the other way round.
  for (const std::string& key : changed_.remove) {
    TRY(go_on(doing));
    TRY(place_.store->remove(place_.key(key)));
    ++removed_;
    doing.tally.deleted_objects += 1;
  }
  std::uint64_t bytes = 0;
  for (const ListedFile* file : changed_.send) {
    TRY(go_on(doing));
    TRY(place_.store->put_file(place_.key(file->key), workspace_.path(file->source), file->content,
                               doing.stop));
    ++sent_;
    bytes += file->size;
    doing.tally.uploaded_objects += 1;
    doing.tally.uploaded_bytes += file->size;
    doing.events(Progress{label_, "uploading", bytes, changed_.bytes, true});
  }
  return {};
}

Result<void> Transfer::go_on(const Doing& doing) {
  if (doing.stop.stop_requested()) return fail(interrupted_error());
  if (host_.clock.steady_ns() - told_ns_ < kTellEvery_ns) return {};
  return tell();
}

Result<void> Transfer::tell() {
  told_ns_ = host_.clock.steady_ns();
  return place_.write(midway(listing_, label_.text(), changed_, sent_, removed_));
}

}  // namespace trainmake
