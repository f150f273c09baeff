#include "rules/data/ledger.h"

#include <algorithm>

#include "engine/base/codec.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kMagic = "tm-mirror-2\n";
constexpr std::string_view kMagicBefore = "tm-mirror-1\n";  // of which the log told nothing but what was done

bool key_before(const MirrorObject& a, const MirrorObject& b) { return a.key < b.key; }

// Puts `added`, sorted, each key once, among `objects` in place of what has its key. Most often they are few.
void put_among(std::vector<MirrorObject>& objects, std::vector<MirrorObject> added) {
  std::vector<MirrorObject> fresh;
  auto at = objects.begin();
  for (MirrorObject& object : added) {
    at = std::lower_bound(at, objects.end(), object, key_before);
    if (at != objects.end() && at->key == object.key)
      *at = std::move(object);
    else
      fresh.push_back(std::move(object));
  }
  if (objects.empty()) {
    objects = std::move(fresh);
    return;
  }
  const auto middle = static_cast<std::ptrdiff_t>(objects.size());
  objects.reserve(objects.size() + fresh.size());
  std::move(fresh.begin(), fresh.end(), std::back_inserter(objects));
  std::inplace_merge(objects.begin(), objects.begin() + middle, objects.end(), key_before);
}

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
  TRY_ASSIGN(file_seen_, files_.look(path_));
  TRY_ASSIGN(log_seen_, files_.look(log_path_));
  TRY_ASSIGN(const std::optional<std::string> bytes, read_file_if_there(files_, path_));
  known_ = false;
  if (bytes && (bytes->starts_with(kMagic) || bytes->starts_with(kMagicBefore))) {
    Decoder in(std::string_view(*bytes).substr(kMagic.size()));
    const Digest128 digest = in.digest128();
    const bool is_whole = in.ok() && digest_of(in.rest()) == digest;
    std::string tag(in.string());
    std::optional<Mirror> mirror = is_whole ? decode_mirror(in.rest()) : std::nullopt;
    if (mirror) adopt(*std::move(mirror), std::move(tag));
    if (known_ && bytes->starts_with(kMagic)) {
      moved_.emplace();
      file_ = digest;
    }
  }
  TRY(replay());
  if (known_) settle();
  return {};
}

// A line that was cut ends it. What was done since another manifest object is no news of this one; whose
// transfers were ours, and parts of uploads, stay so. A file whose log is not its own may have been left
// behind by it.
Result<void> Ledger::replay() {
  TRY_ASSIGN(const std::optional<std::string> bytes, read_file_if_there(files_, log_path_));
  const std::lock_guard lock(mutex_);
  bool is_of_this = false, is_first = true, names_file = false, is_its_own = false;
  for (Decoder in(bytes ? *bytes : std::string_view()); in.left() > 0;) {
    const std::string_view body = in.string();
    const std::uint64_t check = in.number();
    if (!in.ok() || digest_of(body).low != check) break;
    Decoder line(body);
    const auto word = static_cast<Word>(line.byte());
    const bool leads = std::exchange(is_first, false);
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
        is_its_own = is_its_own || (names_file && is_of_this);
        break;
      case Word::kFile:
        names_file = leads && moved_ && key == file_.hex();
        break;
      case Word::kMoved:
        if (names_file) names_file = follow(std::move(key), line);
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
  if (moved_ && !is_its_own) {
    adopt({}, "");
    known_ = false;
    put_.clear();
    removed_.clear();
  }
  return {};
}

// REQUIRES: the mirror is as the file has it.
bool Ledger::follow(std::string tag, Decoder& in) {
  tag_ = std::move(tag);
  for (std::string* text : {&mirror_.target, &mirror_.root, &mirror_.writer}) *text = in.string();
  mirror_.unsettled.resize(in.count(kSmallestUnsettled));
  for (UnsettledKey& each : mirror_.unsettled) each = unsettled_from(in);
  std::vector<MirrorObject> there;
  for (std::uint64_t left = in.count(1); left > 0 && in.ok(); --left) {
    const bool is_there = in.byte() != 0;
    if (is_there) {
      MirrorObject object = object_from(in);
      moved_->insert_or_assign(object.key, object);
      there.push_back(std::move(object));
    } else {
      moved_->insert_or_assign(std::string(in.string()), std::nullopt);
    }
  }
  count_untold();
  auto next = moved_->begin();
  std::erase_if(mirror_.objects, [&](const MirrorObject& object) {
    while (next != moved_->end() && next->first < object.key) ++next;
    return next != moved_->end() && next->first == object.key && !next->second;
  });
  put_among(mirror_.objects, std::move(there));
  return in.at_end();
}

std::string Ledger::moved_entry() const {
  return entry(Word::kMoved, [&](Encoder& out) {
    for (const std::string& text : {tag_, mirror_.target, mirror_.root, mirror_.writer}) out.string(text);
    out.number(mirror_.unsettled.size());
    for (const UnsettledKey& each : mirror_.unsettled) add(out, each);
    out.number(moved_->size());
    for (const auto& [key, object] : *moved_) {
      out.byte(object ? 1 : 0);
      if (object)
        add(out, *object);
      else
        out.string(key);
    }
  });
}

// What was put is there, what was removed is not, and neither is unsettled.
void Ledger::settle() {
  const std::lock_guard lock(mutex_);
  if (put_.empty() && removed_.empty()) return;
  std::stable_sort(put_.begin(), put_.end(), key_before);
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
  if (moved_ && is_little(moved_->size() + added.size())) {
    for (const MirrorObject& object : added) moved_->insert_or_assign(object.key, object);
  } else {
    moved_.reset();
  }
  put_among(mirror_.objects, std::move(added));
  removed_.clear();
}

Result<void> Ledger::begin(const std::string& writer) {
  {
    const std::lock_guard lock(mutex_);
    writers_.insert(writer);
  }
  return append(entry(Word::kWriter, [&](Encoder& out) { out.string(writer); }));
}

Result<void> Ledger::write() {
  const std::string rest = encode(mirror_);
  std::string tag;
  Encoder(tag).string(tag_);
  file_ = Hasher().raw(tag).raw(rest).finish();
  std::string head(kMagic);
  Encoder(head).digest(file_);
  TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, files_.create(path_));
  TRY(writer->append(head));
  TRY(writer->append(tag));
  TRY(writer->append(rest));
  return writer->commit();
}

// In the file, or, where little differs from that, in the log: both are renamed, so that the one before
// counts until then. Between the two it is unknown what lies there.
Result<void> Ledger::keep() {
  const bool is_whole = !moved_ || !is_little(moved_->size() + mirror_.unsettled.size());
  if (is_whole) {
    moved_.reset();
    TRY(write());
    moved_.emplace();
  }
  return rewrite_log(is_whole);
}

Result<void> Ledger::save(Mirror mirror, std::string tag) {
  adopt(std::move(mirror), std::move(tag));
  return keep();
}

Result<void> Ledger::announced(Announcement said, std::string tag) {
  std::optional<Moved> moved = std::move(moved_);
  adopt(std::move(said.mirror), std::move(tag));
  moved_ = std::move(moved);
  move(said.gone);
  {
    const std::lock_guard lock(mutex_);
    writers_ = {mirror_.writer};
  }
  return keep();
}

Result<void> Ledger::told(std::string tag) {
  tag_ = std::move(tag);
  count_untold();
  return keep();
}

void Ledger::adopt(Mirror mirror, std::string tag) {
  mirror_ = std::move(mirror);
  tag_ = std::move(tag);
  known_ = true;
  moved_.reset();
  count_untold();
}

// These objects are none any more.
void Ledger::move(const std::vector<std::string>& gone) {
  if (moved_ && !is_little(moved_->size() + gone.size())) moved_.reset();
  if (!moved_) return;
  for (const std::string& key : gone) moved_->insert_or_assign(key, std::nullopt);
}

void Ledger::count_untold() {
  untold_ = static_cast<std::size_t>(
      std::count_if(mirror_.unsettled.begin(), mirror_.unsettled.end(),
                    [](const UnsettledKey& each) { return each.content.has_value(); }));
}

void Ledger::doubt(const std::set<std::string>& keys) {
  if (keys.empty()) return;
  moved_.reset();
  std::vector<UnsettledKey> doubted;
  std::erase_if(mirror_.objects, [&](const MirrorObject& object) {
    if (!keys.contains(object.key)) return false;
    doubted.push_back({object.key, object.size});
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
  return rewrite_log(true);
}

// With what still counts. Nothing is noted meanwhile: it would reach the log that was. `is_as_file`: the
// file, if there is one, has what the manifest object is.
Result<void> Ledger::rewrite_log(bool is_as_file) {
  std::string text;
  const std::lock_guard lock(mutex_);
  log_.reset();
  const auto tell = [&](Word word, const std::string& key, const std::string* note) {
    text += entry(word, [&](Encoder& out) {
      out.string(key);
      if (note != nullptr) out.string(*note);
    });
  };
  if (moved_) tell(Word::kFile, file_.hex(), nullptr);
  if (moved_ && !is_as_file) text += moved_entry();
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

bool Ledger::has_written() const {
  const std::lock_guard lock(mutex_);
  return !writers_.empty();
}

bool Ledger::is_open(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  return open_.contains(key);
}

}  // namespace trainmake
