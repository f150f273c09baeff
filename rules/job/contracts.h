// Which contracts there are: those that trainmake knows, and those that TRAINSPACE.lua declares. Facts about
// platforms, as data. Knows nothing of how they are rendered.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/model/project.h"
#include "engine/model/schema.h"
#include "rules/job/contract.h"

namespace trainmake {

const Contract& default_contract();
const Contract& uai_contract();
// Where its checkpoint is, as the default contract tells a job.
inline constexpr const char* kCheckpointFolder = "TRAINMAKE_CHECKPOINT_DIR";
// Of one that is declared, the version is a digest of what it says.
Result<Contract> contract_named(const Space& space, std::string_view name);
std::vector<std::string> contract_names(const Space& space);
// By its name, where neither the platform nor who asks says another.
std::string usual_contract_of(std::string_view platform_type);
std::string usual_contract_of(const Service* platform);  // nullptr: this machine, undeclared
// What may be said of one in TRAINSPACE.lua.
const Schema& contract_schema();
// Names that are declared though they are taken, and the like: what no schema tells.
std::vector<Error> wrong_contracts(const Space& space);
// Whether it tells a job the names of its hosts.
bool names_hosts(const Contract& contract);
// Whether what it tells a job depends on the job's framework.
bool tells_framework(const Contract& contract);

}  // namespace trainmake
