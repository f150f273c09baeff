// The ledgers of a cache folder: of which places they are, and which of them nobody needs any more. What one
// says is `ledger`'s. Thread rule: one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/host.h"

namespace trainmake {

// The places of the ledgers that were written last.
Result<std::vector<std::string>> latest_places(FileSystem& files, const std::string& cache_folder,
                                               std::size_t most);
// Removes what is known of places whose name ends with `mark`, snapshots, but of the newest ones and of those
// that were cut: of an older one the store tells. How many bytes that were.
Result<std::uint64_t> collect_snapshots(FileSystem& files, const std::string& cache_folder,
                                        std::string_view mark, std::size_t kept);

}  // namespace trainmake
