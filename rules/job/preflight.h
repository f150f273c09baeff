// What is known to go wrong with a job before anything is built, sent or submitted for it: a path that it is
// given and that no file lies at, a main file that Python cannot read. Where something is not known yet, as
// what another job will leave, nothing is said. Read-only.
#pragma once

#include "rules/job/entry.h"
#include "rules/job/python_check.h"
#include "rules/job/services.h"
#include "rules/job/upstream.h"

namespace trainmake {

// A job by what a platform is asked about it.
struct Applicant {
  Outlook outlook;
  std::vector<std::string> secrets;             // names
  Location resources_at = {}, secrets_at = {};  // where a TRAINFILE says them
};
// What cannot be told now is when it is its turn.
Applicant applicant_of(const JobServices& services, const Subject& subject);
Applicant applicant_of(const JobSpec& spec);

// Whether the platform could run it, and has a place for all that it is given.
Result<void> check_platform(const JobServices& services, const Applicant& job, Asking asking);

// Whether its image has a variant for the machines that it would be paid for on.
Result<void> check_paid_variant(const JobServices& services, const Subject& job);

// All that is wrong, as one error; several are told apart by each_of.
Result<void> check_before(const JobServices& services, Listings& listings, PythonCheck& python,
                          const Subject& job, const Entry& entry);

}  // namespace trainmake
