// Whether what a job read in a store lay there all the time: compared, when the job is over, with a mark of
// what lay there when it was submitted. Whoever may write there may have replaced it meanwhile, and brought
// it back. Knows no job, and no target: what the place is called now does not matter. Thread rule: any
// thread.
#pragma once

#include <string>
#include <string_view>

#include "cache/listing.h"
#include "rules/data/data_places.h"
#include "rules/data/mirror.h"

namespace trainmake {

// Of what lies at a `url` and is not ours: its list tells all that there is to know.
inline constexpr std::string_view kListedMark = "listed";
// Of a place of ours, whose manifest object has that tag: another one once anybody sent there.
std::string mark_of(const Mirror& mirror, const std::string& tag);

// `address` is `store:bucket/mnist`, and `files` what lay there. One list, and of a place of ours one
// question for its manifest object before.
Result<bool> is_stored_as_marked(const StoreServices& services, DataPlaces& places,
                                 const std::string& address, std::string_view mark, const Listing& files);

}  // namespace trainmake
