// Opens state.db the way its user needs it: to write, or only to look, which makes no file and works in a
// read-only folder. Knows how SQLite keeps its files, not what stands in the tables.
#pragma once

#include <memory>
#include <string>

#include "cache/migrate.h"
#include "cache/sqlite.h"
#include "engine/base/error.h"
#include "engine/base/file_system.h"

namespace trainmake {

const Migrations& state_migrations();
std::string state_path(const std::string& cache_folder);

Result<std::unique_ptr<Database>> open_to_write(const std::string& cache_folder);

// A database to look at. Without a write-ahead log beside it the file is read as it lies, without locks:
// whoever reads checks afterwards that nobody wrote meanwhile, or reads again.
class LookedAt {
 public:
  static Result<std::unique_ptr<LookedAt>> open(const std::string& cache_folder);
  Database& database() { return *database_; }
  bool still_holds() const;

 private:
  Result<void> open_as_it_lies();
  Result<void> open_copy();
  Result<void> into_memory(Database& from);

  std::string path_;
  Stat seen_;
  bool frozen_ = false;
  std::unique_ptr<Database> database_;
};

}  // namespace trainmake
