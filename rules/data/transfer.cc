#include "rules/data/transfer.h"

#include <algorithm>
#include <unordered_set>

#include "cache/stores/at_once.h"
#include "engine/base/text.h"
#include "rules/data/catch_up.h"
#include "rules/data/copy_order.h"
#include "rules/data/replaced.h"

namespace trainmake {
namespace {

constexpr std::int64_t kProgressEvery_ns = 100'000'000;
constexpr std::int64_t kSoon_ns = 5'000'000'000;

}  // namespace

Moved& Moved::operator+=(const Moved& more) {
  sent += more.sent;
  copied += more.copied;
  found += more.found;
  removed += more.removed;
  bytes += more.bytes;
  return *this;
}

Transfer::Transfer(const TransferOf& of, const MirrorChange& changed)
    : of_(of),
      changed_(changed),
      in_place_(of.ledger.mirror().objects.size()),
      holding_(of.host.clock, of.place, of.ledger) {
  for (const auto* keys : {&changed.make_way, &changed.remove}) {
    for (const std::string& key : *keys) removed_.emplace(key, *find_object(of.ledger.mirror(), key));
  }
  if (of.place.store->traits().tags_tell_content) {
    for (const ListedFile* file : changed.send) {
      if (!is_folder(file->key) && find_object(of.ledger.mirror(), file->key) == nullptr)
        unknown_.emplace(file->key, Unknown{file, whose(*file)});
    }
  }
  const bool any_is_worth_it =
      std::any_of(changed.send.begin(), changed.send.end(),
                  [&](const ListedFile* file) { return file->size >= of.worth_copying; });
  if (!any_is_worth_it || of.place.is_local()) return;
  for (const MirrorObject& object : of.ledger.mirror().objects) {
    if (object.size >= of.worth_copying && !object.tag.empty() && !object.is_found)
      copyable_.emplace(object.content, object);
  }
  for (const ListedFile* file : changed.send) {
    const MirrorObject* object = find_object(of.ledger.mirror(), file->key);
    if (object != nullptr && !object->chunks.empty()) earlier_.emplace(file->key, *object);
  }
}

// What was ours stays ours. What another checkout listed and perhaps never came to, the store has to tell: it
// knows what was put by us.
Transfer::Whose Transfer::whose(const ListedFile& file) const {
  const UnsettledKey* before = find_unsettled(of_.ledger.mirror(), file.key);
  if (before == nullptr || !is_ours(*before, file.content)) return Whose::kOthers;
  const bool lay_there = before->what != Unsettled::kSending || before->content != file.content;
  return lay_there ? Whose::kOurs : Whose::kAskStore;
}

Result<bool> Transfer::announce() {
  // While nothing was touched.
  for (const ListedFile* file : changed_.send) TRY(of_.place.store->check(of_.place.key(file->key)));
  Announcement said = announcement(of_.listing, of_.ledger.take(), changed_);
  said.mirror.project = owner_text(of_.target.project);
  said.mirror.target = owner_text(of_.target.label);
  said.mirror.root = of_.root;
  said.mirror.writer = new_writer();
  TRY(of_.ledger.begin(said.mirror.writer));
  if (!of_.place.store->takes_conditions()) TRY(of_.ledger.telling());
  if (of_.place.is_local()) {
    TRY(note_its_boot(of_.host, of_.ledger));
  } else {
    TRY_ASSIGN(pulse_, Pulse::begin(of_.host, of_.ledger));
  }
  const Holding::Moment asked = holding_.now();
  TRY_ASSIGN(std::optional<std::string> tag,
             of_.place.store->put(of_.place.manifest_key(), to_json(said.mirror), of_.ledger.tag()));
  if (!tag) {
    TRY(of_.ledger.refused(std::move(said)));
    return false;
  }
  holding_.begin(said.mirror.writer, asked);
  TRY(of_.ledger.announced(std::move(said), *std::move(tag)));
  return true;
}

Result<bool> Transfer::run(const Doing& doing) {
  if (of_.place.is_local()) return finish(doing);
  // The manifest object may have travelled long.
  if (holding_.since_told_ns() > kSoon_ns) {
    TRY_ASSIGN(const bool is_ours, holding_.hold_on());
    if (!is_ours) return false;
  }
  std::optional<Holding::Keeper> keeper(std::in_place, holding_, doing.stop);
  Doing ours = doing;
  ours.stop = keeper->stop.get_token();
  std::optional<std::stop_callback<std::function<void()>>> on_lost(
      std::in_place, pulse_->lost(), [stop = keeper->stop]() mutable { stop.request_stop(); });
  Result<bool> finished = finish(ours);
  const bool was_stopped = doing.stop.stop_requested();
  on_lost.reset();
  keeper.reset();
  of_.ledger.settle();
  const bool gave_up = !finished && ours.stop.stop_requested() && !was_stopped;
  if (gave_up && !holding_.is_overtaken()) {
    // This machine slept, or the store did not answer for as long.
    if (holding_.hold_on()) return false;
    return fail(user_error(cat("The store of ", quoted(of_.place.text()),
                               " cannot be told any more that this goes on"),
                           "Run it again when the store is well; what it has by then is not sent again")
                    .because(Blame::kRemote));
  }
  if (!finished) holding_.leave();
  if (holding_.is_overtaken()) return false;
  if (finished && *finished) TRY(of_.ledger.ended_well());
  return finished;
}

Result<bool> Transfer::finish(const Doing& doing) {
  if (!changed_.make_way.empty()) of_.borrowings.end(of_.target.label);
  TRY(make_way(doing));
  TRY(find_there(doing));
  give_up_uploads();
  TRY(send_all(doing, doing.stop));
  of_.borrowings.end(of_.target.label);
  if (of_.place.is_local()) {
    // Nobody reads it meanwhile: it is locked.
    TRY(remove_last(doing));
    if (!changed_.remove.empty()) TRY(make_folders_again());
    return holding_.tell();
  }
  const bool was_repeating = changed_.remove.empty() && holding_.stop_repeating();
  // What took long may have met somebody who took over.
  if (holding_.owes_settling() || holding_.took_long() || was_repeating) {
    TRY_ASSIGN(const bool is_ours, holding_.tell());
    if (!is_ours) return false;
  }
  TRY(remove_last(doing));
  // Of a few whoever reads it asks sooner than waits.
  const bool is_soon_asked_for = changed_.remove.size() <= kFewKeys;
  const bool is_told = is_soon_asked_for && !holding_.stop_repeating() && !holding_.took_long();
  return is_told ? Result<bool>(true) : holding_.tell();
}

// One list tells of a thousand; of a few, one by one, those that are dearer sent than asked for.
Result<void> Transfer::find_there(const Doing& doing) {
  constexpr std::size_t kListedAtOnce = 1000, kAskedAtOnce = 16;
  if (unknown_.empty()) return {};
  if (unknown_.size() > kFewKeys && in_place_ / kListedAtOnce < unknown_.size()) {
    return of_.place.list([&](std::string_view key, const StoredObject& object) {
      if (unknown_.contains(key)) there_.emplace(key, object);
    });
  }
  std::vector<const ListedFile*> asked;
  for (const auto& [key, unknown] : unknown_) {
    if (unknown.file->size >= kWorthCopying && !of_.ledger.is_open(unknown.file->key))
      asked.push_back(unknown.file);
  }
  std::mutex mutex;
  return at_once(asked.size(), kAskedAtOnce, [&](std::size_t i) -> Result<void> {
    const ListedFile& file = *asked[i];
    if (doing.stop.stop_requested()) return fail(interrupted_error());
    TRY_ASSIGN(const std::optional<StoredObject> object, of_.place.store->look(of_.place.key(file.key)));
    const std::lock_guard lock(mutex);
    if (object) there_.emplace(file.key, *object);
    return {};
  });
}

// Whether what was there already is somebody else's.
Result<bool> Transfer::is_found(const ListedFile& file, const PutFile& done) {
  if (!done.found) return false;
  const auto unknown = unknown_.find(file.key);
  const Whose whose = unknown == unknown_.end() ? Whose::kOthers : unknown->second.whose;
  if (whose != Whose::kAskStore) return whose == Whose::kOthers;
  TRY_ASSIGN(const std::optional<StoredObject> there, of_.place.store->look(of_.place.key(file.key)));
  return !there || there->content != file.content;
}

// Of files that are gone, or need none any more.
void Transfer::give_up_uploads() {
  for (const std::string& key : of_.ledger.noted_keys()) {
    const auto sent =
        std::lower_bound(changed_.send.begin(), changed_.send.end(), key,
                         [](const ListedFile* file, const std::string& asked) { return file->key < asked; });
    if (sent != changed_.send.end() && (*sent)->key == key) continue;
    of_.place.store->give_up(of_.place.key(key), of_.ledger.notes(key));
    of_.ledger.drop_notes(key);
  }
}

// What lies under other keys of ours is copied before anything overwrites it: each once no other copy is to
// be made of what lies where it goes, in waves. Those that close a circle are sent, and so are some of those
// that would make a long row: one after the other they would take longer.
Result<std::vector<const ListedFile*>> Transfer::copy_first(
    const Doing& doing, const std::function<Result<void>(const std::vector<const ListedFile*>&)>& send_each) {
  std::vector<const ListedFile*> rest;
  CopyOrder order;
  for (const ListedFile* file : changed_.send) {
    const auto same = file->size < of_.worth_copying || is_folder(file->key) ? copyable_.end()
                                                                             : copyable_.find(file->content);
    if (same == copyable_.end())
      rest.push_back(file);
    else
      order.add(file, same->second.key);
  }
  const CopyOrder::Waves waves = order.waves();
  for (const std::vector<const ListedFile*>& wave : waves.copied) {
    TRY(send_each(wave));
    TRY(outwait_copies(doing));
  }
  rest.insert(rest.end(), waves.sent.begin(), waves.sent.end());
  copyable_.clear();  // what is sent from now on overwrites some of it
  return rest;
}

Result<void> Transfer::send_all(const Doing& doing, const std::stop_token& stop) {
  // Large ones go by themselves: each is several requests at once.
  const auto send_each = [&](const std::vector<const ListedFile*>& files) -> Result<void> {
    constexpr std::uint64_t kLarge = std::uint64_t{64} << 20U;
    std::vector<const ListedFile*> small, large;
    for (const ListedFile* file : files) (file->size > kLarge ? large : small).push_back(file);
    TRY(at_once(small.size(), of_.place.store->traits().puts_at_once,
                [&](std::size_t i) { return send(*small[i], doing, stop); }));
    return at_once(large.size(), 1, [&](std::size_t i) { return send(*large[i], doing, stop); });
  };
  TRY_ASSIGN(const std::vector<const ListedFile*> rest, copy_first(doing, send_each));
  // What has the bytes of another is copied once that is there.
  std::vector<const ListedFile*> once, again;
  std::unordered_set<Digest128> first;
  for (const ListedFile* file : rest) {
    const bool is_copyable =
        !of_.place.is_local() && file->size >= of_.worth_copying && !is_folder(file->key);
    if (is_copyable && !first.insert(file->content).second) {
      again.push_back(file);
      twice_.insert(file->content);
    } else {
      once.push_back(file);
    }
  }
  TRY(send_each(once));
  for (const MirrorObject& object : first_of_twice_) copyable_.emplace(object.content, object);
  TRY(send_each(again));
  return outwait_copies(doing);
}

Result<void> Transfer::send(const ListedFile& file, const Doing& doing, const std::stop_token& stop) {
  if (stop.stop_requested()) return fail(interrupted_error());
  TRY(holding_.may_write(false));
  TRY_ASSIGN(const bool is_there, was_put(file));
  if (is_there) return {};
  if (is_folder(file.key)) return make_folder(file, doing);
  const std::string path =
      file.source.empty() ? of_.blobs.path(file.sha256) : of_.workspace.path(file.source);
  FileToPut put{of_.place.key(file.key), path, file.content, like(file)};
  put.notes = of_.ledger.notes(file.key);
  if (const auto there = there_.find(file.key); there != there_.end()) put.there = there->second;
  if (!of_.place.is_local()) {
    // What is not noted is sent again, and that is all.
    put.note = [&](const std::string& note) { (void)of_.ledger.note(file.key, note); };
    put.may_write = [&](bool is_repeated) -> Result<void> {
      if (is_repeated) TRY(note_again(file, put));
      return holding_.may_write(is_repeated);
    };
  }
  std::atomic<std::uint64_t> came = 0;
  put.came = [&](std::uint64_t bytes) {
    came += bytes;
    progress(doing, bytes);
  };
  TRY(of_.ledger.begun(file.key));
  Result<PutFile> sent = of_.place.store->put_file(put, stop);
  if (!sent && file.source.empty()) {
    TRY_ASSIGN(const bool is_sound, of_.blobs.is_sound(file.sha256));
    if (!is_sound)
      return fail(step_error(cat("What was kept of ", quoted(file.key), " is damaged, and was removed"),
                             "Run it again: it is got anew"));
  }
  TRY_ASSIGN(PutFile done, std::move(sent));
  TRY_ASSIGN(const bool is_others, is_found(file, done));
  const MirrorObject object{file.key, file.size, file.content, done.tag, std::move(done.chunks), is_others};
  if (twice_.contains(file.content) && !is_others && !object.tag.empty()) {
    const std::lock_guard lock(moving_);
    first_of_twice_.push_back(object);
  }
  TRY(of_.ledger.put(object));
  note(done, doing);
  if (came < file.size) progress(doing, file.size - came);
  return {};
}

// A copy that takes no condition is made of whatever lies there when it is made.
Result<void> Transfer::note_again(const ListedFile& file, const FileToPut& put) {
  const bool is_copy = put.like && put.like->content == put.content;
  if (is_copy && !of_.place.store->takes_conditions()) copied_again_ns_ = of_.host.clock.steady_ns();
  return of_.ledger.again({file.key});
}

// What a copy was made of stays as it is until its first attempt is over, of which nobody heard.
Result<void> Transfer::outwait_copies(const Doing& doing) {
  constexpr std::int64_t kSecond_ns = 1'000'000'000;
  const std::int64_t since_ns = copied_again_ns_.exchange(kNever_ns);
  if (since_ns == kNever_ns) return {};
  const std::chrono::nanoseconds left(since_ns + kLastArrival_s * kSecond_ns - of_.host.clock.steady_ns());
  const auto time = std::chrono::ceil<std::chrono::milliseconds>(left);
  if (time.count() <= 0) return {};
  doing.events(Message{of_.target.label, cat("Waiting ", human_duration(time.count()), " for a copy in ",
                                             quoted(of_.place.text()), " that was asked for twice")});
  return of_.host.clock.wait(time, doing.stop) ? fail(interrupted_error()) : Result<void>();
}

void Transfer::note(const PutFile& done, const Doing& doing) {
  const std::lock_guard lock(moving_);
  if (done.found) {
    ++moved_.found;
  } else if (done.copied) {
    ++moved_.copied;
  } else {
    ++moved_.sent;
    moved_.bytes += done.sent;
    doing.tally.uploaded_objects += 1;
    doing.tally.uploaded_bytes += done.sent;
  }
}

Result<void> Transfer::make_folder(const ListedFile& folder, const Doing& doing) {
  TRY(of_.ledger.begun(folder.key));
  TRY_ASSIGN(std::optional<std::string> tag, of_.place.store->put(of_.place.key(folder.key), "", {}));
  TRY(of_.ledger.put({folder.key, 0, folder.content, std::move(tag).value_or(""), {}}));
  note({}, doing);
  return {};
}

// In a folder, another one goes with the last of its objects, even if it is to stay.
Result<void> Transfer::make_folders_again() {
  for (const ListedFile& file : of_.listing) {
    if (is_folder(file.key)) TRY(of_.place.store->put(of_.place.key(file.key), "", {}));
  }
  return {};
}

// Whoever was cut while it was sent did not hear whether it arrived.
Result<bool> Transfer::was_put(const ListedFile& file) {
  if (of_.place.is_local() || !of_.ledger.is_open(file.key)) return false;
  TRY_ASSIGN(const std::optional<StoredObject> there, of_.place.store->look(of_.place.key(file.key)));
  if (!there || there->content != file.content || there->size != file.size) return false;
  TRY(of_.ledger.put({file.key, file.size, file.content, there->tag, {}}));
  return true;
}

LikeObject Transfer::like_of(const MirrorObject& object) const {
  return {of_.place.key(object.key), object.tag, object.size, object.content, object.chunks};
}

std::optional<LikeObject> Transfer::like(const ListedFile& file) const {
  if (file.size < of_.worth_copying || of_.place.is_local()) return std::nullopt;
  if (const auto same = copyable_.find(file.content); same != copyable_.end()) return like_of(same->second);
  // What others hold may go once our borrowing has ended.
  const bool is_borrowing = changed_.make_way.empty();
  const auto same = is_borrowing ? of_.elsewhere.find(file.content) : of_.elsewhere.end();
  if (same != of_.elsewhere.end()) return same->second;
  const auto earlier = earlier_.find(file.key);
  return earlier == earlier_.end() ? std::nullopt : std::optional(like_of(earlier->second));
}

// What somebody else put in place of ours is left as it is, and no concern of ours any more.
Result<std::vector<std::string>> Transfer::still_ours(const std::vector<std::string>& keys,
                                                      const Doing& doing) {
  std::vector<MirrorObject> objects;
  for (const std::string& key : keys) objects.push_back(removed_.at(key));
  TRY_ASSIGN(const std::set<std::string> replaced,
             replaced_by_others(of_.place, objects, in_place_, doing.stop));
  if (replaced.empty()) return keys;
  for (const std::string& key : replaced) TRY(of_.ledger.removed(key));
  doing.events(Message{of_.target.label,
                       cat("Left ", plural(replaced.size(), "object"), " in ", quoted(of_.place.text()),
                           ", for which there is no file any more: somebody else put ",
                           replaced.size() == 1 ? "it" : "them", " there, as ", quoted(*replaced.begin()))});
  std::vector<std::string> ours = keys;
  std::erase_if(ours, [&](const std::string& key) { return replaced.contains(key); });
  return ours;
}

Result<void> Transfer::remove_last(const Doing& doing) {
  TRY_ASSIGN(const std::vector<std::string> keys, still_ours(changed_.remove, doing));
  return remove(keys, doing);
}

Result<void> Transfer::make_way(const Doing& doing) {
  TRY_ASSIGN(const std::vector<std::string> keys, still_ours(changed_.make_way, doing));
  if (keys.size() < changed_.make_way.size() && of_.place.store->traits().has_folders)
    return fail(of_.place.in_the_way(of_.target));
  return remove(keys, doing);
}

Result<void> Transfer::remove(const std::vector<std::string>& keys, const Doing& doing) {
  constexpr std::size_t kAtOnce = 1000;
  for (std::size_t i = 0; i < keys.size(); i += kAtOnce) {
    if (doing.stop.stop_requested()) return fail(interrupted_error());
    std::vector<std::string> now;
    for (std::size_t j = i; j < std::min(keys.size(), i + kAtOnce); ++j)
      now.push_back(of_.place.key(keys[j]));
    TRY(of_.borrowings.wait_for(of_.target.label, {now.begin(), now.end()}, doing.stop));
    TRY(holding_.may_write(false));
    const auto begin = keys.begin() + static_cast<std::ptrdiff_t>(i);
    const std::vector<std::string> named(begin, begin + static_cast<std::ptrdiff_t>(now.size()));
    const MayWrite may_write = [&](bool is_repeated) -> Result<void> {
      if (is_repeated) TRY(of_.ledger.again(named));
      return holding_.may_write(is_repeated);
    };
    TRY(of_.place.store->remove(now, may_write));
    for (std::size_t j = i; j < i + now.size(); ++j) TRY(of_.ledger.removed(keys[j]));
    doing.tally.deleted_objects += now.size();
    moved_.removed += now.size();
  }
  return {};
}

void Transfer::progress(const Doing& doing, std::uint64_t bytes) {
  // What is begun again counts twice.
  const std::uint64_t done = std::min(done_bytes_ += bytes, changed_.bytes);
  const std::int64_t now = of_.host.clock.steady_ns();
  std::int64_t told = told_ns_;
  const bool is_due = now - told >= kProgressEvery_ns || done == changed_.bytes;
  if (is_due && told_ns_.compare_exchange_strong(told, now))
    doing.events(Progress{of_.target.label, "uploading", done, changed_.bytes, true});
}

}  // namespace trainmake
