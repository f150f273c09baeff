#include "cache/sqlite.h"

#include <sqlite3.h>

#include <cerrno>
#include <span>
#include <utility>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr int kPatience_ms = 5000;
constexpr int kNap_ms = 10;
constexpr std::string_view kRepair =
    "`trainmake gc --repair` moves it aside and keeps what can still be read";

Error full(const std::string& path) {
  return step_error(cat("Cannot write the state in ", quoted(path), ": the disk is full"),
                    "Free some room there, or name another folder with `--cache-dir`, then run it again");
}

Error error_of(sqlite3* handle, int code) {
  const char* name = handle != nullptr ? sqlite3_db_filename(handle, "main") : nullptr;
  const std::string path = name != nullptr && *name != '\0' ? name : "state.db";
  const char* detail = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  const int cause = handle != nullptr ? sqlite3_system_errno(handle) : 0;
  const bool is_of_the_system = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
  if (is_of_the_system && (cause == ENOSPC || cause == EDQUOT)) return full(path);
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return user_error(cat("Another trainmake is writing to the state in ", quoted(path)),
                        "Wait until it has ended, then try again")
          .because(Blame::kBusy);
    // SQL of ours that does not fit the tables means that they are not ours.
    case SQLITE_ERROR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return damaged_state(path, detail);
    case SQLITE_FULL:
      return full(path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return user_error(cat("Cannot write the state in ", quoted(path), ": ", detail),
                        "Check who owns the cache folder, or name another with `--cache-dir`");
    case SQLITE_IOERR:
      return step_error(cat("Cannot use the state in ", quoted(path), ": ", detail),
                        "See whether its disk is well, or name another folder with `--cache-dir`");
    default:
      return user_error(cat("Cannot use the state in ", quoted(path), ": ", detail));
  }
}

Error error_of(sqlite3_stmt* statement, int code) { return error_of(sqlite3_db_handle(statement), code); }

// A URI, so that `immutable` can be said; its path escapes what a URI reads otherwise.
std::string uri_of(const std::string& path, std::string_view query) {
  std::string uri = path.starts_with('/') ? "file://" : "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      uri += cat('%', hex_of(std::span(reinterpret_cast<const std::uint8_t*>(&c), 1)));
    } else {
      uri += c;
    }
  }
  return cat(uri, query);
}

// Write-ahead logging. A commit survives the end of the process at once, and a power cut once something that
// must (State::put) has been written through after it. Two that make the same database at once meet here, and
// SQLite does not wait in this place by itself.
int log_ahead(sqlite3* handle) {
  int code = SQLITE_BUSY;
  for (int waited_ms = 0; code == SQLITE_BUSY && waited_ms < kPatience_ms; waited_ms += kNap_ms) {
    if (waited_ms > 0) sqlite3_sleep(kNap_ms);
    code = sqlite3_exec(handle, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", nullptr, nullptr,
                        nullptr) &
           0xff;
  }
  return code;
}

}  // namespace

Error damaged_state(std::string_view path, std::string_view detail) {
  return user_error(cat("The state in ", quoted(path), " is damaged: ", detail), std::string(kRepair));
}

bool tells_damage(const Error& error) { return error.hint == kRepair; }

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)), bound_(other.bound_) {}

Statement::~Statement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Statement& Statement::text(std::string_view value) {
  const char* start = value.data() != nullptr ? value.data() : "";
  CHECK(sqlite3_bind_text64(statement_, ++bound_, start, value.size(), SQLITE_STATIC, SQLITE_UTF8) ==
        SQLITE_OK);
  return *this;
}

Statement& Statement::blob(std::string_view value) {
  const char* start = value.data() != nullptr ? value.data() : "";
  CHECK(sqlite3_bind_blob64(statement_, ++bound_, start, value.size(), SQLITE_STATIC) == SQLITE_OK);
  return *this;
}

Statement& Statement::integer(std::int64_t value) {
  CHECK(sqlite3_bind_int64(statement_, ++bound_, value) == SQLITE_OK);
  return *this;
}

Statement& Statement::real(double value) {
  CHECK(sqlite3_bind_double(statement_, ++bound_, value) == SQLITE_OK);
  return *this;
}

Statement& Statement::null() {
  CHECK(sqlite3_bind_null(statement_, ++bound_) == SQLITE_OK);
  return *this;
}

Statement& Statement::digest(const Digest128& value) {
  char bytes[16];
  for (unsigned i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(value.high >> (56U - 8U * i));
    bytes[8 + i] = static_cast<char>(value.low >> (56U - 8U * i));
  }
  CHECK(sqlite3_bind_blob(statement_, ++bound_, bytes, sizeof bytes, SQLITE_TRANSIENT) == SQLITE_OK);
  return *this;
}

Statement& Statement::copy(const Statement& row, int column) {
  CHECK(sqlite3_bind_value(statement_, ++bound_, sqlite3_column_value(row.statement_, column)) == SQLITE_OK);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return fail(error_of(statement_, code));
}

Result<void> Statement::run() {
  while (true) {
    TRY_ASSIGN(const bool more, step());
    if (!more) return {};
  }
}

std::int64_t Statement::integer_at(int column) const { return sqlite3_column_int64(statement_, column); }
double Statement::real_at(int column) const { return sqlite3_column_double(statement_, column); }
bool Statement::null_at(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
int Statement::columns() const { return sqlite3_column_count(statement_); }

std::string_view Statement::text_at(int column) const {
  const void* start = sqlite3_column_blob(statement_, column);  // a text's bytes too, as they are
  if (start == nullptr) return {};
  return {static_cast<const char*>(start),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::optional<Digest128> Statement::digest_at(int column) const {
  const std::string_view bytes = text_at(column);
  if (bytes.size() != 16) return std::nullopt;
  Digest128 digest;
  for (unsigned i = 0; i < 8; ++i) {
    digest.high = digest.high << 8U | static_cast<std::uint8_t>(bytes[i]);
    digest.low = digest.low << 8U | static_cast<std::uint8_t>(bytes[8 + i]);
  }
  return digest;
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Mode mode) {
  const bool memory = mode == Mode::kMemory, write = mode == Mode::kWrite;
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI |
                    (memory || write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
  const std::string uri = memory ? ":memory:" : uri_of(path, mode == Mode::kFrozen ? "?immutable=1" : "");
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(uri.c_str(), &handle, flags, nullptr);
  std::unique_ptr<Database> database(new Database(handle, path));
  if (code != SQLITE_OK) return fail(error_of(handle, code));
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kPatience_ms);
  if (!write) return database;
  if (const int logged = log_ahead(handle); logged != SQLITE_OK) return fail(error_of(handle, logged));
  return database;
}

Database::~Database() {
  for (const auto& [text, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

Result<void> Database::run(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(error_of(handle_, code));
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  if (const auto found = statements_.find(sql); found != statements_.end()) return Statement(found->second);
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return fail(error_of(handle_, code));
  statements_.emplace(sql, statement);
  return Statement(statement);
}

Result<std::int64_t> Database::number(std::string_view sql) {
  TRY_ASSIGN(Statement statement, prepare(sql));
  TRY_ASSIGN(const bool found, statement.step());
  if (!found) return fail(damaged_state(path_, "a table is empty"));
  return statement.integer_at(0);
}

Result<void> Database::copy_into(Database& other) {
  sqlite3_backup* backup = sqlite3_backup_init(other.handle_, "main", handle_, "main");
  if (backup == nullptr) return fail(error_of(other.handle_, sqlite3_errcode(other.handle_)));
  sqlite3_backup_step(backup, -1);
  const int code = sqlite3_backup_finish(backup);
  if (code != SQLITE_OK) return fail(error_of(other.handle_, code));
  return {};
}

Result<Transaction> Transaction::begin(Database& database) {
  TRY(database.run("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  if (database_ != nullptr) (void)database_->run("ROLLBACK");
}

Result<void> Transaction::commit() {
  TRY(database_->run("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace trainmake
