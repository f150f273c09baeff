#include "lua/evaluation.h"

#include <lua5.4/lua.hpp>

#include "engine/base/hash.h"
#include "engine/base/text.h"
#include "lua/guard.h"
#include "lua/vm.h"

namespace trainmake {
namespace {

constexpr std::uint64_t kLargestFile = 64U << 20U;
constexpr int kMostLinks = 16;
constexpr std::size_t kBytesCompiledAtOnce = 2;  // in the time of an instruction

// Follows links by hand, so that each of them is looked at too: a link that points elsewhere is another file.
Result<std::string> follow(Evaluation& evaluation, std::string path) {
  FileSystem& files = evaluation.host.files;
  for (int i = 0; i < kMostLinks; ++i) {
    const std::string full = path_join(evaluation.options.root, path);
    TRY_ASSIGN(const Stat stat, files.look(full));
    if (!stat.is(FileKind::kLink)) return path;
    evaluation.looks.files.push_back({path, stat, std::nullopt});
    TRY_ASSIGN(const std::string target, files.read_link(full));
    const std::optional<std::string> inside = path_clean(path_join(path_folder(path), target));
    path = target.starts_with('/') || !inside ? path_join(path_folder(full), target) : *inside;
  }
  return fail(user_error(cat("Too many links lead on from ", quoted(path))));
}

// A byte-order mark is dropped, and `#!` becomes a comment: both are what editors and shells put there.
std::string readable(std::string text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  if (text.starts_with("#!")) text.replace(0, 2, "--");
  return text;
}

Result<void> check_text(const std::string& path, std::string_view text) {
  const auto refuse = [&](std::string_view why, std::string hint, int line) {
    return fail(user_error(cat(quoted(path), why), std::move(hint)).at({path, line}));
  };
  if (text.starts_with('\x1b')) return refuse(" is compiled Lua", "Only the source text is read", 1);
  const std::size_t zero = text.find('\0');
  if (zero == std::string_view::npos && is_utf8(text)) return {};
  int line = 1;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view here = text.substr(at, end - at);
    if (here.find('\0') != std::string_view::npos || !is_utf8(here)) break;
    at = end + 1;
    ++line;
  }
  return refuse(" is not UTF-8 text", "Save it as UTF-8", line);
}

}  // namespace

const SourceMap& Source::map() const {
  if (!lines) lines.emplace(text);
  return *lines;
}

void Evaluation::tell(Error error) {
  if (errors.size() < kMostErrors) errors.push_back(std::move(error));
}

Result<bool> read_source(Evaluation& evaluation, const std::string& path) {
  FileSystem& files = evaluation.host.files;
  TRY_ASSIGN(const std::string real, follow(evaluation, path));
  const std::string full = path_join(evaluation.options.root, real);
  TRY_ASSIGN(const Stat stat, files.look(full));
  if (!stat.exists()) {
    evaluation.looks.files.push_back({real, stat, std::nullopt});
    return false;
  }
  if (!stat.is(FileKind::kFile)) return fail(user_error(cat(quoted(path), " is not a file")));
  TRY_ASSIGN(std::string bytes, read_file(files, full, kLargestFile));
  evaluation.looks.files.push_back({real, stat, digest_of(bytes)});
  TRY(check_text(path, bytes));
  evaluation.sources[path] = Source{readable(std::move(bytes))};
  return true;
}

Result<void> compile(lua_State* state, const std::string& path, const Source& source) {
  const std::string chunk = cat("@", path);
  TRY(Vm::of(state).spend(source.text.size() / kBytesCompiledAtOnce));
  const int status = luaL_loadbufferx(state, source.text.data(), source.text.size(), chunk.c_str(), "t");
  if (status == LUA_OK) return {};
  if (status == LUA_ERRMEM) return fail(Vm::of(state).over_memory().at({path, 1}));
  return fail(take_syntax_error(state, path));
}

std::string accidental_call_hint(const Sources& sources, const Location& where) {
  const auto source = sources.find(where.file);
  if (source == sources.end()) return {};
  const std::optional<int> line = source->second.map().accidental_call(where.line);
  if (!line) return {};
  return cat(
      "Line ", *line,
      " starts with `(`, which Lua reads as a call of what stands before it; put `;` in front of that `(`");
}

}  // namespace trainmake
