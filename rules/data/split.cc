#include "rules/data/split.h"

#include <algorithm>
#include <utility>

#include "cache/file_digests.h"
#include "engine/base/byte_count.h"
#include "engine/base/text.h"
#include "rules/data/file_and_folder.h"

namespace trainmake {
namespace {

constexpr std::size_t kMostParts = 9999;  // their names have four digits

std::string part_name(const std::string& key, std::size_t number) {
  std::string digits = cat(number);
  digits.insert(0, 4 - digits.size(), '0');
  return cat(key, "-part", digits);
}

Error changed(const std::string& source) {
  return step_error(cat(quoted(source), " changed while it was read"),
                    "Run it again when nobody writes it any more");
}

}  // namespace

std::vector<Error> wrong_split(const Value& split) {
  if (parse_byte_count(*split.string())) return {};
  return {user_error(cat("`split` is ", quoted(*split.string()), ", which is no size"),
                     "Write how large a part is at most, as \"128MiB\"")};
}

std::optional<std::uint64_t> part_bytes_of(const Target& target) {
  return parse_byte_count(target.string_or("split", ""));
}

Result<Listing> Splitter::split(const Listing& files, std::uint64_t part_bytes) {
  Listing all;
  for (const ListedFile& file : files) {
    if (file.source.empty() || file.size <= part_bytes) {
      all.push_back(file);
      continue;
    }
    if ((file.size - 1) / part_bytes >= kMostParts)
      return fail(user_error(cat(quoted(file.source), " has ", human_bytes(file.size),
                                 ", which is more than ", kMostParts, " parts of ", human_bytes(part_bytes)),
                             "Give `split` a larger size"));
    const std::string path = kept_in(file, part_bytes);
    TRY_ASSIGN(const std::vector<Part> parts, parts_of(file, part_bytes));
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const std::uint64_t offset = i * part_bytes;
      all.push_back({part_name(file.key, i + 1), "", "", std::min(part_bytes, file.size - offset), file.mode,
                     parts[i].content, parts[i].sha256});
      origins_[parts[i].sha256] = {file.source, offset, path};
    }
  }
  const auto by_key = [](const ListedFile& a, const ListedFile& b) { return a.key < b.key; };
  std::stable_sort(all.begin(), all.end(), by_key);
  const auto twice = std::adjacent_find(
      all.begin(), all.end(), [](const ListedFile& a, const ListedFile& b) { return a.key == b.key; });
  if (twice != all.end())
    return fail(user_error(
        cat("A part of a large file would be ", quoted(twice->key), ", and there is a file of that name"),
        "Leave that one out, with `exclude`; or do without `split`"));
  if (const auto both = find_file_and_folder(all))
    return fail(user_error(cat("A part of a large file would be ", quoted(both->first), ", and ",
                               quoted(both->second), " lies in a folder of that name"),
                           "Leave that one out, with `exclude`; or do without `split`"));
  return all;
}

std::string Splitter::kept_in(const ListedFile& file, std::uint64_t part_bytes) const {
  const std::string name = digest_of(cat(file.content.hex(), " ", file.size, " ", part_bytes)).hex();
  return path_join(path_join(workspace_.cache, kSplitFolder), name);
}

// A line each, and last the digest of these. What is damaged is as good as never read. Who only looks writes
// nothing.
Result<std::vector<Splitter::Part>> Splitter::parts_of(const ListedFile& file, std::uint64_t part_bytes) {
  const std::string path = kept_in(file, part_bytes);
  const auto signature = [&](std::string_view lines) {
    return digest_of(cat(path_name(path), "\n", lines)).hex();
  };
  TRY_ASSIGN(const std::string text, text_of(path));
  const std::size_t size_of_lines = text.rfind('\n') + 1;
  const std::string_view lines = std::string_view(text).substr(0, size_of_lines);
  std::vector<Part> parts;
  if (text.substr(size_of_lines) == signature(lines)) {
    for (const std::string& line : trainmake::split(lines, '\n')) {
      const std::vector<std::string> words = trainmake::split(line, ' ');
      if (words.size() != 2) continue;
      const std::optional<Sha256> sha256 = Sha256::parse(words[0]);
      const std::optional<Digest128> content = Digest128::parse(words[1]);
      if (sha256 && content) parts.push_back({*sha256, *content});
    }
  }
  if (parts.size() == (file.size - 1) / part_bytes + 1) return parts;
  TRY_ASSIGN(parts, read_parts(file, part_bytes));
  std::string all;
  for (const Part& part : parts) all += cat(part.sha256.hex(), " ", part.content.hex(), "\n");
  const std::lock_guard lock(mutex_);
  unkept_.insert_or_assign(path, cat(all, signature(all)));
  return parts;
}

// What is kept at that path, or is to be.
Result<std::string> Splitter::text_of(const std::string& path) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto read = unkept_.find(path); read != unkept_.end()) return read->second;
  }
  TRY_ASSIGN(std::optional<std::string> kept, read_file_if_there(host_.files, path));
  return std::move(kept).value_or("");
}

Result<void> Splitter::keep(const std::string& path) {
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    const auto read = unkept_.extract(path);
    if (read.empty()) return {};
    text = std::move(read.mapped());
  }
  return write_file(host_.files, path, text);
}

Result<std::vector<Splitter::Part>> Splitter::read_parts(const ListedFile& file, std::uint64_t part_bytes) {
  std::vector<Part> parts;
  ContentHasher whole;
  std::optional<ContentHasher> content;
  Sha256Hasher sha256;
  std::uint64_t in_part = 0;
  const auto end_part = [&] {
    parts.push_back({sha256.finish(), content->finish()});
    content.reset();
    in_part = 0;
  };
  TRY(read_pieces(host_.files, workspace_.path(file.source), {}, [&](std::string_view bytes) -> Result<void> {
    whole.add(bytes);
    while (!bytes.empty()) {
      if (!content) {
        content.emplace();
        sha256 = Sha256Hasher();
      }
      const std::string_view its = bytes.substr(0, part_bytes - in_part);
      content->add(its);
      sha256.raw(its);
      in_part += its.size();
      bytes.remove_prefix(its.size());
      if (in_part == part_bytes) end_part();
    }
    return {};
  }));
  if (content) end_part();
  if (whole.finish() != file.content) return fail(changed(file.source));
  return parts;
}

std::optional<Splitter::Origin> Splitter::origin_of(const Sha256& part) {
  const std::lock_guard lock(mutex_);
  const auto known = origins_.find(part);
  return known == origins_.end() ? std::nullopt : std::optional(known->second);
}

Result<void> Splitter::cut(const Listing& files, const Label& label, const Doing& doing) {
  std::vector<std::pair<const ListedFile*, Origin>> missing;
  std::uint64_t total = 0, done = 0;
  for (const ListedFile& file : files) {
    const std::optional<Origin> origin = origin_of(file.sha256);
    if (!file.source.empty() || !origin) continue;
    TRY(keep(origin->kept_in));
    TRY_ASSIGN(const bool there, blobs_.has(file.sha256));
    if (there) continue;
    missing.emplace_back(&file, *origin);
    total += file.size;
  }
  for (const auto& [part, origin] : missing) {
    doing.events(Progress{label, "cutting", done, total, true});
    TRY(cut_one(*part, origin, doing));
    done += part->size;
  }
  return {};
}

Result<void> Splitter::cut_one(const ListedFile& part, const Origin& origin, const Doing& doing) {
  TRY_ASSIGN(const std::unique_ptr<FileReader> reader, host_.files.open(workspace_.path(origin.source)));
  TRY(reader->skip(origin.offset));
  std::string buffer(std::min<std::uint64_t>(part.size, 1U << 20U), '\0');
  TRY_ASSIGN(const Sha256 got, blobs_.put_pieces([&](const Blobs::Sink& sink) -> Result<void> {
    for (std::uint64_t left = part.size; left > 0;) {
      if (doing.stop.stop_requested()) return fail(interrupted_error());
      const std::size_t wanted = std::min<std::uint64_t>(left, buffer.size());
      TRY_ASSIGN(const std::size_t size, reader->read(std::span(buffer.data(), wanted)));
      if (size == 0) break;
      TRY(sink(std::string_view(buffer.data(), size)));
      left -= size;
    }
    return {};
  }));
  if (got == part.sha256) return {};
  TRY(host_.files.remove(origin.kept_in));  // should that be what is wrong
  return fail(changed(origin.source));
}

Result<bool> Splitter::are_cut(const Listing& files) {
  for (const ListedFile& file : files) {
    if (!file.source.empty() || is_folder(file.key)) continue;
    TRY_ASSIGN(const bool there, blobs_.has(file.sha256));
    if (!there) return false;
  }
  return true;
}

Result<bool> is_split_kept(FileSystem& files, const std::string& path, Blobs& blobs) {
  TRY_ASSIGN(const std::optional<std::string> text, read_file_if_there(files, path));
  const std::optional<Sha256> part = Sha256::parse(text.value_or("").substr(0, 64));
  return part ? blobs.has(*part) : Result<bool>(false);
}

}  // namespace trainmake
