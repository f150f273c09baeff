#include "rules/job/layout_progress.h"

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::int64_t kBetween_ns = 5'000'000'000;

}  // namespace

LayoutProgress::LayoutProgress(Clock& clock, Patience patience)
    : clock_(clock), patience_(std::move(patience)), told_ns_(clock.steady_ns()) {}

void LayoutProgress::copied(std::uint64_t bytes) {
  copied_ += bytes;
  const std::int64_t now_ns = clock_.steady_ns();
  if (!patience_.say || now_ns - told_ns_ < kBetween_ns) return;
  told_ns_ = now_ns;
  patience_.say(cat("Copying its files: ", human_bytes(copied_), " of ", human_bytes(expected_)));
}

Copying LayoutProgress::copying() {
  return {patience_.stop, [this](std::uint64_t bytes) { copied(bytes); }};
}

}  // namespace trainmake
