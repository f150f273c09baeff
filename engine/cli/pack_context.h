// What the Dockerfiles of `export uai` add. The tools added a whole folder, whatever lay in it; where there
// is more in one than what is declared, exactly that is copied beside the Dockerfiles and added from there.
#pragma once

#include <string>
#include <vector>

#include "cache/listing.h"
#include "engine/cli/commands.h"
#include "rules/job/platforms/uai/pack/pack_files.h"

namespace trainmake {

struct PackCopy {
  std::string name;  // of the folder beside the Dockerfiles
  Listing files;
};
struct PackContext {
  std::string stranger;          // the first file that lies among the others and is not declared
  std::vector<PackCopy> copies;  // all that is added, or nothing: then they are built in the job's project
  Listing code;
};

// Looks at the files, and says in `order` which folders are added. `to` is where the Dockerfiles go. Writes
// nothing.
Result<PackContext> pack_context_of(const Call& call, const Graph& graph, const Target& job,
                                    const std::string& to, PackOrder& order);

// What lies there already and is something else stays, unless it is to be overwritten.
Result<void> check_copies(Session& session, const PackContext& context, const std::string& to);
Result<void> write_copies(const Call& call, const PackContext& context, const std::string& to);

}  // namespace trainmake
