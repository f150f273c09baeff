// The rows of records and runs, to and from values. The SQL that names their columns is here alone; the
// tables are in schema.sql.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/sqlite.h"
#include "engine/base/error.h"
#include "engine/model/record.h"

namespace trainmake {

Result<std::optional<Record>> last_record(Database& database, const Label& label);
Result<std::optional<Record>> find_record(Database& database, std::string_view label,
                                          const Fingerprint& fingerprint);
Result<void> put_record(Database& database, const Record& record);
Result<void> make_last(Database& database, const Record& record);  // its label's

struct RecordKey {
  std::string label;
  Fingerprint fingerprint;
  bool is_last = false;
};
Result<std::vector<RecordKey>> record_keys(Database& database);
Result<void> drop_record(Database& database, std::string_view label,
                         const Fingerprint& fingerprint);  // unless it is the last
Result<void> drop_unused_manifests(Database& database);

// What the attached database `other` has and `main` has not; a run that is over here without success gives
// way to one that succeeded there.
Result<void> add_other(Database& database);

Result<void> put_run(Database& database, const Run& run);
Result<std::optional<Run>> find_run(Database& database, std::string_view id);
// The newest first.
Result<std::vector<Run>> runs_of(Database& database, std::string_view label, const Fingerprint& fingerprint);
Result<std::vector<Run>> all_runs(Database& database);

}  // namespace trainmake
