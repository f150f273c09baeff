#include "rules/data/lease.h"

#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "engine/base/hash.h"
#include "engine/base/text.h"
#include "rules/data/place.h"

namespace trainmake {
namespace {

// Each is another, or two tellings would have one tag; but one whose answer was lost is told again as it was.
std::string note(const std::string& by, std::uint64_t told, bool has_left) {
  return nlohmann::ordered_json{{"format", 1}, {"by", by}, {"told", told}, {"left", has_left}}.dump() + "\n";
}

bool has_left(const std::string& note) {
  const auto json = nlohmann::json::parse(note, nullptr, false);
  const auto left = json.find("left");
  return left != json.end() && *left == true;
}

}  // namespace

std::string new_writer() {
  std::random_device random;
  return Digest128{(std::uint64_t{random()} << 32U) | random(), (std::uint64_t{random()} << 32U) | random()}
      .hex();
}

Result<LeaseSeen> read_lease(const StorePlace& place, const std::string& writer) {
  TRY_ASSIGN(const std::optional<ObjectBytes> found, place.store->get(place.lease_key(writer)));
  if (!found) return LeaseSeen{};
  return LeaseSeen{found->tag, found->age_s, has_left(found->bytes)};
}

Result<bool> take_lease(const StorePlace& place, const std::string& writer, const LeaseSeen& seen) {
  TRY_ASSIGN(const std::optional<std::string> tag,
             place.store->put(place.lease_key(writer), note(new_writer(), 1, false), seen.tag));
  return tag.has_value();
}

void forget_leases(const StorePlace& place, const std::set<std::string>& writers) {
  std::vector<std::string> keys;
  for (const std::string& writer : writers) {
    if (!writer.empty()) keys.push_back(place.lease_key(writer));
  }
  // One that stays does no harm.
  if (!keys.empty()) (void)place.store->remove(keys, [](bool) { return Result<void>(); });
}

Result<bool> Lease::tell(bool has_left, const std::stop_token& stop) {
  const bool took_conditions = place_.store->takes_conditions();
  const auto put = [&] {
    return place_.store->put(place_.lease_key(writer_), note(writer_, told_ + 1, has_left), tag_, stop);
  };
  TRY_ASSIGN(std::optional<std::string> tag, put());
  // It just proved to take none.
  if (!tag && took_conditions && !place_.store->takes_conditions()) {
    TRY_ASSIGN(tag, put());
  }
  if (!tag) return false;
  ++told_;
  tag_ = *std::move(tag);
  return true;
}

}  // namespace trainmake
