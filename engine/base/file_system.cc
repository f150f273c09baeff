// Whole small files, over any FileSystem; and what a FileReader can do by reading alone.
#include "engine/base/file_system.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {

namespace {

Result<std::string> read_all(FileReader& reader, const std::string& path, std::uint64_t limit) {
  TRY_ASSIGN(const Stat stat, reader.stat());
  std::string content;
  std::size_t filled = 0;
  // One byte more than expected, so that the end is met without growing.
  content.resize(static_cast<std::size_t>(std::min(stat.size, limit)) + 1);
  while (true) {
    TRY_ASSIGN(const std::size_t count, reader.read(std::span(content).subspan(filled)));
    if (count == 0) break;
    filled += count;
    if (filled > limit) {
      return fail(user_error(cat("Cannot read ", quoted(path), ": it is larger than ", human_bytes(limit))));
    }
    if (filled == content.size()) content.resize(2 * content.size());
  }
  content.resize(filled);
  return content;
}

}  // namespace

Result<void> FileReader::skip(std::uint64_t bytes) {
  std::string dropped(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, 64U * 1024U)), '\0');
  while (bytes > 0) {
    const std::size_t piece = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, dropped.size()));
    TRY_ASSIGN(const std::size_t count, read(std::span(dropped).first(piece)));
    if (count == 0) return {};
    bytes -= count;
  }
  return {};
}

Result<std::unique_ptr<FileReader>> FileWriter::take_copy(const std::string&, const std::stop_token&) {
  return nullptr;
}

Result<std::string> read_file(FileSystem& files, const std::string& path, std::uint64_t limit) {
  TRY_ASSIGN(const auto reader, files.open(path));
  return read_all(*reader, path, limit);
}

Result<std::optional<std::string>> read_file_if_there(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const Stat stat, files.look(path, Links::kFollow));
  if (!stat.exists()) return std::nullopt;
  auto content = read_file(files, path);
  if (content) return std::optional<std::string>(std::move(*content));
  // It may have gone between the look and the open.
  TRY_ASSIGN(const Stat now, files.look(path, Links::kFollow));
  if (!now.exists()) return std::nullopt;
  return fail(std::move(content).error());
}

Result<void> write_file(FileSystem& files, const std::string& path, std::string_view bytes,
                        const WriteOptions& options) {
  TRY_ASSIGN(const auto writer, files.create(path, options));
  TRY(writer->append(bytes));
  return writer->commit();
}

Result<void> read_pieces(FileSystem& files, const std::string& path, const std::stop_token& stop,
                         const std::function<Result<void>(std::string_view)>& each) {
  TRY_ASSIGN(const std::unique_ptr<FileReader> reader, files.open(path));
  return read_pieces(*reader, stop, each);
}

Result<void> read_pieces(FileReader& reader, const std::stop_token& stop,
                         const std::function<Result<void>(std::string_view)>& each) {
  constexpr std::size_t kPiece = 256 * 1024;
  const auto buffer = std::make_unique_for_overwrite<char[]>(kPiece);
  while (true) {
    if (stop.stop_requested()) return fail(interrupted_error());
    TRY_ASSIGN(const std::size_t count, reader.read({buffer.get(), kPiece}));
    if (count == 0) return {};
    TRY(each(std::string_view(buffer.get(), count)));
  }
}

Result<std::string> link_between(FileSystem& files, const std::string& base, std::string_view path) {
  for (std::size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
    std::string folder = path_join(base, path.substr(0, slash));
    TRY_ASSIGN(const Stat stat, files.look(folder));
    if (stat.is(FileKind::kLink)) return folder;
    if (!stat.exists()) break;
  }
  return std::string();
}

Result<std::string> follow_links(FileSystem& files, std::string_view path) {
  const LinkTexts text_of = [&](const std::string& passed) -> Result<std::optional<std::string>> {
    TRY_ASSIGN(const Stat stat, files.look(passed));
    if (!stat.is(FileKind::kLink)) return std::optional<std::string>();
    return files.read_link(passed);
  };
  return follow_links(text_of, "/", path);
}

Result<std::string> follow_links(const LinkTexts& text_of, std::string folder, std::string_view path) {
  constexpr int kMostLinks = 40;  // as the kernel has it
  std::vector<std::string> left;  // names still to go, the next one last
  const auto push = [&left](std::string_view names) {
    std::vector<std::string> parts = split(names, '/');
    left.insert(left.end(), std::make_move_iterator(parts.rbegin()), std::make_move_iterator(parts.rend()));
  };
  push(path);
  std::string at = std::move(folder);
  for (int links = 0; !left.empty();) {
    const std::string name = std::move(left.back());
    left.pop_back();
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      at = std::string(path_folder(at));
      if (at.empty()) at = "/";
      continue;
    }
    const std::string next = path_join(at, name);
    TRY_ASSIGN(const std::optional<std::string> text, text_of(next));
    if (!text) {
      at = next;
      continue;
    }
    if (++links > kMostLinks) return fail(step_error(cat("Too many links lead on from ", quoted(path))));
    if (text->starts_with('/')) at = "/";
    push(*text);
  }
  return at;
}

}  // namespace trainmake
