// SQLite as values: a database, statements that are prepared once, transactions that roll back unless
// committed. The only place that sees sqlite3.h. Knows no tables. Thread rule: one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/hash.h"

struct sqlite3;
struct sqlite3_stmt;

namespace trainmake {

// The error for a database that cannot be read as what it is, with the way out; and whether an error is that
// one.
Error damaged_state(std::string_view path, std::string_view detail);
bool tells_damage(const Error& error);

// A prepared statement in use. Bound texts and blobs must live until it has been stepped through; columns
// until the next step.
class Statement {
 public:
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();  // ready for its next use

  Statement& text(std::string_view value);
  Statement& blob(std::string_view value);
  Statement& integer(std::int64_t value);
  Statement& real(double value);
  Statement& null();
  Statement& digest(const Digest128& value);
  Statement& copy(const Statement& row, int column);  // whatever stands there

  Result<bool> step();  // true: there is a row
  Result<void> run();   // to the end, dropping rows

  std::int64_t integer_at(int column) const;
  double real_at(int column) const;
  std::string_view text_at(int column) const;  // of a blob too
  bool null_at(int column) const;
  std::optional<Digest128> digest_at(int column) const;
  int columns() const;

 private:
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

class Database {
 public:
  enum class Mode : std::uint8_t {
    kWrite,   // made when missing
    kRead,    // sees what others write meanwhile; needs the files that they make beside
    kFrozen,  // needs nothing beside, and is right while nobody writes
    kMemory,  // a new one, of no file
  };
  static Result<std::unique_ptr<Database>> open(const std::string& path, Mode mode);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Statements without values, one after the other.
  Result<void> run(const char* sql);
  // The same text gives the same prepared statement: do not nest two uses of it.
  Result<Statement> prepare(std::string_view sql);
  Result<std::int64_t> number(std::string_view sql);  // the one value that `sql` asks for
  Result<void> copy_into(Database& other);
  const std::string& path() const { return path_; }

 private:
  Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}

  sqlite3* handle_;
  std::string path_;
  std::map<std::string, sqlite3_stmt*, std::less<>> statements_;
};

// A transaction that writes.
class Transaction {
 public:
  // Waits for other writers, then fails with Blame::kBusy.
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace trainmake
