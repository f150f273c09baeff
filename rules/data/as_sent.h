// Whether what lies in a place is what was sent there, whoever wrote to it since and told nobody: compared
// with one list, which is a request for a thousand objects.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "rules/data/place.h"

namespace trainmake {

// Of more than these nobody asks: a job would cost more requests than it is worth.
inline constexpr std::size_t kMostCompared = 10'000;

// The key of an object that is not what was sent, by its size, and by its tag where that is known here; ""
// when there is none. One that is gone counts where all are needed. `on_seen` hears of every key that lies
// there.
Result<std::string> first_not_as_sent(const StorePlace& place, const Mirror& mirror, bool all_are_needed,
                                      const std::function<void(std::string_view key)>& on_seen = nullptr);

}  // namespace trainmake
