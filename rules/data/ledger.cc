#include "rules/data/ledger.h"

#include <algorithm>

#include "engine/base/codec.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kMagic = "tm-mirror-1\n";

template <typename Word>
std::string entry(Word word, const std::function<void(Encoder&)>& fill) {
  std::string body;
  Encoder inside(body);
  inside.byte(static_cast<std::uint8_t>(word));
  fill(inside);
  std::string out;
  Encoder outside(out);
  outside.string(body);
  outside.number(digest_of(body).low);
  return out;
}

}  // namespace

Ledger::Ledger(FileSystem& files, const std::string& cache_folder, const std::string& place)
    : files_(files), path_(path_join(path_join(cache_folder, kMirrorsFolder), digest_of(place).hex())) {
  log_path_ = path_ + ".log";
}

Result<void> Ledger::load() {
  TRY_ASSIGN(const std::optional<std::string> bytes, read_file_if_there(files_, path_));
  known_ = false;
  if (bytes && bytes->starts_with(kMagic)) {
    Decoder in(std::string_view(*bytes).substr(kMagic.size()));
    const Digest128 digest = in.digest128();
    const bool is_whole = in.ok() && digest_of(in.rest()) == digest;
    std::string tag(in.string());
    std::optional<Mirror> mirror = is_whole ? decode_mirror(in.rest()) : std::nullopt;
    if (mirror) adopt(*std::move(mirror), std::move(tag));
  }
  TRY(replay());
  if (known_) settle();
  return {};
}

// A line that was cut ends it. What was done since another manifest object is no news of this one; whose
// transfers were ours, and parts of uploads, stay so.
Result<void> Ledger::replay() {
  TRY_ASSIGN(const std::optional<std::string> bytes, read_file_if_there(files_, log_path_));
  if (!bytes) return {};
  const std::lock_guard lock(mutex_);
  bool is_of_this = false;
  for (Decoder in(*bytes); in.left() > 0;) {
    const std::string_view body = in.string();
    const std::uint64_t check = in.number();
    if (!in.ok() || digest_of(body).low != check) break;
    Decoder line(body);
    const auto word = static_cast<Word>(line.byte());
    if (word == Word::kPut) {
      MirrorObject object = object_from(line);
      open_.erase(object.key);
      notes_.erase(object.key);
      if (is_of_this) put_.push_back(std::move(object));
      continue;
    }
    std::string key(line.string());
    switch (word) {
      case Word::kOf:
        is_of_this = known_ && key == tag_;
        break;
      case Word::kWriter:
        writers_.insert(std::move(key));
        break;
      case Word::kBegun:
        open_.insert(std::move(key));
        break;
      case Word::kRemoved:
        if (is_of_this) removed_.insert(std::move(key));
        break;
      case Word::kNote:
        notes_[key].emplace_back(line.string());
        break;
      case Word::kPut:
        break;
    }
  }
  return {};
}

// What was put is there, what was removed is not, and neither is unsettled.
void Ledger::settle() {
  const std::lock_guard lock(mutex_);
  if (put_.empty() && removed_.empty()) return;
  const auto by_key = [](const MirrorObject& a, const MirrorObject& b) { return a.key < b.key; };
  std::stable_sort(put_.begin(), put_.end(), by_key);
  std::vector<MirrorObject> added;
  for (MirrorObject& object : put_) {
    if (!object.chunks.empty()) ++untold_;
    if (!added.empty() && added.back().key == object.key) added.pop_back();
    added.push_back(std::move(object));
  }
  put_ = {};
  std::erase_if(mirror_.unsettled, [&](const UnsettledKey& each) {
    const auto put =
        std::lower_bound(added.begin(), added.end(), each.key,
                         [](const MirrorObject& object, const std::string& key) { return object.key < key; });
    const bool is_put = put != added.end() && put->key == each.key;
    return removed_.contains(each.key) || (is_put && each.content && put->content == *each.content);
  });
  std::vector<MirrorObject> all;
  all.reserve(mirror_.objects.size() + added.size());
  std::set_union(std::make_move_iterator(added.begin()), std::make_move_iterator(added.end()),
                 std::make_move_iterator(mirror_.objects.begin()),
                 std::make_move_iterator(mirror_.objects.end()), std::back_inserter(all), by_key);
  mirror_.objects = std::move(all);
  removed_.clear();
}

Result<void> Ledger::begin(const std::string& writer) {
  {
    const std::lock_guard lock(mutex_);
    writers_.insert(writer);
  }
  return append(entry(Word::kWriter, [&](Encoder& out) { out.string(writer); }));
}

Result<void> Ledger::write() const {
  std::string rest;
  Encoder(rest).string(tag_);
  rest += encode(mirror_);
  std::string head(kMagic);
  Encoder(head).digest(digest_of(rest));
  TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, files_.create(path_));
  TRY(writer->append(head));
  TRY(writer->append(rest));
  return writer->commit();
}

Result<void> Ledger::save(Mirror mirror, std::string tag) {
  adopt(std::move(mirror), std::move(tag));
  {
    const std::lock_guard lock(mutex_);
    if (!mirror_.writer.empty()) writers_ = {mirror_.writer};
  }
  TRY(write());
  return rewrite_log();
}

Result<void> Ledger::told(std::string tag) {
  tag_ = std::move(tag);
  count_untold();
  TRY(write());
  return rewrite_log();
}

void Ledger::adopt(Mirror mirror, std::string tag) {
  mirror_ = std::move(mirror);
  tag_ = std::move(tag);
  known_ = true;
  count_untold();
}

void Ledger::count_untold() {
  untold_ = static_cast<std::size_t>(
      std::count_if(mirror_.unsettled.begin(), mirror_.unsettled.end(),
                    [](const UnsettledKey& each) { return each.content.has_value(); }));
}

void Ledger::doubt(const std::set<std::string>& keys) {
  std::vector<UnsettledKey> doubted;
  std::erase_if(mirror_.objects, [&](const MirrorObject& object) {
    if (!keys.contains(object.key)) return false;
    doubted.push_back({object.key, object.size, std::nullopt});
    return true;
  });
  std::vector<UnsettledKey> all;
  std::set_union(doubted.begin(), doubted.end(), mirror_.unsettled.begin(), mirror_.unsettled.end(),
                 std::back_inserter(all),
                 [](const UnsettledKey& a, const UnsettledKey& b) { return a.key < b.key; });
  mirror_.unsettled = std::move(all);
}

Result<void> Ledger::forget() {
  adopt({}, "");
  known_ = false;
  {
    const std::lock_guard lock(mutex_);
    put_.clear();
    removed_.clear();
  }
  TRY(files_.remove(path_));
  return rewrite_log();
}

// With what still counts. Nothing is noted meanwhile: it would reach the log that was.
Result<void> Ledger::rewrite_log() {
  std::string text;
  const std::lock_guard lock(mutex_);
  log_.reset();
  const auto tell = [&](Word word, const std::string& key, const std::string* note) {
    text += entry(word, [&](Encoder& out) {
      out.string(key);
      if (note != nullptr) out.string(*note);
    });
  };
  tell(Word::kOf, tag_, nullptr);
  for (const std::string& writer : writers_) tell(Word::kWriter, writer, nullptr);
  for (const std::string& key : open_) tell(Word::kBegun, key, nullptr);
  for (const std::string& key : removed_) tell(Word::kRemoved, key, nullptr);
  for (const MirrorObject& object : put_)
    text += entry(Word::kPut, [&](Encoder& out) { trainmake::add(out, object); });
  for (const auto& [key, notes] : notes_) {
    for (const std::string& note : notes) tell(Word::kNote, key, &note);
  }
  return write_file(files_, log_path_, text);
}

Result<void> Ledger::append(const std::string& entry) {
  const std::lock_guard lock(mutex_);
  if (!log_) {
    TRY_ASSIGN(log_, files_.extend(log_path_));
  }
  return log_->append(entry);
}

Result<void> Ledger::begun(const std::string& key) {
  {
    const std::lock_guard lock(mutex_);
    open_.insert(key);
  }
  return append(entry(Word::kBegun, [&](Encoder& out) { out.string(key); }));
}

Result<void> Ledger::put(MirrorObject object) {
  const std::string line = entry(Word::kPut, [&](Encoder& out) { add(out, object); });
  {
    const std::lock_guard lock(mutex_);
    open_.erase(object.key);
    notes_.erase(object.key);
    put_.push_back(std::move(object));
  }
  return append(line);
}

Result<void> Ledger::removed(const std::string& key) {
  {
    const std::lock_guard lock(mutex_);
    removed_.insert(key);
  }
  return append(entry(Word::kRemoved, [&](Encoder& out) { out.string(key); }));
}

Result<void> Ledger::note(const std::string& key, const std::string& note) {
  {
    const std::lock_guard lock(mutex_);
    notes_[key].push_back(note);
  }
  return append(entry(Word::kNote, [&](Encoder& out) {
    out.string(key);
    out.string(note);
  }));
}

std::vector<std::string> Ledger::notes(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = notes_.find(key);
  return found == notes_.end() ? std::vector<std::string>() : found->second;
}

bool Ledger::is_open(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  return open_.contains(key);
}

}  // namespace trainmake
