// The rows of records and runs, to and from values. The SQL that names their columns is here alone; the
// tables are in schema.sql.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/sqlite.h"
#include "engine/base/error.h"
#include "engine/model/memory.h"
#include "engine/model/record.h"

namespace trainmake {

Result<std::optional<Record>> last_record(Database& database, const Label& label);
Result<std::optional<Record>> last_record_in_brief(Database& database, const Label& label);  // no manifest
Result<std::optional<Record>> newest_record(Database& database, std::string_view label,
                                            const std::function<bool(const Manifest&)>& fits);
Result<std::optional<Record>> find_record(Database& database, std::string_view label,
                                          const Fingerprint& fingerprint);
Result<void> put_record(Database& database, const Record& record);
// Its label's. Runs of it after `turn.begun` began after this was the result.
Result<void> make_last(Database& database, const Record& record, const Precedence& turn);
Result<std::string> newest_run_of(Database& database, std::string_view label);  // its id; "" is none
Result<std::string> newest_run_of_all(Database& database);
// Whether what the label has became its result when this run was known already.
Result<bool> was_made_last_since(Database& database, std::string_view label, std::string_view run);
// Whether it did when a later run was known; "" is before the first.
Result<bool> was_made_last_after(Database& database, std::string_view label, const Precedence& turn);
// Of two ids; "" where neither is a run's.
Result<std::string> newer_of(Database& database, std::string_view one, std::string_view other);
Result<bool> began_after_result(Database& database, std::string_view label, std::string_view run);
// Whether the one of its fingerprint is of a later run, or became the label's result since its run began.
Result<bool> has_newer_record(Database& database, const Record& record);

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
Result<std::vector<Run>> runs_of(Database& database, std::string_view label);
Result<int> next_attempt_of(Database& database, std::string_view label, const Fingerprint& fingerprint);
Result<std::vector<Run>> all_runs(Database& database);
Result<std::vector<Run>> runs_in_flight(Database& database);
Result<std::vector<Run>> runs_in_flight_of(Database& database, std::string_view label);
Result<Curves> curves_of(Database& database, std::string_view run);

}  // namespace trainmake
