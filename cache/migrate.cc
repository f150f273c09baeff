#include "cache/migrate.h"

#include "engine/base/text.h"

namespace trainmake {

Result<int> schema_version(Database& database, const Migrations& migrations) {
  // A view or a trigger runs what it likes where we read and write.
  TRY_ASSIGN(const std::int64_t foreign,
             database.number("SELECT count(*) FROM sqlite_schema WHERE sql NOT LIKE 'CREATE TABLE %' AND sql "
                             "NOT LIKE 'CREATE INDEX %' AND sql NOT LIKE 'CREATE UNIQUE INDEX %'"));
  if (foreign != 0) return fail(damaged_state(database.path(), "it has more than tables in it"));
  TRY_ASSIGN(const std::int64_t version, database.number("PRAGMA user_version"));
  if (version < 0) return fail(damaged_state(database.path(), cat("its schema is ", version)));
  if (version > migrations.version()) {
    return fail(user_error(cat("The state in ", quoted(database.path()), " is of a newer trainmake (schema ",
                               version, ", this one knows ", migrations.version(), ")"),
                           "Use that newer trainmake, or name another cache folder with `--cache-dir`"));
  }
  return static_cast<int>(version);
}

Result<void> raise_schema(Database& database, const Migrations& migrations) {
  TRY_ASSIGN(int version, schema_version(database, migrations));
  if (version == migrations.version()) return {};
  TRY_ASSIGN(Transaction transaction, Transaction::begin(database));
  TRY_ASSIGN(version, schema_version(database, migrations));  // somebody else may have raised it meanwhile
  if (version == 0) {
    TRY_ASSIGN(const std::int64_t tables, database.number("SELECT count(*) FROM sqlite_schema"));
    if (tables != 0) return fail(damaged_state(database.path(), "it has tables of something else"));
    TRY(database.run(migrations.newest));
    version = migrations.version();
  }
  for (; version < migrations.version(); ++version)
    TRY(database.run(migrations.steps[static_cast<std::size_t>(version) - 1]));
  TRY(database.run(cat("PRAGMA user_version = ", version).c_str()));
  return transaction.commit();
}

}  // namespace trainmake
