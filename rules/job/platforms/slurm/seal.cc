#include "rules/job/platforms/slurm/seal.h"

#include "engine/base/hash.h"

namespace trainmake {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000, kDay_s = 86'400;

std::int64_t second_of_day(std::string_view content) {
  return static_cast<std::int64_t>(digest_of(content).low % static_cast<std::uint64_t>(kDay_s));
}

}  // namespace

std::int64_t seal_of(std::string_view content, std::int64_t now_ns) {
  const std::int64_t now_s = now_ns / kSecond_ns;
  const std::int64_t since_s = (now_s - second_of_day(content)) % kDay_s;
  return (now_s - (since_s < 0 ? since_s + kDay_s : since_s)) * kSecond_ns;
}

bool is_seal_of(std::string_view content, std::int64_t mtime_ns) {
  return mtime_ns >= 0 && mtime_ns % kSecond_ns == 0 &&
         mtime_ns / kSecond_ns % kDay_s == second_of_day(content);
}

}  // namespace trainmake
