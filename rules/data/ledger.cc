#include "rules/data/ledger.h"

#include <algorithm>

#include "engine/base/codec.h"
#include "engine/base/process_table.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

// Of a manifest object that is another by now: no store gives one this tag.
constexpr std::string_view kTagOfNone = "forgotten";

bool key_before(const MirrorObject& a, const MirrorObject& b) { return a.key < b.key; }

constexpr std::size_t kMostEarlier = 1024;  // writers

// Puts `added`, sorted, each key once, among `objects` in place of what has its key. Most often they are few.
void put_among(std::vector<MirrorObject>& objects, std::vector<MirrorObject> added) {
  if (objects.empty()) {
    objects = std::move(added);
    return;
  }
  auto at = objects.begin(), fresh = added.begin();
  for (MirrorObject& object : added) {
    at = std::lower_bound(at, objects.end(), object, key_before);
    if (at != objects.end() && at->key == object.key)
      *at = std::move(object);
    else if (MirrorObject& to = *fresh++; &to != &object)
      to = std::move(object);
  }
  added.erase(fresh, added.end());
  const auto middle = static_cast<std::ptrdiff_t>(objects.size());
  objects.reserve(objects.size() + added.size());
  std::move(added.begin(), added.end(), std::back_inserter(objects));
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
    : files_(files),
      cache_folder_(cache_folder),
      place_(place),
      path_(path_join(path_join(cache_folder, kMirrorsFolder), digest_of(place).hex())) {
  log_path_ = path_ + ".log";
}

// A copy of it has another inode, or lies on another machine.
Result<void> Ledger::find_self() {
  if (!self_.empty()) return {};
  Hasher hasher;
  for (const char* path : {"/etc/machine-id", "/proc/sys/kernel/hostname"}) {
    const Result<std::optional<std::string>> text = read_file_if_there(files_, path);
    hasher.field(text && *text ? **text : "");
  }
  TRY_ASSIGN(const Stat folder, files_.look(cache_folder_));
  if (!folder.exists()) return {};
  self_ = hasher.field(cache_folder_).number(folder.inode).finish().hex();
  return {};
}

Result<void> Ledger::load() {
  TRY(find_self());
  TRY_ASSIGN(file_seen_, files_.look(path_));
  TRY_ASSIGN(log_seen_, files_.look(log_path_));
  TRY_ASSIGN(const std::optional<std::string> bytes, read_file_if_there(files_, path_));
  known_ = false;
  if (bytes && bytes->starts_with(kLedgerMagic)) {
    Decoder in(std::string_view(*bytes).substr(kLedgerMagic.size()));
    const Digest128 digest = in.digest128();
    const bool is_whole = in.ok() && digest_of(in.rest()) == digest;
    std::string tag(in.string());
    (void)in.string();  // the place, for those who do not know it
    std::optional<Mirror> mirror = is_whole ? decode_mirror(in.rest()) : std::nullopt;
    if (mirror) adopt(*std::move(mirror), std::move(tag));
    if (known_) {
      moved_.emplace();
      file_ = digest;
    }
  }
  TRY(replay());
  if (known_) settle();
  if (known_) {
    drop_never_begun();
    saw(mirror_.writer);
  }
  return {};
}

// What our own transfer listed and never came to is as it was before: nothing of ours. Of another boot the
// last lines may never have reached the disk.
void Ledger::drop_never_begun() {
  const std::optional<Beat> last = last_beat();
  if (!wrote(mirror_.writer) || !last || !is_this_boot(files_, last->boot)) return;
  std::erase_if(mirror_.unsettled, [this](const UnsettledKey& each) {
    return each.what == Unsettled::kSending && each.ours.empty() && !is_open(each.key);
  });
}

// A line that was cut ends it. What was done since another manifest object is no news of this one; whose
// transfers were ours, and parts of uploads, stay so. A file whose log is not its own may have been left
// behind by it.
Result<void> Ledger::replay() {
  TRY_ASSIGN(const std::optional<std::string> bytes, read_file_if_there(files_, log_path_));
  const std::lock_guard lock(mutex_);
  bool is_of_this = false, is_first = true, names_file = false, is_its_own = false;
  std::string by;
  for (Decoder in(bytes ? *bytes : std::string_view()); in.left() > 0;) {
    const std::string_view body = in.string();
    const std::uint64_t check = in.number();
    if (!in.ok() || digest_of(body).low != check) break;
    Decoder line(body);
    const auto word = static_cast<Word>(line.byte());
    const bool leads = std::exchange(is_first, false);
    const bool is_ours = by == self_;
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
      case Word::kSelf:
        by = std::move(key);
        break;
      case Word::kWriter:
        writers_.insert_or_assign(std::move(key), by);
        break;
      case Word::kRefused:
        writers_.erase(key);
        telling_ = std::max(telling_ - 1, 0);
        break;
      case Word::kTelling:
        if (is_ours) ++telling_;
        break;
      case Word::kAgain:
        if (is_ours) again_.insert(std::move(key));
        break;
      case Word::kBeat:
        if (is_ours) beat_ = Beat{std::move(key), static_cast<std::int64_t>(line.number()), line.byte() != 0};
        break;
      case Word::kBegun:
        if (is_ours) open_.insert(std::move(key));
        break;
      case Word::kRemoved:
        if (is_of_this) removed_.insert(std::move(key));
        break;
      case Word::kNote:
        if (is_ours) notes_[key].emplace_back(line.string());
        break;
      case Word::kEnded:
        again_.clear();
        break;
      case Word::kEarlier:
        saw(key);
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
  take_head(in, mirror_);
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

std::string Ledger::entry_of(const Beat& beat) {
  return entry(Word::kBeat, [&](Encoder& out) {
    out.string(beat.boot);
    out.number(static_cast<std::uint64_t>(beat.steady_ns));
    out.byte(beat.is_last ? 1 : 0);
  });
}

std::string Ledger::moved_entry() const {
  return entry(Word::kMoved, [&](Encoder& out) {
    out.string(tag_);
    add_head(out, mirror_);
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
  for (const MirrorObject& object : put_) untold_ += !object.chunks.empty() || object.is_found ? 1 : 0;
  std::vector<MirrorObject> added = std::exchange(put_, {});
  std::stable_sort(added.begin(), added.end(), key_before);
  // A later one of a key counts: from behind it comes first.
  const auto same_key = [](const MirrorObject& a, const MirrorObject& b) { return a.key == b.key; };
  added.erase(added.begin(), std::unique(added.rbegin(), added.rend(), same_key).base());
  std::erase_if(mirror_.unsettled, [&](const UnsettledKey& each) {
    const auto put =
        std::lower_bound(added.begin(), added.end(), each.key,
                         [](const MirrorObject& object, const std::string& key) { return object.key < key; });
    const bool is_put = put != added.end() && put->key == each.key;
    return removed_.contains(each.key) ||
           (is_put && each.what == Unsettled::kSending && put->content == each.content);
  });
  mirror_.unsettled.shrink_to_fit();
  if (moved_ && is_little(moved_->size() + added.size())) {
    for (const MirrorObject& object : added) moved_->insert_or_assign(object.key, object);
  } else {
    moved_.reset();
  }
  put_among(mirror_.objects, std::move(added));
  removed_.clear();
}

Result<void> Ledger::begin(const std::string& writer) {
  TRY(files_.make_folder(cache_folder_));
  TRY(find_self());
  {
    const std::lock_guard lock(mutex_);
    writers_.insert_or_assign(writer, self_);
  }
  return append(entry(Word::kSelf, [&](Encoder& out) { out.string(self_); }) +
                entry(Word::kWriter, [&](Encoder& out) { out.string(writer); }));
}

Result<void> Ledger::telling() {
  {
    const std::lock_guard lock(mutex_);
    ++telling_;
  }
  return append(entry(Word::kTelling, [](Encoder& out) { out.string(""); }));
}

void Ledger::heard() {
  const std::lock_guard lock(mutex_);
  telling_ = std::max(telling_ - 1, 0);
}

Result<void> Ledger::refused(Announcement said) {
  const std::string& writer = said.mirror.writer;
  {
    const std::lock_guard lock(mutex_);
    writers_.erase(writer);
  }
  heard();
  TRY(append(entry(Word::kRefused, [&](Encoder& out) { out.string(writer); })));
  former_ = std::move(said.mirror);
  for (UnsettledKey& each : former_.unsettled) {
    if (each.what == Unsettled::kSending) each = {.key = each.key, .ours = std::move(each.ours)};
  }
  std::erase_if(former_.unsettled, [](const UnsettledKey& each) {
    return each.what == Unsettled::kDoubted && each.content == Digest128{} && each.ours.empty();
  });
  return {};
}

Mirror Ledger::recall(Mirror seen, const std::string& target, const std::string& project) const {
  const Mirror& known = known_ ? mirror_ : former_;
  const bool is_gone = seen.target.empty();
  const bool is_earlier = !earlier_.empty() && seen.writer != earlier_.back() &&
                          std::find(earlier_.begin(), earlier_.end(), seen.writer) != earlier_.end();
  const bool is_its =
      known.target == target && (known.project == project || known.project.empty() || project.empty());
  if (!is_its || !(is_gone || is_earlier)) return seen;
  Mirror recalled = trainmake::recalled(known, std::move(seen));
  if (is_gone) {
    recalled.target = target;
    recalled.project = project;
  }
  return recalled;
}

void Ledger::saw(const std::string& writer) {
  if (writer.empty()) return;
  std::erase(earlier_, writer);
  earlier_.push_back(writer);
  if (earlier_.size() > kMostEarlier) earlier_.erase(earlier_.begin());
}

Result<void> Ledger::write() {
  const std::string rest = encode(mirror_);
  std::string tag;
  Encoder(tag).string(tag_);
  Encoder(tag).string(place_);
  file_ = Hasher().raw(tag).raw(rest).finish();
  std::string head(kLedgerMagic);
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
  TRY(files_.make_folder(cache_folder_));
  TRY(find_self());
  const bool is_whole = !moved_ || !is_little(moved_->size() + mirror_.unsettled.size());
  if (is_whole) {
    moved_.reset();
    TRY(write());
    moved_.emplace();
  }
  return rewrite_log(is_whole);
}

Result<void> Ledger::save(Mirror mirror, std::string tag) {
  add_tags(known_ ? mirror_ : former_, mirror);
  former_ = {};
  adopt(std::move(mirror), std::move(tag));
  return keep();
}

Result<void> Ledger::announced(Announcement said, std::string tag) {
  CHECK(!known_);
  std::optional<Moved> moved = std::move(moved_);
  adopt(std::move(said.mirror), std::move(tag));
  moved_ = std::move(moved);
  move(said.gone);
  {
    const std::lock_guard lock(mutex_);
    writers_ = {{mirror_.writer, self_}};
  }
  heard();
  is_quiet_ = false;
  return keep();
}

Result<void> Ledger::told(std::string tag) {
  CHECK(known_);
  tag_ = std::move(tag);
  count_untold();
  heard();
  return keep();
}

void Ledger::adopt(Mirror mirror, std::string tag) {
  mirror_ = std::move(mirror);
  tag_ = std::move(tag);
  known_ = true;
  saw(mirror_.writer);
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
  untold_ = 0;
  largest_untold_ = 0;
  for (const UnsettledKey& each : mirror_.unsettled) {
    if (each.what != Unsettled::kSending) continue;
    ++untold_;
    largest_untold_ = std::max(largest_untold_, each.size);
  }
}

void Ledger::doubt(const std::set<std::string>& keys) {
  if (keys.empty()) return;
  moved_.reset();
  std::vector<UnsettledKey> doubted;
  std::erase_if(mirror_.objects, [&](const MirrorObject& object) {
    if (!keys.contains(object.key)) return false;
    const Digest128 ours = object.is_found ? Digest128{} : object.content;
    doubted.push_back({object.key, Unsettled::kDoubted, object.size, ours});
    return true;
  });
  std::vector<UnsettledKey> all;
  std::set_union(doubted.begin(), doubted.end(), mirror_.unsettled.begin(), mirror_.unsettled.end(),
                 std::back_inserter(all),
                 [](const UnsettledKey& a, const UnsettledKey& b) { return a.key < b.key; });
  mirror_.unsettled = std::move(all);
}

std::set<std::string> Ledger::doubted() const {
  std::set<std::string> keys;
  for (const UnsettledKey& each : mirror_.unsettled) {
    if (each.what == Unsettled::kDoubted) keys.insert(each.key);
  }
  return keys;
}

Result<void> Ledger::forget() {
  settle();
  mirror_.root.clear();
  tag_ = kTagOfNone;
  TRY(keep());
  former_ = take();
  return {};
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
  for (const std::string& writer : earlier_) tell(Word::kEarlier, writer, nullptr);
  std::string by;
  const auto tell_by = [&](const std::string& whom) {
    if (std::exchange(by, whom) != whom) tell(Word::kSelf, whom, nullptr);
  };
  for (const auto& [writer, whom] : writers_) {
    tell_by(whom);
    tell(Word::kWriter, writer, nullptr);
  }
  tell_by(self_);
  if (beat_) text += entry_of(*beat_);
  for (int i = 0; i < telling_; ++i) tell(Word::kTelling, "", nullptr);
  for (const std::string& key : again_) tell(Word::kAgain, key, nullptr);
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
  CHECK(known_);
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

Result<void> Ledger::again(const std::vector<std::string>& keys) {
  std::string lines;
  {
    const std::lock_guard lock(mutex_);
    for (const std::string& key : keys) {
      if (again_.insert(key).second) lines += entry(Word::kAgain, [&](Encoder& out) { out.string(key); });
    }
  }
  return lines.empty() ? Result<void>() : append(lines);
}

Result<void> Ledger::ended_well() {
  {
    const std::lock_guard lock(mutex_);
    if (again_.empty()) return {};
    again_.clear();
  }
  return append(entry(Word::kEnded, [](Encoder& out) { out.string(""); }));
}

Result<void> Ledger::beat(Beat now) {
  const std::string line = entry_of(now);
  {
    const std::lock_guard lock(mutex_);
    beat_ = std::move(now);
  }
  return append(line);
}

std::optional<Beat> Ledger::last_beat() const {
  const std::lock_guard lock(mutex_);
  return beat_;
}

bool Ledger::was_telling() const {
  const std::lock_guard lock(mutex_);
  return telling_ > 0;
}

std::set<std::string> Ledger::asked_again() const {
  const std::lock_guard lock(mutex_);
  return again_;
}

void Ledger::is_over() {
  const std::lock_guard lock(mutex_);
  is_quiet_ = true;
  telling_ = 0;
  again_.clear();
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

std::vector<std::string> Ledger::noted_keys() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> keys;
  for (const auto& [key, notes] : notes_) keys.push_back(key);
  return keys;
}

void Ledger::drop_notes(const std::string& key) {
  const std::lock_guard lock(mutex_);
  notes_.erase(key);
}

bool Ledger::wrote(const std::string& writer) const {
  const std::lock_guard lock(mutex_);
  const auto found = writers_.find(writer);
  return found != writers_.end() && found->second == self_;
}

bool Ledger::has_news() const {
  const std::lock_guard lock(mutex_);
  return !put_.empty() || !removed_.empty();
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
