// Which of the objects of ours are not any more what we put: of what somebody else put there since, nothing
// is removed.
#pragma once

#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "rules/data/place.h"

namespace trainmake {

// Their keys. Of few each is asked for, of many a list tells most; `in_place` is how many lie there.
Result<std::set<std::string>> replaced_by_others(const StorePlace& place,
                                                 const std::vector<MirrorObject>& ours, std::size_t in_place,
                                                 const std::stop_token& stop);

}  // namespace trainmake
