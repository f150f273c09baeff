// The state database `state.db` (SQLite, WAL): what was built, which runs there were. Schema in schema.sql,
// raised by real migrations; one of a newer program is refused, a damaged one is told with its way out. No
// absolute path stands in it, so a cache folder may be moved. Only this and what it is made of (sqlite,
// migrate, state_database) know of SQLite. Thread rule: one thread, its owner.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/model/memory.h"

namespace trainmake {

class State final : public Memory, public Runs {
 public:
  enum class Access : std::uint8_t {
    kWrite,  // made when missing
    kLook,   // never writes, works in a read-only folder; an empty state when there is none
  };
  static Result<std::unique_ptr<State>> open(const std::string& cache_folder, Access access);
  ~State() override;

  Result<std::optional<Record>> last(const Label& label) override;
  Result<std::optional<Record>> last_in_brief(const Label& label) override;
  Result<std::optional<Record>> find(const Label& label, const Fingerprint& fingerprint) override;
  Result<std::optional<Record>> newest(const Label& label,
                                       const std::function<bool(const Manifest&)>& fits) override;
  Result<void> remember(const Record& record) override;
  Result<std::string> newest_run() override;
  Result<std::string> newest_run(const Label& label) override;
  Result<void> remember_in_turn(const Record& record, const Precedence& turn) override;
  // The same, of a job that was left to itself. What was remembered since its run began stays: as the label's
  // result, and as the one of this fingerprint. REQUIRES: the run is known.
  Result<void> remember_late(const Record& record);
  // Whether the run began after its label got the result that it has. False when the label has none.
  Result<bool> began_after_result(const Run& run);

  Result<void> put(const Run& run) override;
  Result<std::optional<Run>> get(std::string_view id) override;
  Result<std::vector<Run>> of(const Label& label, const Fingerprint& fingerprint) override;
  Result<std::vector<Run>> of(const Label& label) override;
  Result<std::vector<Run>> all() override;
  Result<int> next_attempt(const Label& label, const Fingerprint& fingerprint) override;
  Result<std::vector<Run>> in_flight() override;
  Result<std::vector<Run>> in_flight(const Label& label) override;
  Result<Curves> curves(std::string_view id) override;

  Result<std::uint64_t> generation() override;

  // For gc: every record, and a way to drop one that is not the last of its label.
  Result<void> each_record(const std::function<void(const Record&, bool is_last)>& visit);
  Result<void> forget(const Label& label, const Fingerprint& fingerprint);
  Result<void> compact();
  // Adds the records and runs of another database, of our schema and sound, that are not known here; a run
  // that did not succeed here gives way to one that succeeded there.
  Result<void> add_from(const std::string& path);
  // A consistent copy, in place of what is at `path`.
  Result<void> copy_to(const std::string& path);

  // Moves a damaged database aside and starts one with what can still be read; returns where the old one is,
  // or "" when it was sound (or there was none) and nothing was done.
  static Result<std::string> repair(const std::string& cache_folder);
  static constexpr int kSchemaVersion = 6;

 private:
  struct Inside;
  explicit State(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace trainmake
