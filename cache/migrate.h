// Brings a database to the schema that this program knows: makes it, raises it step by step, or refuses it as
// newer. Knows the number of a schema, not its tables.
#pragma once

#include <span>

#include "cache/sqlite.h"
#include "engine/base/error.h"

namespace trainmake {

struct Migrations {
  const char* newest;                  // makes the newest in an empty database
  std::span<const char* const> steps;  // step n, from 0, raises schema n+1 to n+2

  int version() const { return static_cast<int>(steps.size()) + 1; }
};

// 0 for an empty database. One of a newer program is an error.
Result<int> schema_version(Database& database, const Migrations& migrations);
// In one transaction: all of it, or nothing.
Result<void> raise_schema(Database& database, const Migrations& migrations);

}  // namespace trainmake
